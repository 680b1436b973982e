"""What happened in the environment: tapes, output and path over the steps of an episode.

They are put together from what the environment shows of itself before and after each step, see
`memory_envs.view`; no family is known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.view import NOTHING, Grid, Maze, Output, Tape, View

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


class TapeHistory(NamedTuple):
    """A tape over the T steps of an episode.

    Attributes:
        name: Its name, such as "input tape".
        cells: Of shape ``(T, N)``, the symbols; `NOTHING` where there is no cell.
        heads: Of shape ``(T,)``, the column under the head; `NOTHING` where that is not shown.
        written: Of shape ``(T, N)``, the cells that were written in this step.
        strengths: Of shape ``(T, N)``, how strong the symbols are; None where all are alike.
        move_action: Name of the sub-action that moves the head.
        write_action: Name of the sub-action that writes; "" if there is none.
    """

    name: str
    cells: IntArray
    heads: IntArray
    written: BoolArray
    strengths: FloatArray | None = None
    move_action: str = ""
    write_action: str = ""

    def head_writes(self) -> BoolArray:
        """Returns whether the cell under the head was written, of shape ``(T,)``."""
        steps = np.arange(len(self.heads))
        return np.where(self.heads == NOTHING, False, self.written[steps, self.heads])


class OutputHistory(NamedTuple):
    """What was emitted in each of T steps.

    Attributes:
        symbols: Of shape ``(T,)``; `NOTHING` for a silent step.
        right: Of shape ``(T,)``, whether it was the right symbol.
        columns: Of shape ``(T,)``, its place in the output.
        target: What was to be emitted.
        symbol_action: Name of the sub-action that decides which symbol is emitted.
        emit_action: Name of the sub-action that decides whether one is.
        parts: Names of the sub-actions that only together say which symbol is emitted.
    """

    symbols: IntArray
    right: BoolArray
    columns: IntArray
    target: list[int]
    symbol_action: str
    emit_action: str
    parts: tuple[str, ...] = ()

    def misses(self) -> list[int]:
        """Returns the steps, from 0 on, in which a wrong symbol was emitted."""
        steps: list[int] = np.flatnonzero((self.symbols != NOTHING) & ~self.right).tolist()
        return steps


class Path(NamedTuple):
    """A way through a maze.

    Attributes:
        walls: Of shape ``(size, size)``.
        cells: Of shape ``(T + 1, 2)``, line and column before each step and after the last.
        goal: Line and column.
        reached: Of shape ``(T,)``, whether a step reached the goal, from where the agent was put
            elsewhere.
    """

    walls: BoolArray
    cells: IntArray
    goal: tuple[int, int]
    reached: BoolArray


class History(NamedTuple):
    """What can be seen of an episode beside observations, actions and rewards.

    Attributes:
        tapes: Tapes that are read or written, apart from the output.
        output: The output; None if the environment has none.
        path: The way through the maze; None if the environment is no maze.
        names: How the symbols that are no numbers are shown.
    """

    tapes: tuple[TapeHistory, ...] = ()
    output: OutputHistory | None = None
    path: Path | None = None
    names: tuple[tuple[int, str], ...] = ()

    def shown_actions(self) -> set[str]:
        """Returns the names of the sub-actions whose values tapes and output show."""
        names = {tape.write_action for tape in self.tapes}
        if self.output is not None:
            names |= {self.output.symbol_action, self.output.emit_action, *self.output.parts}
        return names


def find_history(views: Sequence[View]) -> History:
    """Puts together what there is to see.

    Args:
        views: T + 1 of one row, before each step and after the last; empty if the environment
            shows nothing of itself.
    """
    if not views:
        return History()
    first = views[0]
    tapes = [
        _tape_history([view.tapes[k] for view in views], first.blank)
        for k in range(len(first.tapes))
    ]
    if grids := [view.grid for view in views if view.grid is not None]:
        tapes.append(_grid_history(grids, first.blank))
    outputs = [view.output for view in views if view.output is not None]
    mazes = [view.maze for view in views if view.maze is not None]
    return History(
        tuple(tapes),
        _output_history(outputs) if outputs else None,
        _path(mazes) if mazes else None,
        tuple({k: v for view in views for k, v in view.symbol_names(0).items()}.items()),
    )


def _tape_history(tapes: Sequence[Tape], blank: int) -> TapeHistory:
    """Follows a tape; where its head may stand beyond the ends, a blank is shown on either side.

    The cells are those after the step, so that what was written is seen in the step that wrote it.
    """
    before, after = tapes[:-1], tapes[1:]
    if tapes[0].passing:
        return _passing_history(before)
    size = int(tapes[0].sizes[0])
    cells = np.stack([tape.cells[0, :size] for tape in after]).astype(np.int64)
    heads = np.array([tape.heads[0] for tape in before], np.int64)
    if tapes[0].written is None:
        written = np.zeros_like(cells, np.bool_)
    else:
        written = np.stack([tape.written[0, :size] for tape in after if tape.written is not None])
    if not tapes[0].circular:
        cells = np.pad(cells, ((0, 0), (1, 1)), constant_values=blank)
        written = np.pad(written, ((0, 0), (1, 1)))
        heads = np.where((heads >= -1) & (heads <= size), heads + 1, NOTHING)
    return TapeHistory(
        f"{tapes[0].name} tape",
        cells,
        heads,
        written,
        move_action=tapes[0].move,
        write_action=tapes[0].write,
    )


def _passing_history(tapes: Sequence[Tape]) -> TapeHistory:
    """Shows the one cell of a tape that is under its head in each step."""
    cells = np.array([[tape.cells[0, tape.heads[0]]] for tape in tapes], np.int64)
    no_write = np.zeros_like(cells, np.bool_)
    return TapeHistory(tapes[0].name, cells, np.zeros(len(tapes), np.int64), no_write)


def _grid_history(grids: Sequence[Grid], blank: int) -> TapeHistory:
    """Follows the head of a grid, whose lines are shown one after the other like a tape."""
    size, height = int(grids[0].sizes[0]), grids[0].cells.shape[1]
    lines = np.pad(grids[0].cells[0, :, :size], ((0, 0), (1, 1)), constant_values=blank)
    cells = np.tile(lines.ravel().astype(np.int64), (len(grids) - 1, 1))
    down, right = np.stack([grid.heads[0] for grid in grids[:-1]]).T.astype(np.int64)
    inside = (down >= 0) & (down < height) & (right >= -1) & (right <= size)
    heads = np.where(inside, down * (size + 2) + right + 1, NOTHING)
    return TapeHistory(f"{grids[0].name} tape", cells, heads, np.zeros_like(cells, np.bool_))


def _output_history(outputs: Sequence[Output]) -> OutputHistory:
    first, last = outputs[0], outputs[-1]
    sizes = np.array([output.sizes[0] for output in outputs], np.int64)
    columns, emits = sizes[:-1], np.diff(sizes) > 0
    places = np.minimum(columns, last.cells.shape[1] - 1)  # a full output has no next place
    return OutputHistory(
        symbols=np.where(emits, last.cells[0][places], NOTHING),
        right=emits & ~last.wrong[0][places],
        columns=columns,
        target=first.target[0, : int(first.target_sizes[0])].tolist(),
        symbol_action=first.symbol,
        emit_action=first.emit,
        parts=first.parts,
    )


def _path(mazes: Sequence[Maze]) -> Path:
    down, right = mazes[0].goals[0].tolist()
    return Path(
        walls=mazes[0].walls,
        cells=np.stack([maze.agents[0] for maze in mazes]).astype(np.int64),
        goal=(down, right),
        reached=np.diff([maze.visits[0] for maze in mazes]) > 0,
    )
