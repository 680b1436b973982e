"""A trace as one HTML page that needs nothing else: a slider moves through the steps.

Everything that is shown is put into words here; the scripts beside this file only place it. So the
page follows the same rules as the text.
"""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import Any

import numpy as np

from agents.evaluation.pages import embedded_json, fill_places, read_part
from agents.evaluation.trace.episode import Trace
from agents.evaluation.trace.history import OutputHistory, TapeHistory
from agents.evaluation.trace.history import Path as MazePath
from agents.evaluation.trace.text import action_label, short, trace_columns, what_failed
from agents.saving.atomic import write_text
from memory_envs.view import NOTHING

_LONGEST = 600  # characters of an observation


def trace_html(trace: Trace, path: Path) -> None:
    """Writes the page, whole or not at all."""
    write_text(path, trace_page(trace))


def trace_page(trace: Trace) -> str:
    """Returns the page: its template with style, script and data in their places."""
    parts = {
        "title": html.escape(f"{trace.env}, {trace.model}"),
        "style": read_part(__name__, "style.css"),
        "script": read_part(__name__, "views.js") + read_part(__name__, "steps.js"),
        "data": embedded_json(page_data(trace)),
    }
    return fill_places(read_part(__name__, "page.html"), parts)


def page_data(trace: Trace) -> dict[str, Any]:
    """Returns what the page shows, ready for JSON; lists over steps unless they say otherwise."""
    steps, history = range(len(trace.rewards)), trace.history
    returns = np.cumsum(trace.rewards).tolist()
    columns = trace_columns(trace)
    return {
        "facts": trace.facts(),
        "reason": what_failed(trace),
        "steps": len(steps),
        "rewards": [f"{reward:g}" for reward in trace.rewards],
        "returns": [f"{total:g}" for total in returns],
        "curve": None if history.tapes else _finite(returns),
        "values": None if trace.values is None else [f"{value:.2f}" for value in trace.values],
        "tapes": [_tape(trace, tape) for tape in history.tapes],
        "output": None if history.output is None else _output(trace, history.output),
        "path": None if history.path is None else _path(history.path),
        "observations": None
        if history.tapes
        else [short(observation, _LONGEST) for observation in trace.observations],
        "actions": [_action(trace, name) for name in trace.actions[0]],
        "heads": [_heads(name, weights) for name, weights in trace.weightings.items()],
        "table": {
            "headers": [header for header, _ in columns],
            "rows": [[text(step) for _, text in columns] for step in steps],
        },
    }


def _tape(trace: Trace, tape: TapeHistory) -> dict[str, Any]:
    """Returns a tape; rows of cells that recur are stored once."""
    rows: dict[tuple[str, ...], int] = {}
    index = []
    for cells in tape.cells.tolist():
        row = tuple(trace.symbol(symbol) for symbol in cells)
        index.append(rows.setdefault(row, len(rows)))
    written = [np.flatnonzero(row).tolist() for row in tape.written]
    strengths = tape.strengths
    return {
        "name": tape.name,
        "writes": bool(tape.written.any()),
        "rows": list(rows),
        "row": index,
        "heads": [None if head == NOTHING else head for head in tape.heads.tolist()],
        "written": written,
        "strengths": None if strengths is None else np.round(strengths, 2).tolist(),
    }


def _output(trace: Trace, output: OutputHistory) -> dict[str, Any]:
    silent = output.symbols == NOTHING
    return {
        "target": [trace.symbol(symbol) for symbol in output.target],
        "numbers": output.target,
        "symbols": [
            None if quiet else trace.symbol(symbol)
            for symbol, quiet in zip(output.symbols.tolist(), silent, strict=True)
        ],
        "right": output.right.tolist(),
        "columns": output.columns.tolist(),
    }


def _path(path: MazePath) -> dict[str, Any]:
    return {
        "walls": path.walls.astype(int).tolist(),
        "cells": path.cells.tolist(),
        "goal": list(path.goal),
        "reached": path.reached.tolist(),
    }


def _action(trace: Trace, name: str) -> dict[str, Any]:
    """Returns a sub-action: the values it took, and how probable all of its values were."""
    values = trace.choices.get(name, ())
    taken = [action[name] for action in trace.actions]
    chances = None
    if trace.probabilities is not None and values:
        part = trace.probabilities[:, list(trace.choices).index(name), : len(values)]
        chances = np.round(part, 3).tolist()
    return {
        "name": name.replace("_", " "),
        "taken": [_label(value) for value in taken],
        "choices": [_label(value) for value in values] if chances else [],
        "chosen": [values.index(value) for value in taken] if chances else [],
        "chances": chances,
    }


def _label(value: str) -> str:
    """Returns the value of a sub-action, after its sign if it has one."""
    sign = action_label(value)
    return value if sign == value else f"{sign} {value}"


def _heads(name: str, weights: Any) -> dict[str, Any]:
    """Returns where the heads of an inner memory were, ``(T, heads, slots)``."""
    return {"name": f"{name} heads", "weights": np.round(weights, 2).tolist()}


def _finite(numbers: list[float]) -> list[float] | None:
    """Returns the numbers; None if some cannot be drawn."""
    return numbers if all(map(math.isfinite, numbers)) else None
