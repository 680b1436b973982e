"""A trace as text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from agents.evaluation.trace.episode import Trace
from agents.evaluation.trace.history import OutputHistory, Path, TapeHistory
from memory_envs.view import NOTHING

_LONGEST = 28  # characters of an observation
_SIGNS = {"left": "←", "right": "→", "up": "↑", "down": "↓", "stay": "·", "end": "■"}

_MEANINGS = {"■": "end mark", "·": "blank"}

# A column is its header and a text for each step.
Column = tuple[str, Callable[[int], str]]


def trace_text(trace: Trace) -> str:
    """Returns a title, what there is to see in the environment, and a line per step."""
    history = trace.history
    lines = [trace.title(), ""]
    if history.path is not None:
        lines += [*_maze_lines(history.path), ""]
    lines += _table(trace_columns(trace), len(trace.rewards))
    if history.output is not None:
        lines += ["", *_output_lines(trace, history.output)]
    if history.tapes:
        lines += ["", _legend(trace)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def trace_columns(trace: Trace) -> list[Column]:
    """Returns what a line says of its step."""
    history = trace.history
    columns: list[Column] = [("step", lambda t: str(t + 1))]
    if history.tapes:
        columns += [(tape.name, _tape_cell(trace, tape)) for tape in history.tapes]
    elif history.path is None:
        columns.append(("observation", lambda t: short(trace.observations[t], _LONGEST)))
    columns += _action_columns(trace)
    if history.output is not None:
        columns.append(("output", _output_cell(trace, history.output)))
    columns.append(("reward", lambda t: f"{trace.rewards[t]:g}"))
    values = trace.values
    if values is not None:
        columns.append(("value", lambda t: f"{values[t]:.2f}"))
    for name, weights in trace.weightings.items():
        columns.append((f"{name} heads", _focus_cell(weights)))
    return columns


def _table(columns: list[Column], steps: int) -> list[str]:
    cells = []
    for header, text in columns:
        column = [header, *(text(t) for t in range(steps))]
        width = max(map(len, column))
        numbers = header in ("step", "reward", "value")
        cells.append([cell.rjust(width) if numbers else cell.ljust(width) for cell in column])
    return ["  ".join(row) for row in zip(*cells, strict=True)]


def _tape_cell(trace: Trace, tape: TapeHistory) -> Callable[[int], str]:
    """Returns the tape with its head in brackets; in braces if the cell was written."""
    width = max(len(trace.symbol(number)) for number in np.unique(tape.cells).tolist())
    beside = _is_written_beside(tape)

    def text(t: int) -> str:
        cells = [trace.symbol(number).rjust(width) for number in tape.cells[t].tolist()]
        before = ["+" if written else " " for written in tape.written[t].tolist()]
        after = [" "] * len(cells)
        head = int(tape.heads[t])
        if head != NOTHING:
            before[head], after[head] = "{}" if tape.written[t, head] else "[]"
        if beside:
            return "".join(map("".join, zip(before, cells, after, strict=True)))
        # There is one gap between two cells: only the head marks it, on one of its sides.
        gaps = map(max, [*before, " "], [" ", *after])
        return "".join(map("".join, zip(gaps, [*cells, ""], strict=True)))

    return text


def _is_written_beside(tape: TapeHistory) -> bool:
    """Returns whether cells beside the head were ever written."""
    return int(tape.written.sum()) > int(tape.head_writes().sum())


def _output_cell(trace: Trace, output: OutputHistory) -> Callable[[int], str]:
    width = max(len(trace.symbol(number)) for number in np.unique(output.symbols).tolist())

    def text(t: int) -> str:
        if output.symbols[t] == NOTHING:
            return ""
        words = [trace.symbol(int(output.symbols[t])).rjust(width)]
        chance = trace.probability(output.symbol_action, t)
        if chance is not None:
            words.append(f"{chance:.2f}")
        words.append("✓" if output.right[t] else "✗")
        if not output.right[t]:
            words.append(f"not {trace.symbol(output.target[output.columns[t]])}")
        return " ".join(words)

    return text


def _output_lines(trace: Trace, output: OutputHistory) -> list[str]:
    """Returns the output above target, and what was wrong with it."""
    emitted = [" "] * len(output.target)
    marks = list(emitted)
    for symbol, right, column in zip(output.symbols, output.right, output.columns, strict=True):
        if symbol != NOTHING:
            emitted[column], marks[column] = trace.symbol(int(symbol)), " " if right else "✗"
    target = [trace.symbol(symbol) for symbol in output.target]
    width = max(map(len, [*emitted, *target]))
    lines = [
        name + " ".join(cell.rjust(width) for cell in cells)
        for name, cells in (("output  ", emitted), ("target  ", target), ("        ", marks))
        if "".join(cells).strip()
    ]
    reason = what_failed(trace)
    return [*lines, "", reason] if reason else lines


def what_failed(trace: Trace) -> str:
    """Returns what was wrong with the output of a failed episode; "" if nothing can be said."""
    output = trace.history.output
    if output is None or trace.success is not False:
        return ""
    misses, emitted = output.misses(), int((output.symbols != NOTHING).sum())
    parts = []
    if misses:
        first = misses[0]
        wrong = trace.symbol(int(output.symbols[first]))
        right = trace.symbol(output.target[output.columns[first]])
        count = (
            "1 wrong symbol, " if len(misses) == 1 else f"{len(misses)} wrong symbols, the first "
        )
        parts.append(f"{count}in step {first + 1}: {wrong}, not {right}")
    if emitted < len(output.target):
        parts.append(f"the episode ended after {emitted} of {len(output.target)} symbols")
    return "; ".join(parts)


def _legend(trace: Trace) -> str:
    marks = ["[ ] head"]
    if any(tape.written.any() for tape in trace.history.tapes):
        marks.append("{ } head, cell written")
    if any(_is_written_beside(tape) for tape in trace.history.tapes):
        marks.append("+ written beside the head")
    known = [mark for _, mark in trace.history.names if mark in _MEANINGS]
    marks += [f"{mark} {_MEANINGS[mark]}" for mark in known]
    output = trace.history.output
    if output is not None and trace.probability(output.symbol_action, 0) is not None:
        marks.append("output: symbol, its probability, right or wrong")
    return "   ".join(marks)


def _action_columns(trace: Trace) -> list[Column]:
    """Returns one column per sub-action, but for those that a tape or the output shows."""
    shown = trace.history.shown_actions()
    names = [name for name in trace.actions[0] if name not in shown]

    def column(name: str) -> Callable[[int], str]:
        return lambda t: action_label(trace.actions[t][name])

    return [(name.replace("_", " "), column(name)) for name in names]


def action_label(value: str) -> str:
    """Returns how the value of a sub-action is shown."""
    return _SIGNS.get(value, value)


def _focus_cell(weights: Any) -> Callable[[int], str]:
    """Returns the slot on which each head is focused, and how much of its weight is there."""

    def text(t: int) -> str:
        slots = weights[t].argmax(axis=-1)
        return " ".join(f"{slot}:{weights[t, head, slot]:.2f}" for head, slot in enumerate(slots))

    return text


def _maze_lines(path: Path) -> list[str]:
    """Returns the maze with the visits to each cell, and how long each way to the goal was."""
    visits = np.zeros(path.walls.shape, int)
    np.add.at(visits, tuple(path.cells.T), 1)
    width = max(2, len(str(visits.max())))
    goal = path.goal

    def cell(row: int, column: int) -> str:
        if path.walls[row, column]:
            return "#" * width
        if (row, column) == goal:
            return "G".rjust(width)
        count = visits[row, column]
        return (str(count) if count else "·").rjust(width)

    size = len(path.walls)
    maze = [" ".join(cell(row, column) for column in range(size)) for row in range(size)]
    times = np.flatnonzero(path.reached) + 1
    ways = np.diff(times, prepend=0).tolist()
    lines = ["visits to each cell:", *maze, "", f"goal (G) reached {len(ways)} times"]
    if ways:
        lines += textwrap.wrap("steps on each way to it: " + ", ".join(map(str, ways)), 100)
    return lines


def short(observation: Any, longest: int) -> str:
    """Returns an observation in one line of at most `longest` characters."""
    if isinstance(observation, np.ndarray):
        if observation.dtype.kind == "f":
            # They become float64 first: a rounded float32 prints as 0.10000000149.
            observation = np.round(observation.astype(np.float64), 3)
        text = str(observation.ravel()[:longest].tolist())
    else:
        text = str(observation)
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
