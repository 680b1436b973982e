"""The oracle of the maze family: it knows the goal and walks straight to it.

It also knows the cells that the agent will be put on, since they come from the row's generator,
and needs that for one decision only. An agent that was put on the goal itself can step off and back
(two steps) or, where the goal has a wall beside it, bump into that wall (one step, and 0.1 less). A
bump is worth its price only if the steps saved bring one goal more within the time limit.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit

from memory_envs.core.rng import draw
from memory_envs.maze.layout import make_layout
from memory_envs.maze.rules import GOAL_REWARD, WALL_REWARD, MazeRules, MazeState


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
    rows = state.rows[[row]]  # a copy, whose generator may be used up
    goal = int(rows["goal"][0])
    beside_wall = bool((rules.layout.neighbours[goal] < 0).any())
    steps = rules.max_steps - int(rows["steps"][0])
    value, bumps = _best_plan(rows, _distances(rules.size, goal), steps, beside_wall)
    return value, bumps > 0


@njit(cache=True)
def _best_plan(rows, distances, steps, beside_wall):  # type: ignore[no-untyped-def]
    """Returns what the best number of goals is worth, and how many bumps it takes.

    `fewest` counts the steps to so many goals with a bump wherever one is possible; the steps that
    are then left over pay for stepping off and back instead.
    """
    row = rows[0]
    cell, goals, fewest, chances = row.cell, 0, 0, 0
    best, best_bumps = 0.0, 0
    while True:
        if cell != row.goal:
            fewest += distances[cell]
        elif beside_wall:
            fewest += 1
            chances += 1
        else:
            fewest += 2
        if fewest > steps:
            return best, best_bumps
        goals += 1
        bumps = max(0, chances - (steps - fewest))
        value = GOAL_REWARD * goals + WALL_REWARD * bumps
        if value > best:
            best, best_bumps = value, bumps
        cell = draw(row, distances.size)


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
