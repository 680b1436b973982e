"""The panels of a trace's picture: tables of cells, a row for each step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LinearSegmentedColormap, to_hex

from agents.evaluation.plots import BLUE, GREEN, GREY, INK, ORANGE, PALE, RED
from agents.evaluation.trace.episode import Trace
from agents.evaluation.trace.history import OutputHistory, TapeHistory
from memory_envs.view import NOTHING

_PALE_GREEN = "#cfeadc"
_PALE_ORANGE = "#fbe6c4"
_PALE_RED = "#f6d5d9"
_WEIGHTS = LinearSegmentedColormap.from_list("weights", [PALE, "#b9a5e2", "#4b2e83"])
# Colours from nothing in a cell to a whole symbol.
_STRENGTHS = LinearSegmentedColormap.from_list("strengths", [PALE, _PALE_ORANGE, "#f4c87f"])


class Cell(NamedTuple):
    """One cell of a panel; a strong one is where something happens."""

    face: str = PALE
    text: str = ""
    ink: str = GREY
    strong: bool = False
    border: str = ""  # its colour; "" for none


class Panel(NamedTuple):
    """A table with a row for each of T steps, and perhaps a row above them."""

    name: str
    rows: list[list[Cell]]
    above: list[Cell]
    heads: npt.NDArray[np.int64]  # (T,), the columns that a line joins; NOTHING for none
    line: str


def tape_panels(trace: Trace) -> list[Panel]:
    """Returns everything that a trace with tapes shows."""
    output = trace.history.output
    panels = [_tape_panel(trace, tape) for tape in trace.history.tapes]
    if output is not None:
        panels.append(_output_panel(trace, output))
        if trace.probability(output.symbol_action, 0) is not None:
            panels.append(_chances_panel(trace, output))
    for name, weights in trace.weightings.items():
        heads = weights.shape[1]
        names = [f"{name} head"] if heads == 1 else [f"{name} {k + 1}" for k in range(heads)]
        panels += [_weights_panel(names[k], weights[:, k]) for k in range(heads)]
    return panels


def _tape_panel(trace: Trace, tape: TapeHistory) -> Panel:
    """Fills the cell under the head, with a pale colour if the head could write and did not.

    Cells that were written beside the head have a border. Where symbols have strengths, these shade
    the other cells.
    """
    writes = bool(tape.written.any())
    color = ORANGE if writes else BLUE
    rows = []
    for t, symbols in enumerate(tape.cells.tolist()):
        row = [Cell(text=trace.symbol(symbol)) for symbol in symbols]
        if tape.strengths is not None:
            faces = [to_hex(_STRENGTHS(min(strength, 1.0))) for strength in tape.strengths[t]]
            row = [
                cell._replace(face=face, ink=INK, border=color if written else "")
                for cell, face, written in zip(row, faces, tape.written[t], strict=True)
            ]
        head = int(tape.heads[t])
        if head != NOTHING:
            filled = bool(tape.written[t, head]) or not writes
            face, ink = (color, "white") if filled else (_PALE_ORANGE, INK)
            row[head] = Cell(face, row[head].text, ink, strong=True)
        rows.append(row)
    return Panel(tape.name, rows, [], tape.heads, color)


def _output_panel(trace: Trace, output: OutputHistory) -> Panel:
    """Shows the target above; below, what was emitted when, and what had been before."""
    size = len(output.target)
    row = [Cell("white")] * size
    rows = []
    for symbol, right, column in zip(output.symbols, output.right, output.columns, strict=True):
        row = [cell._replace(strong=False, ink=GREY) for cell in row]
        if symbol != NOTHING:
            text = trace.symbol(int(symbol))
            emitted = list(row)
            emitted[column] = Cell(GREEN if right else RED, text, "white", strong=True)
            row[column] = Cell(_PALE_GREEN if right else _PALE_RED, text)
            rows.append(emitted)
        else:
            rows.append(row)
    target = [Cell("white", trace.symbol(symbol), INK) for symbol in output.target]
    return Panel("output", rows, target, np.full(len(rows), NOTHING), GREEN)


def _chances_panel(trace: Trace, output: OutputHistory) -> Panel:
    """Shows how probable each emitted symbol was, in per cent."""
    rows = []
    for t, (symbol, right) in enumerate(zip(output.symbols, output.right, strict=True)):
        chance = trace.probability(output.symbol_action, t) or 0.0
        ink = GREEN if right else RED
        rows.append([Cell("white", f"{100 * chance:.0f}" if symbol != NOTHING else "", ink)])
    return Panel("%", rows, [], np.full(len(rows), NOTHING), GREEN)


def _weights_panel(name: str, weights: npt.NDArray[np.float64]) -> Panel:
    """Shows weights ``(T, slots)``: the darker, the more weight."""
    rows = [[Cell(to_hex(_WEIGHTS(weight))) for weight in row] for row in weights]
    return Panel(name, rows, [], np.full(len(rows), NOTHING), INK)
