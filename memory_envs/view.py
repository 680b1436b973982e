"""What an environment shows of itself, in types that are the same for every family.

`env.view()` describes all rows of an environment once; pictures, texts, traces and agents that need
to know the tapes read this and nothing else. The fields of a family's state stay its own.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

NOTHING = -1  # stands in place of a symbol, an action or a cell


class Tape(NamedTuple):
    """A tape in each of B rows, whose cells hold symbols; a head reads it, and may write it.

    Attributes:
        name: Its name, such as "input".
        cells: Of shape ``(B, N)``; N is the most cells that a tape of this environment can have.
        sizes: Of shape ``(B,)``, number of cells of each row's tape.
        heads: Of shape ``(B,)``, the cell under the head.
        radius: Number of cells that the agent sees on either side of the head.
        circular: Whether the last cell is beside the first. Otherwise the head may stand beyond
            either end.
        passing: Whether the tape passes under the head by itself, a cell a step.
        written: Of shape ``(B, N)``, the cells that the last action wrote; None if no action can.
        move: Name of the sub-action that moves the head.
        write: Name of the sub-action that writes; "" if there is none.
    """

    name: str
    cells: Integers
    sizes: Integers
    heads: Integers
    radius: int
    circular: bool = False
    passing: bool = False
    written: BoolArray | None = None
    move: str = ""
    write: str = ""


class Grid(NamedTuple):
    """Symbols on a plane in each of B rows, and a head that reads them.

    Attributes:
        name: Its name, such as "input".
        cells: Of shape ``(B, height, N)``.
        sizes: Of shape ``(B,)``, number of columns of each row's grid.
        heads: Of shape ``(B, 2)``, line and column of the head, which may stand off the grid.
    """

    name: str
    cells: Integers
    sizes: Integers
    heads: Integers


class Output(NamedTuple):
    """What each of B rows emitted, and what it should emit.

    Attributes:
        cells: Of shape ``(B, N)``, the symbols emitted.
        sizes: Of shape ``(B,)``, how many these are, which is also where the next one goes.
        wrong: Of shape ``(B, N)``, which of them are wrong.
        target: Of shape ``(B, N)``.
        target_sizes: Of shape ``(B,)``, number of symbols of the target.
        on_error: Either "terminate", if a wrong symbol ends the episode, or "continue".
        forced_emission: Whether the whole target is always emitted.
        emit: Name of the sub-action that decides whether a symbol is emitted.
        symbol: Name of the sub-action that decides which one; "" if several do.
        parts: Names of the sub-actions that only together say which one, such as bits.
    """

    cells: Integers
    sizes: Integers
    wrong: BoolArray
    target: Integers
    target_sizes: Integers
    on_error: str
    forced_emission: bool
    emit: str
    symbol: str
    parts: tuple[str, ...] = ()


class Maze(NamedTuple):
    """A maze, the same in all of B rows; a cell is its line and column.

    Attributes:
        walls: Of shape ``(size, size)``.
        agents: Of shape ``(B, 2)``, the agents' cells.
        headings: Of shape ``(B,)``, the last moves: 0 up, 1 right, 2 down, 3 left.
        goals: Of shape ``(B, 2)``, the goals' cells.
        visits: Of shape ``(B,)``, how often the goal was reached in this episode.
        radius: Number of cells that the agent sees on either side.
    """

    walls: BoolArray
    agents: Integers
    headings: Integers
    goals: Integers
    visits: Integers
    radius: int


class View(NamedTuple):
    """All there is to see of B rows; a family leaves out what it does not have.

    Attributes:
        task: Name of the task.
        steps: Of shape ``(B,)``, steps taken in this episode.
        limits: Of shape ``(B,)``, the episodes' time limits.
        statuses: Of shape ``(B,)``, texts: "running", "success" or how else the episode ended.
        action_names: One name per sub-action.
        action_values: For each sub-action, the name of each of its values.
        actions: Of shape ``(B, sub-actions)``, the last actions; `NOTHING` where there was none.
        facts: Other numbers, by name, each of shape ``(B,)``.
        symbols: Number of content symbols, which are the numbers from 0 on.
        names: For each row, how the symbols are shown that have occurred so far; later views of
            an episode may have more. Empty where they are shown by their numbers.
        end_mark: The symbol that closes a string; `NOTHING` if there is none.
        blank: The symbol of an empty cell.
        tapes: Tapes that are read, or read and written.
        grid: The grid of symbols.
        output: What is emitted.
        maze: The maze.
    """

    task: str
    steps: Integers
    limits: Integers
    statuses: npt.NDArray[np.str_]
    action_names: tuple[str, ...]
    action_values: tuple[tuple[str, ...], ...]
    actions: Integers
    facts: tuple[tuple[str, npt.NDArray[Any]], ...] = ()
    symbols: int = 0
    names: tuple[tuple[str, ...], ...] = ()
    end_mark: int = NOTHING
    blank: int = NOTHING
    tapes: tuple[Tape, ...] = ()
    grid: Grid | None = None
    output: Output | None = None
    maze: Maze | None = None

    def symbol_names(self, row: int) -> dict[int, str]:
        """Returns how the symbols of a row are shown that are not shown by their numbers."""
        own = dict(enumerate(self.names[row])) if self.names else {}
        names = {**own, self.end_mark: "■", self.blank: "·"}
        return {symbol: name for symbol, name in names.items() if symbol != NOTHING}

    def tape(self, name: str) -> Tape | None:
        """Returns the tape of that name, or None if there is none."""
        return next((tape for tape in self.tapes if tape.name == name), None)
