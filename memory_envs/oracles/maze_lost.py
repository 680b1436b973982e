"""What the way back to a known goal is worth in the maze to a player who does not know its place.

After each find the agent is put on a free cell, and sees no more of it than the walls around. What
it knows of its place is a set of cells, equally likely: at first all that look alike, and after
each move those whose neighbours, again, look alike, by what it then sees and by whether it walked
into a wall, for which it is charged. The sets that can come about are few. With them as states the
best play is that of a small decision process, solved backwards from the last step; it is the best
that any agent can do which knows the goal.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.maze.layout import Layout, make_layout
from memory_envs.maze.optimum import GOAL_REWARD, WALL_REWARD

FloatArray = npt.NDArray[np.float64]
_Cells = tuple[int, ...]


class _Process(NamedTuple):
    """The decision process for one goal; n sets of cells, with A moves in each.

    Attributes:
        first: ``(n,)``, how likely each set is after a find.
        walls: ``(n, A)``, how likely a move is one into a wall.
        finds: ``(n, A)``, how likely it finds the goal.
        sources: ``(m,)``, the set and move, as ``A * set + move``, of each of m transitions.
        targets: ``(m,)``, the set to which it leads.
        chances: ``(m,)``, how likely it is.
    """

    first: FloatArray
    walls: FloatArray
    finds: FloatArray
    sources: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    chances: FloatArray


def lost_values(size: int, max_steps: int) -> FloatArray:
    """Returns what best play gets that knows the goal and was put somewhere.

    Args:
        size: Cells on a side, outer walls included; odd, from 5 on.
        max_steps: The time limit.

    Returns:
        Of shape ``(max_steps + 1, F)``: by steps left and goal.
    """
    layout = make_layout(size)
    results = np.zeros((max_steps + 1, len(layout.cells)))
    for goal in range(len(layout.cells)):
        process = _make_process(layout, goal)
        values = np.zeros(len(process.first))
        for left in range(1, max_steps + 1):
            moves = process.finds * (GOAL_REWARD + results[left - 1, goal])
            moves += process.walls * WALL_REWARD
            later = process.chances * values[process.targets]
            moves += np.bincount(process.sources, later, moves.size).reshape(moves.shape)
            values = moves.max(axis=1)
            results[left, goal] = process.first @ values
    return results


def _make_process(layout: Layout, goal: int) -> _Process:
    numbers: dict[_Cells, int] = {}
    sets: list[_Cells] = []

    def number(cells: _Cells) -> int:
        if cells not in numbers:
            numbers[cells] = len(sets)
            sets.append(cells)
        return numbers[cells]

    everywhere = [(cell, False) for cell in range(len(layout.cells))]
    first = {number(cells): len(cells) / len(everywhere) for cells in _alike(layout, everywhere)}
    walls, finds, transitions = [], [], []
    for index, cells in enumerate(sets):  # which grows on the way
        for move in range(layout.neighbours.shape[1]):
            ends = [(int(layout.neighbours[cell, move]), cell) for cell in cells]
            reached = [(cell if end < 0 else end, end < 0) for end, cell in ends]
            missed = [(cell, bump) for cell, bump in reached if cell != goal]
            walls.append(sum(bump for _, bump in reached) / len(cells))
            finds.append(1.0 - len(missed) / len(cells))
            source = layout.neighbours.shape[1] * index + move
            transitions += [
                (source, number(after), len(after) / len(cells)) for after in _alike(layout, missed)
            ]
    sources, targets, chances = zip(*transitions, strict=True)
    shape = (len(sets), layout.neighbours.shape[1])
    return _Process(
        first=np.array([first.get(index, 0.0) for index in range(len(sets))]),
        walls=np.reshape(walls, shape),
        finds=np.reshape(finds, shape),
        sources=np.array(sources),
        targets=np.array(targets),
        chances=np.array(chances),
    )


def _alike(layout: Layout, places: Iterable[tuple[int, bool]]) -> list[_Cells]:
    """Parts cells by what is seen there, and by whether a wall was walked into."""
    groups: dict[tuple[bytes, bool], list[int]] = {}
    for cell, bump in places:
        groups.setdefault((layout.views[cell].tobytes(), bump), []).append(cell)
    return [tuple(sorted(group)) for group in groups.values()]
