"""Finds good policies without memory, by the cross-entropy method, and says what they get.

A policy is a table: for each kind of observation, the chances of some templates of actions, such as
"write what is under the head, and go right". Templates do not name symbols, so a table is small;
what it gets is a lower bound for all policies, of whatever kind. The method draws tables around the
present one, plays them, and moves to the best of them. The last table then plays fresh episodes:
their mean, less a deviation, is the bound.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.certificates.concentration import mean_from_below
from memory_envs.core.rng import seed_rows
from memory_envs.core.rules import IntArray, Rules, new_outcome

FloatArray = npt.NDArray[np.float64]
_TABLES, _BEST, _EPISODES, _ROUNDS = 64, 8, 48, 40
_FRESH, _CHUNK = 50_000, 10_000


class Templates(NamedTuple):
    """What a family's policies are made of.

    Attributes:
        kinds: Function from observations ``(B, ...)`` to the number of their kind, ``(B,)``.
        num_kinds: Number of kinds.
        actions: Function from observations and numbers of templates, ``(B,)``, to actions
            ``(B, sub-actions)``.
        num_actions: Number of templates.
    """

    kinds: Callable[[Any], IntArray]
    num_kinds: int
    actions: Callable[[Any, IntArray], IntArray]
    num_actions: int


def play(
    rules: Rules[Any],
    act: Callable[[Any, IntArray], IntArray],
    rows: int,
    first_seed: int,
) -> FloatArray:
    """Returns the returns of one episode a row.

    Args:
        rules: Of the environment.
        act: Function from observations and the numbers of their rows to actions.
        rows: Number of episodes.
        first_seed: Row i has this seed plus i.
    """
    state, outcome = rules.new_state(rows), new_outcome(rules, rows)
    seed_rows(state.rows, range(rows), range(first_seed, first_seed + rows))
    actions = np.zeros((rows, len(rules.action_names)), np.int64)
    running = np.arange(rows)
    rules.advance(state, actions, running, outcome).run()  # which begins the episodes
    returns = np.zeros(rows)
    while running.size:
        actions[running] = act(outcome.observations[running], running)
        rules.advance(state, actions, running, outcome).run()
        returns[running] += outcome.results["reward"][running]
        running = running[state.rows["running"][running]]
    return returns


def found_value(
    rules: Rules[Any], templates: Templates, width: float, rng: np.random.Generator
) -> float:
    """Returns a lower bound of the best return without memory.

    Args:
        rules: Of the environment.
        templates: Of the policies to look among.
        width: Of the interval in which an episode's return lies.
        rng: Draws tables and actions.
    """
    table = _improve(rules, templates, rng)
    seed = int(rng.integers(2**32))
    returns = np.concatenate(
        [
            play(rules, _player(templates, table[None], rng, _CHUNK), _CHUNK, seed + start)
            for start in range(0, _FRESH, _CHUNK)
        ]
    )
    return mean_from_below(returns, width)


def _improve(rules: Rules[Any], templates: Templates, rng: np.random.Generator) -> FloatArray:
    """Returns a good table of chances, ``(kinds, templates)``."""
    means = np.zeros((templates.num_kinds, templates.num_actions))
    spreads = np.full_like(means, 3.0)
    rows = _TABLES * _EPISODES
    for _ in range(_ROUNDS):
        scores = means + spreads * rng.standard_normal((_TABLES, *means.shape))
        tables = _chances(scores)
        seed = int(rng.integers(2**32))
        returns = play(rules, _player(templates, tables, rng, rows), rows, seed)
        best = scores[np.argsort(returns.reshape(_TABLES, -1).mean(axis=1))[-_BEST:]]
        means = 0.5 * means + 0.5 * best.mean(axis=0)
        spreads = 0.5 * spreads + 0.5 * best.std(axis=0) + 0.05
    return _chances(means)


def _chances(scores: FloatArray) -> FloatArray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    chances: FloatArray = powers / powers.sum(axis=-1, keepdims=True)
    return chances


def _player(
    templates: Templates, tables: FloatArray, rng: np.random.Generator, rows: int
) -> Callable[[Any, IntArray], IntArray]:
    """Returns a player of many tables, each in as many rows, one after the other."""
    limits = tables.cumsum(axis=-1)
    each = rows // len(tables)

    def act(observations: Any, numbers: IntArray) -> IntArray:
        row_limits = limits[numbers // each, templates.kinds(observations)]
        drawn = (rng.random((len(numbers), 1)) > row_limits).sum(axis=1)
        return templates.actions(observations, np.minimum(drawn, templates.num_actions - 1))

    return act
