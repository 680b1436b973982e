"""The oracle of the maze family: it knows the goal and walks straight to it.

`memory_envs.maze.optimum` says what else it knows and needs.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from memory_envs.maze.layout import make_layout
from memory_envs.maze.optimum import best_plan
from memory_envs.maze.rules import MazeRules, MazeState


def best_action(rules: MazeRules, state: MazeState, row: int) -> int:
    """Returns the move of optimal play in one row, whose episode is under way."""
    record = state.rows[row]
    goal, cell = int(record["goal"]), int(record["cell"])
    if cell == goal and _plan(rules, state, row)[1]:
        return int(np.argmin(rules.layout.neighbours[cell]))
    return int(_moves(rules.size, goal)[cell])


def optimal_return(rules: MazeRules, state: MazeState, row: int) -> float:
    """Returns what optimal play still gets in one row, whose episode is under way."""
    return _plan(rules, state, row)[0]


def _plan(rules: MazeRules, state: MazeState, row: int) -> tuple[float, bool]:
    """Returns what optimal play still gets, and whether it has to bump if it is on the goal now."""
    layout = rules.layout
    steps = rules.max_steps - int(state.rows["steps"][row])
    value, bumps = best_plan(
        state.rows[row], steps, layout.cells, layout.neighbours, rules.size // 2
    )
    return value, bumps > 0


@lru_cache(maxsize=4096)
def _distances(size: int, goal: int) -> npt.NDArray[np.int32]:
    """Returns the steps from each free cell to `goal`, by breadth-first search."""
    neighbours = make_layout(size).neighbours
    distances = np.full(len(neighbours), -1, np.int32)
    distances[goal] = 0
    frontier, distance = np.array([goal]), 0
    while frontier.size:
        distance += 1
        reached = neighbours[frontier]
        frontier = np.unique(reached[(reached >= 0) & (distances[reached] < 0)])
        distances[frontier] = distance
    return distances


@lru_cache(maxsize=4096)
def _moves(size: int, goal: int) -> npt.NDArray[np.int64]:
    """Returns each free cell's first move on a shortest path to `goal`; on it, a way off it."""
    neighbours = make_layout(size).neighbours
    reached = _distances(size, goal)[neighbours]
    moves: npt.NDArray[np.int64] = np.where(neighbours < 0, len(neighbours), reached).argmin(axis=1)
    return moves
