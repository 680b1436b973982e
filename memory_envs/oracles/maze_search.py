"""What a player can get in the maze who has to find the goal first: search, then return.

The player knows the maze, where it begins and where it has been, but neither the goal nor the cells
on which it will be put. Of these it sees the walls around it alone, as an agent does, and has to
work out where it is: what that is worth, no agent's expected return is above, and one that does
everything right reaches it. For comparison there is a player who always knows where it is. Both are
below `memory_envs.oracles.optimal_return`, whose player knows the goal.

Once the goal is found, the best play is that of a small decision process for each goal, solved
backwards from the last step; `maze_lost` has the first player's. Before that, a player can only
walk: its plan is a walk through the free cells, and the goal, equally likely on each of them, is
found when the walk first comes there. The best walk is found by going through all walks step by
step. Walks that visited the same cells and end on the same cell have the same future, so that only
the best of them is kept; and those go that could not be the best any more, by a bound from above.

The bound. Cells are of two colours, like those of a chessboard, and a walk changes colour with
every step. So a cell not yet visited can at best be reached at the next step of its colour, the
next one of that colour two steps later, and so on; and what a find is worth falls with time almost
along a line for each cell, of which a line that is nowhere below it is taken.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.arguments import check_flag, check_integer
from memory_envs.maze.layout import Layout, make_layout
from memory_envs.maze.optimum import GOAL_REWARD, WALL_REWARD
from memory_envs.oracles.maze_lost import lost_values

FloatArray = npt.NDArray[np.float64]
_WORD = 64  # visited cells are the bits of 64-bit words


class Value(NamedTuple):
    """An expected return, between two bounds that are equal where it is known exactly."""

    lower: float
    upper: float


class _Walks(NamedTuple):
    """Walks of the same length: visited cells ``(n, words)``, last cell and value so far."""

    visited: npt.NDArray[np.uint64]
    cells: npt.NDArray[np.int64]
    values: FloatArray

    def take(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "_Walks":
        return _Walks(self.visited[which], self.cells[which], self.values[which])


def known_goal_values(size: int, max_steps: int) -> FloatArray:
    """Returns what best play gets that knows the goal, but not the cells it will be put on.

    Args:
        size: Cells on a side, outer walls included; odd, from 5 on.
        max_steps: The time limit.

    Returns:
        Of shape ``(max_steps + 1, F, F)``: by steps left, goal and the agent's cell.
    """
    neighbours = make_layout(size).neighbours
    cells = np.arange(len(neighbours))
    values = np.zeros((max_steps + 1, len(cells), len(cells)))
    reached = np.where(neighbours >= 0, neighbours, cells[:, None])
    paid = np.where(neighbours >= 0, 0.0, WALL_REWARD)
    for left in range(1, max_steps + 1):
        later = values[left - 1]
        found = GOAL_REWARD + later.mean(axis=1, keepdims=True)
        moves = [
            np.where(reached[:, move] == cells[:, None], found, later[:, reached[:, move]])
            + paid[:, move]
            for move in range(reached.shape[1])
        ]
        values[left] = np.max(moves, axis=0)
    return values


class _Search:
    """The search for the best walk through one maze."""

    def __init__(self, size: int, max_steps: int, knows_place: bool) -> None:
        self.layout: Layout = make_layout(size)
        self.max_steps = max_steps
        count = len(self.layout.cells)
        if knows_place:
            returning = known_goal_values(size, max_steps).mean(axis=2)
        else:
            returning = lost_values(size, max_steps)
        # By cell and step: what it is worth, over all, that the goal is found there then.
        after = GOAL_REWARD + returning[::-1]
        after[0] = 0.0  # the first cell does not pay at the start
        self.worth: FloatArray = after.T / count
        self.colours = self.layout.cells.sum(axis=1) % 2
        horizon = min(max_steps, 2 * count)
        steps = np.arange(1, max_steps + 1)
        falls = (self.worth[:, 1] - self.worth[:, horizon]) / max(1, horizon - 1)
        self.falls: FloatArray = np.maximum(falls, 0.0)
        self.heights: FloatArray = (self.worth[:, 1:] + self.falls[:, None] * steps).max(axis=1)
        self.words = -(-count // _WORD)
        self.bits = np.zeros((count, self.words), np.uint64)
        for cell in range(count):
            self.bits[cell, cell // _WORD] = np.uint64(1) << np.uint64(cell % _WORD)

    def begin(self) -> _Walks:
        """The walk of no step. It has visited nothing: its cell does not pay before a move."""
        start = np.array([self.layout.start])
        return _Walks(np.zeros((1, self.words), np.uint64), start, np.zeros(1))

    def extend(self, walks: _Walks, step: int) -> _Walks:
        """All walks of one step more, and of those with the same future only the best."""
        parts = []
        for move in range(self.layout.neighbours.shape[1]):
            reached = self.layout.neighbours[walks.cells, move]
            free = reached >= 0
            cells, visited = reached[free].astype(np.int64), walks.visited[free]
            bits = self.bits[cells]
            new = ~(visited & bits).any(axis=1)
            values = walks.values[free] + np.where(new, self.worth[cells, step], 0.0)
            parts.append(_Walks(visited | bits, cells, values))
        visited, cells, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.lexsort((-values, *visited.T, cells))
        walks = _Walks(visited, cells, values).take(order)
        same = (walks.visited[1:] == walks.visited[:-1]).all(axis=1)
        same &= walks.cells[1:] == walks.cells[:-1]
        return walks.take(np.concatenate(([True], ~same)))

    def bound(self, walks: _Walks, step: int) -> FloatArray:
        """What walks of `step` steps can be worth in the end, at most."""
        bounds = walks.values.copy()
        same_colour = self.colours[walks.cells][:, None] == np.arange(2)
        slots = step + np.where(same_colour, 2, 1)
        for cell in np.argsort(-self.falls, kind="stable"):  # the steepest first is best
            colour = self.colours[cell]
            missing = ~(walks.visited & self.bits[cell]).any(axis=1)
            worth = self.heights[cell] - self.falls[cell] * slots[:, colour]
            bounds += np.where(missing & (slots[:, colour] <= self.max_steps), worth, 0.0)
            slots[:, colour] += 2 * missing
        return bounds

    def run(self, lowest: float, most: int, beam: bool) -> Value:
        """Goes through the walks that could be worth more than `lowest`.

        Args:
            lowest: What some walk is worth.
            most: How many walks are held at a time.
            beam: What happens if there are more: the rest is forgotten, or the search ends with a
                bound.
        """
        walks, best = self.begin(), lowest
        for step in range(1, self.max_steps + 1):
            walks = self.extend(walks, step)
            best = max(best, float(walks.values.max()))
            bounds = self.bound(walks, step)
            hopeful = bounds > best * (1 + 1e-12)  # more than rounding above it
            walks, bounds = walks.take(hopeful), bounds[hopeful]
            if not len(bounds):
                break
            if len(bounds) > most:
                if not beam:
                    return Value(best, float(bounds.max()))
                walks = walks.take(np.argpartition(-bounds, most)[:most])
        return Value(best, best)


def search_value(
    size: int,
    max_steps: int = 250,
    beam: int = 2000,
    most_walks: int = 1_000_000,
    knows_place: bool = False,
) -> Value:
    """Returns the expected return of the best play that has to find the goal first.

    Args:
        size: Cells on a side, outer walls included; odd, from 5 on.
        max_steps: The time limit.
        beam: How many walks a first, incomplete search holds, which finds a good one.
        most_walks: How many walks the complete search may hold. If it needed more, the bounds that
            it has by then are returned.
        knows_place: Whether the player is told where it is put, instead of seeing the walls around
            it alone.

    Raises:
        TypeError, ValueError: If an argument is of another type or out of its range.
    """
    check_integer("max_steps", max_steps, 1)
    check_integer("beam", beam, 1)
    check_integer("most_walks", most_walks, 1)
    check_flag("knows_place", knows_place)
    search = _Search(size, max_steps, knows_place)
    lowest = search.run(0.0, beam, beam=True).lower
    return search.run(lowest, most_walks, beam=False)
