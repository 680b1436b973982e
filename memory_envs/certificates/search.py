"""Finds good policies without memory, by policy gradients, and says what they get.

A policy is a table: for each kind of observation, the chances of some templates of actions, such as
"write what is under the head, and go right". Templates do not name symbols, so a table is small;
what it gets is a lower bound for all policies, of whatever kind. It climbs by REINFORCE (Williams
1992), with Adam, once for each of some discounts: where episodes are long, what comes late says
little of a step. The better table then plays fresh episodes: their mean, less a deviation, is the
bound.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.certificates.concentration import mean_from_below
from memory_envs.core.rng import seed_rows
from memory_envs.core.rules import IntArray, Rules, new_outcome

FloatArray = npt.NDArray[np.float64]
_ROUNDS, _EPISODES, _RATE = 400, 256, 0.1
_DISCOUNTS = (1.0, 0.9)
_MEAN_DECAY, _SQUARE_DECAY = 0.9, 0.99  # Adam's
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


def steps(
    rules: Rules[Any],
    act: Callable[[Any, IntArray], IntArray],
    rows: int,
    first_seed: int,
) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yields the rows that take a step, and their rewards, until each has had an episode.

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
    while running.size:
        actions[running] = act(outcome.observations[running], running)
        rules.advance(state, actions, running, outcome).run()
        yield running, outcome.results["reward"][running]
        running = running[state.rows["running"][running]]


def play(
    rules: Rules[Any],
    act: Callable[[Any, IntArray], IntArray],
    rows: int,
    first_seed: int,
) -> FloatArray:
    """Returns the returns of one episode a row; see `steps`."""
    returns = np.zeros(rows)
    for running, rewards in steps(rules, act, rows, first_seed):
        returns[running] += rewards
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

    def returns_of(table: FloatArray) -> FloatArray:
        return play(rules, _Player(templates, table, rng), _CHUNK, int(rng.integers(2**32)))

    tables = [_improve(rules, templates, discount, rng) for discount in _DISCOUNTS]
    best = max(tables, key=lambda table: returns_of(table).mean())
    returns = np.concatenate([returns_of(best) for _ in range(_FRESH // _CHUNK)])
    return mean_from_below(returns, width)


class _Player:
    """Draws templates from a table of chances, and remembers what it saw and took."""

    def __init__(self, templates: Templates, chances: FloatArray, rng: np.random.Generator) -> None:
        self._templates, self._rng = templates, rng
        self._limits = chances.cumsum(axis=1)
        self.taken: list[tuple[IntArray, IntArray]] = []

    def __call__(self, observations: Any, numbers: IntArray) -> IntArray:
        kinds = self._templates.kinds(observations)
        drawn = (self._rng.random((len(numbers), 1)) > self._limits[kinds]).sum(axis=1)
        chosen = np.minimum(drawn, self._templates.num_actions - 1)  # limits end near 1
        self.taken.append((kinds, chosen))
        return self._templates.actions(observations, chosen)


def _improve(
    rules: Rules[Any], templates: Templates, discount: float, rng: np.random.Generator
) -> FloatArray:
    """Returns a good table of chances, ``(kinds, templates)``."""
    scores = np.zeros((templates.num_kinds, templates.num_actions))
    mean, square = np.zeros_like(scores), np.zeros_like(scores)
    for number in range(_ROUNDS):
        gradient = _gradient(rules, templates, _chances(scores), discount, rng)
        mean = _MEAN_DECAY * mean + (1 - _MEAN_DECAY) * gradient
        square = _SQUARE_DECAY * square + (1 - _SQUARE_DECAY) * gradient**2
        mean_now = mean / (1 - _MEAN_DECAY ** (number + 1))
        square_now = square / (1 - _SQUARE_DECAY ** (number + 1))
        rate = _RATE * (1 - number / _ROUNDS)
        scores += rate * mean_now / (np.sqrt(square_now) + 1e-8)
    return _chances(scores)


def _gradient(
    rules: Rules[Any],
    templates: Templates,
    chances: FloatArray,
    discount: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Returns the gradient of the return by the scores, up to a factor, from fresh episodes.

    What a step leads to is set against the mean of all that are still playing then.
    """
    player = _Player(templates, chances, rng)
    played = list(steps(rules, player, _EPISODES, int(rng.integers(2**32))))
    returns, gradient, squares = np.zeros(_EPISODES), np.zeros_like(chances), 0.0
    for (kinds, chosen), (running, rewards) in zip(
        reversed(player.taken), reversed(played), strict=True
    ):
        returns[running] = rewards + discount * returns[running]
        above = returns[running] - returns[running].mean()
        np.add.at(gradient, (kinds, chosen), above)
        gradient -= np.bincount(kinds, above, len(chances))[:, None] * chances
        squares += float(above @ above)
    scaled: FloatArray = gradient / (np.sqrt(squares) + 1e-8)
    return scaled


def _chances(scores: FloatArray) -> FloatArray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return chances
