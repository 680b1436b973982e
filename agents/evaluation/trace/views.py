"""Tapes, outputs and paths, read from the full states of an episode in memory_envs.

The states are known here by their fields alone: `agents` uses no more of memory_envs than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
NOTHING = -1  # in place of a symbol or a column


class Tape(NamedTuple):
    """A tape over the T steps of an episode.

    Attributes:
        name: such as "input tape".
        cells: ``(T, N)``, the symbols; `NOTHING` where there is no cell.
        heads: ``(T,)``, the column under the head; `NOTHING` where that is not shown.
        written: ``(T, N)``, which cells were written in this step.
        strengths: ``(T, N)``, how strong the symbols are; None where all are alike.
    """

    name: str
    cells: IntArray
    heads: IntArray
    written: BoolArray
    strengths: FloatArray | None = None

    def head_writes(self) -> BoolArray:
        """``(T,)``, whether the cell under the head was written in this step."""
        steps = np.arange(len(self.heads))
        return np.where(self.heads == NOTHING, False, self.written[steps, self.heads])


class Output(NamedTuple):
    """What was emitted in each of T steps.

    Attributes:
        symbols: ``(T,)``; `NOTHING` for a silent step.
        right: ``(T,)``, whether it was the right symbol.
        columns: ``(T,)``, its place in the output.
        target: what was to be emitted.
    """

    symbols: IntArray
    right: BoolArray
    columns: IntArray
    target: list[int]

    def misses(self) -> list[int]:
        """The steps, from 0 on, in which a wrong symbol was emitted."""
        steps: list[int] = np.flatnonzero((self.symbols != NOTHING) & ~self.right).tolist()
        return steps


class Path(NamedTuple):
    """A way through a maze.

    Attributes:
        walls: ``(size, size)``.
        cells: ``(T + 1, 2)``, row and column before each step and after the last.
        goal: row and column.
        reached: ``(T,)``, whether a step reached the goal, from where the agent was put elsewhere.
    """

    walls: BoolArray
    cells: IntArray
    goal: tuple[int, int]
    reached: BoolArray


class Views(NamedTuple):
    """What can be seen of an episode beside observations, actions and rewards.

    Attributes:
        tapes: those that are read or written, apart from the output.
        output: None if the environment has none.
        path: None if the environment is no maze.
        names: of the symbols that are no numbers.
    """

    tapes: tuple[Tape, ...] = ()
    output: Output | None = None
    path: Path | None = None
    names: tuple[tuple[int, str], ...] = ()


def view_states(env: Any, states: Sequence[Any], actions: IntArray) -> Views:
    """Find what there is to see.

    Args:
        env: the scalar environment, unwrapped.
        states: T + 1, before each step and after the last; empty if the environment has none.
        actions: ``(T, ...)``.
    """
    if not states:
        return Views()
    rows = np.stack([state.rows[0] for state in states])
    fields = rows.dtype.names or ()
    if "input_head" in fields:
        return _view_tapes(env, states, rows, actions)
    if {"x", "y", "correct"} <= set(fields):
        return _view_grid(env, states, rows, actions)
    if {"cell", "goal", "goals"} <= set(fields):
        return _view_maze(env, rows)
    return Views()


def _view_tapes(
    env: Any, states: Sequence[Any], rows: npt.NDArray[np.void], actions: IntArray
) -> Views:
    """The tape family: one blank cell is shown on either side of the input."""
    steps = len(states) - 1
    end = len(env.rules.action_values[-1]) - 1
    blank = end + 1
    source = states[0].source[0, : rows["source_size"][0]].tolist()
    cells = np.tile([blank, *source, blank], (steps, 1))
    unwritten = np.zeros_like(cells, np.bool_)
    tapes = [Tape("input tape", cells, rows["input_head"][:-1] + 1, unwritten)]
    if "memory_write" in env.action_names:
        column = env.action_names.index("memory_write")
        # As it is after the step, so that a row shows what was written in it.
        memory = np.stack([state.memory[0] for state in states[1:]]).astype(np.int64)
        heads = rows["memory_head"][:-1].astype(np.int64)
        written = np.zeros_like(memory, np.bool_)
        written[np.arange(steps), heads] = actions[:, column] <= end
        tapes.append(Tape("memory tape", memory, heads, written))
    places = rows["emitted"][:-1].astype(int)
    emits = np.diff(rows["emitted"]) > 0
    emitted = states[-1].output[0][np.minimum(places, rows["target_size"][0] - 1)]
    output = Output(
        symbols=np.where(emits, emitted, NOTHING),
        right=np.diff(rows["correct"]) > 0,
        columns=places,
        target=states[0].target[0, : rows["target_size"][0]].tolist(),
    )
    return Views(tuple(tapes), output, None, ((end, "■"), (blank, "·")))


def _view_grid(
    env: Any, states: Sequence[Any], rows: npt.NDArray[np.void], actions: IntArray
) -> Views:
    """The algorithmic family: the rows of its grid are shown one after the other."""
    steps = len(states) - 1
    width, blank = int(rows["width"][0]), len(env.rules.action_values[-1])
    grid = states[0].source[0, :width].T  # (height, width)
    line = np.concatenate([[blank, *line, blank] for line in grid.tolist()])
    cells = np.tile(line, (steps, 1))
    x, y = (rows[name][:-1].astype(int) for name in ("x", "y"))
    heads = y * (width + 2) + x + 1
    inside = (x >= -1) & (x <= width) & (y >= 0) & (y < len(grid))
    tape = Tape(
        "input tape",
        cells,
        np.where(inside, heads, NOTHING),
        np.zeros_like(cells, np.bool_),
    )
    judged = (actions[:, 1] == 1) & (rows["steps"][1:] <= rows["limit"][0])
    output = Output(
        symbols=np.where(judged, actions[:, 2], NOTHING),
        right=np.diff(rows["correct"]) > 0,
        columns=rows["correct"][:-1].astype(int),
        target=states[0].target[0, : rows["target_size"][0]].tolist(),
    )
    return Views((tape,), output, None, ((blank, "·"),))


def _view_maze(env: Any, rows: npt.NDArray[np.void]) -> Views:
    layout = env.rules.layout
    down, right = layout.cells[rows["goal"][0]].tolist()
    path = Path(
        walls=layout.walls,
        cells=layout.cells[rows["cell"]].astype(int),
        goal=(down, right),
        reached=np.diff(rows["goals"]) > 0,
    )
    return Views(path=path)
