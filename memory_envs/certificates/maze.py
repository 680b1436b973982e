"""Certificates of the maze.

Its observations hold the time, the last move and the last reward, so that even a policy that sees
the present one alone has a clock. No bound from above is known but what the best policy with memory
gets (`memory_envs.oracles.maze_search`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from memory_envs.certificates.certificate import Certificate
from memory_envs.certificates.interval import Interval, exact, up_to
from memory_envs.certificates.search import Templates, found_value
from memory_envs.core.rules import IntArray
from memory_envs.maze.optimum import GOAL_REWARD, WALL_REWARD
from memory_envs.maze.rules import MazeRules
from memory_envs.oracles.maze_search import search_value

_VIEW = 9  # cells in sight
_MOST_WALKS = 300_000


def certify_maze(env_id: str, rules: MazeRules, ks: Sequence[int]) -> Certificate:
    """Returns the certificate of a maze; see `memory_envs.certificates.certify`."""
    found = search_value(rules.size, rules.max_steps, most_walks=_MOST_WALKS)
    best = exact(found.upper)
    if found.lower < found.upper:
        best = Interval(found.lower, found.upper, "found", "proven")
    width = rules.max_steps * (GOAL_REWARD - WALL_REWARD)
    lower = found_value(rules, _templates(rules), width, np.random.default_rng(0))
    memoryless = up_to(best, lower, "sampled")
    every = dict.fromkeys(ks, memoryless)
    return Certificate(env_id, "maze", best, memoryless, every, every, "by search")


def _templates(rules: MazeRules) -> Templates:
    """Returns policies that see the walls, the last move, and whether it ended at one."""
    powers = 2.0 ** np.arange(_VIEW)
    views = np.unique(rules.layout.views @ powers)
    moves = len(rules.action_values[0])

    def kinds(observations: Any) -> IntArray:
        view = np.searchsorted(views, observations[:, :_VIEW] @ powers)
        last = observations[:, _VIEW + 2 :]
        move = np.where(last.any(axis=1), last.argmax(axis=1), 0) if last.shape[1] else 0
        bumped = observations[:, _VIEW + 1] < 0
        return np.asarray((view * moves + move) * 2 + bumped, np.int64)

    def actions(observations: Any, numbers: IntArray) -> IntArray:
        return numbers[:, None]

    return Templates(kinds, len(views) * moves * 2, actions, moves)
