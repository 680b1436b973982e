"""The rules of the invisible-goal maze (Munkhdalai et al. 2019, section 4.3), over B rows.

The maze is the same in every episode: outer walls, a pillar wherever row and column are even, the
centre free. The agent starts in the centre. The goal is drawn once per episode from all free cells
and is never seen.

A step. The agent moves to the next cell, or stays and gets -0.1 if that is a wall. Then, if it is
on the goal, it gets +10 and is put on a free cell drawn uniformly. The test comes after every move,
one into a wall included: an agent that was put on the goal itself is paid once it has stepped off
and back, or at once, 10 - 0.1, if it can bump into a wall there. (So does the published code of
Miconi et al. 2018, whose maze this is.) The previous action, which is shown by default, the paper
does not list.

End. Truncated after `max_steps` steps; nothing terminates an episode.

Success. At least half of what optimal play gets in this very episode, and the goal at least once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from numba import njit

from memory_envs.arguments import check_flag, check_integer
from memory_envs.core.rng import draw
from memory_envs.core.rules import (
    RESULT_FIELDS,
    ROW_FIELDS,
    Array,
    BoolArray,
    Indices,
    IntArray,
    KernelCall,
    Outcome,
)
from memory_envs.core.state import require, require_ranges
from memory_envs.maze.layout import MOVES, make_layout
from memory_envs.maze.optimum import GOAL_REWARD, WALL_REWARD, best_plan
from memory_envs.view import NOTHING, Maze, View

SUCCESS_SHARE = 0.5  # of what optimal play gets
# Sums of rewards are rounded. Exactly, they and a half of the optimum differ by multiples of 0.05.
_SLACK = 0.01
_SMALLEST_SIZE, _LARGEST_SIZE = 5, 255
_VIEW = 9  # cells in sight, the agent's own in the middle

ROW = np.dtype(
    [
        *ROW_FIELDS,
        ("cell", "i4"),  # the agent's, by its number in the layout
        ("goal", "i4"),  # the goal's, likewise
        ("goals", "i4"),  # how often the goal was reached in this episode
        ("last_move", "i4"),  # 1 + the previous action; 0 at the start
        ("last_reward", "f8"),
        ("earned", "f8"),  # the rewards of this episode so far
        ("optimum", "f8"),  # what optimal play gets in this episode
    ],
    align=True,
)

RESULT = np.dtype(
    [
        *RESULT_FIELDS,
        ("success", "?"),  # enough of the optimum was earned
        ("goals", "i4"),
        ("complexity", "i4"),  # the maze's size
    ],
    align=True,
)


class MazeState(NamedTuple):
    """The full state of B rows."""

    rows: npt.NDArray[np.void]


@njit(cache=True)
def _show_row(row, i, size, max_steps, views, observations, results):  # type: ignore[no-untyped-def]
    observation = observations[i]
    observation[:_VIEW] = views[row.cell]
    observation[_VIEW] = row.steps / max_steps
    observation[_VIEW + 1] = row.last_reward
    observation[_VIEW + 2 :] = 0.0
    if row.last_move > 0 and observation.size > _VIEW + 2:
        observation[_VIEW + 1 + row.last_move] = 1.0
    result = results[i]
    result.success = (row.goals > 0) & (row.earned >= SUCCESS_SHARE * row.optimum - _SLACK)
    result.goals, result.complexity = row.goals, size


@njit(cache=True)
def _begin_row(row, size, start, max_steps, cells, neighbours):  # type: ignore[no-untyped-def]
    row.cell = start
    row.goal = draw(row, len(cells))
    row.goals, row.last_move, row.last_reward, row.earned = 0, 0, 0.0, 0.0
    row.steps, row.running = 0, True
    row.optimum, _ = best_plan(row, max_steps, cells, neighbours, size // 2)


@njit(cache=True)
def _step_row(row, move, max_steps, neighbours, result):  # type: ignore[no-untyped-def]
    reward = 0.0
    cell = neighbours[row.cell, move]
    if cell >= 0:
        row.cell = cell
    else:
        reward += WALL_REWARD
    if row.cell == row.goal:
        reward += GOAL_REWARD
        row.goals += 1
        row.cell = draw(row, neighbours.shape[0])
    row.last_move, row.last_reward = move + 1, reward
    row.earned += reward
    row.steps += 1
    row.running = row.steps < max_steps
    result.reward, result.terminated, result.truncated = reward, False, not row.running


@njit(cache=True)
def _advance(  # type: ignore[no-untyped-def]
    rows, size, start, max_steps, cells, neighbours, views, actions, indices, observations, results
):
    for i in indices:
        row = rows[i]
        if row.running:
            _step_row(row, actions[i, 0], max_steps, neighbours, results[i])
        else:
            _begin_row(row, size, start, max_steps, cells, neighbours)
        _show_row(row, i, size, max_steps, views, observations, results)


@njit(cache=True)
def _observe(rows, size, max_steps, views, indices, observations, results):  # type: ignore[no-untyped-def]
    for i in indices:
        _show_row(rows[i], i, size, max_steps, views, observations, results)


class MazeRules:
    """The rules of one maze; see `Rules` for the methods.

    Args:
        size: Number of cells on a side, outer walls included; odd, from 5 to 255.
        max_steps: The time limit.
        observe_previous_action: Whether the previous action is part of the observation.

    Raises:
        TypeError, ValueError: Naming the argument, its value and what is allowed.
    """

    action_space: spaces.Discrete
    observation_space: spaces.Box
    result_dtype = RESULT
    action_names: tuple[str, ...]
    action_values: tuple[tuple[str, ...], ...]

    def __init__(self, size: int, max_steps: int, observe_previous_action: bool) -> None:
        self.size = check_integer("size", size, _SMALLEST_SIZE, _LARGEST_SIZE)
        if self.size % 2 == 0:
            allowed = f"odd integers from {_SMALLEST_SIZE} to {_LARGEST_SIZE}"
            raise ValueError(f"size is {size}; allowed: {allowed}")
        self.max_steps = check_integer("max_steps", max_steps, 1, 2**30)
        check_flag("observe_previous_action", observe_previous_action)
        self.layout = make_layout(self.size)
        self.action_names = ("move",)
        self.action_values = (MOVES,)
        self.action_space = spaces.Discrete(len(MOVES))
        low = np.zeros(_VIEW + 2 + (len(MOVES) if observe_previous_action else 0), np.float32)
        high = np.ones_like(low)
        low[_VIEW + 1], high[_VIEW + 1] = WALL_REWARD, GOAL_REWARD
        self.observation_space = spaces.Box(low, high, dtype=np.float32)

    def new_state(self, num_rows: int) -> MazeState:
        return MazeState(np.zeros(num_rows, ROW))

    def advance(
        self, state: MazeState, actions: IntArray, indices: Indices, outcome: Outcome
    ) -> KernelCall:
        layout = self.layout
        maze = (
            self.size,
            layout.start,
            self.max_steps,
            layout.cells,
            layout.neighbours,
            layout.views,
        )
        return KernelCall(_advance, (state.rows, *maze, actions, indices, *outcome))

    def observe(self, state: MazeState, indices: Indices, outcome: Outcome) -> KernelCall:
        maze = (self.size, self.max_steps, self.layout.views)
        return KernelCall(_observe, (state.rows, *maze, indices, *outcome))

    def target(self, state: MazeState) -> Array | None:
        return None

    def info(self, results: Sequence[Any], target: Array | None) -> dict[str, Any]:
        _, _, _, success, goals, complexity = results
        return {"success": success, "goals": goals, "complexity": complexity}

    def action_masks(self, state: MazeState) -> BoolArray:
        return np.ones((len(state.rows), len(MOVES)), np.bool_)

    def check_state(self, state: MazeState) -> None:
        rows = state.rows
        started = rows["rng_key"] != 0
        last_cell = len(self.layout.cells) - 1
        most = self.max_steps + 1  # one step more than there is: sums of rewards are rounded
        ranges = (
            ("cell", 0, last_cell),
            ("goal", 0, last_cell),
            ("goals", 0, rows["steps"]),
            ("last_move", 0, len(MOVES)),
            ("last_reward", WALL_REWARD, GOAL_REWARD),
            ("steps", 0, self.max_steps),
            ("earned", WALL_REWARD * most, GOAL_REWARD * most),
            ("optimum", 0, self.max_steps * GOAL_REWARD),
        )
        require_ranges(rows, started, ranges)
        stopped, running = ~rows["running"], rows["running"]
        may_run = (rows["steps"] < self.max_steps) & started
        require(may_run | stopped, "rows.running", running, "False before and after an episode")

    def view(self, state: MazeState, actions: IntArray) -> View:
        rows = state.rows
        moves = actions[:, 0]
        maze = Maze(
            walls=self.layout.walls,
            agents=self.layout.cells[rows["cell"]],
            headings=np.where(moves == NOTHING, 0, moves),
            goals=self.layout.cells[rows["goal"]],
            visits=rows["goals"],
            radius=1,
        )
        return View(
            task="InvisibleGoal",
            steps=rows["steps"],
            limits=np.full(len(rows), self.max_steps),
            statuses=np.where(rows["steps"] < self.max_steps, "running", "time limit"),
            action_names=self.action_names,
            action_values=self.action_values,
            actions=actions,
            facts=(("goals", rows["goals"]),),
            maze=maze,
        )
