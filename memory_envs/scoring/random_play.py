"""Uniformly random play, the zero of every score.

Each action is a function of the turn's seeds, so that an episode goes the same way whichever other
rows are played beside it.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector.utils import concatenate, create_empty_array

from memory_envs.core.rng import words_at
from memory_envs.scoring.policy import BoolArray, MadePolicy, Policy, Turn, Words

_WORD = 2.0**-53


def random_policy(space: spaces.Space[Any]) -> MadePolicy:
    """Returns a policy that draws uniformly from the allowed values of every sub-action.

    Args:
        space: The actions of one row. Of others than `Discrete` and `MultiDiscrete` samples are
            drawn, whatever the masks say.
    """
    discrete = isinstance(space, spaces.Discrete | spaces.MultiDiscrete)
    act = _choosing(space) if discrete else _sampling(deepcopy(space))
    return MadePolicy(act, "random", deterministic=False)


def _choosing(space: Any) -> Policy:
    shape: tuple[int, ...] = space.shape
    sizes = np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec)
    splits = np.cumsum(sizes)[:-1]

    def act(turn: Turn, state: Any) -> tuple[Any, Any]:
        draws = _uniform(turn.seeds, len(sizes))
        if turn.masks is None:
            chosen = (draws * sizes).astype(np.int64)
        else:
            parts = np.split(turn.masks, splits, axis=1)
            chosen = np.stack([_one_of(part, draws[:, i]) for i, part in enumerate(parts)], axis=1)
        return chosen.reshape(len(draws), *shape) + space.start, state

    return act


def _uniform(seeds: Words, draws: int) -> npt.NDArray[np.float64]:
    """Returns numbers in [0, 1) of shape ``(B, draws)``."""
    words = words_at(seeds[:, None], np.arange(1, draws + 1))
    return np.asarray((words >> np.uint64(11)) * _WORD, np.float64)


def _one_of(allowed: BoolArray, draws: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Returns for each row an index where ``allowed``, ``(B, n)``, is true."""
    counts = allowed.cumsum(axis=1)
    before = (draws * counts[:, -1]).astype(np.int64)
    return np.asarray(np.argmax(counts > before[:, None], axis=1))


def _sampling(space: spaces.Space[Any]) -> Policy:
    def act(turn: Turn, state: Any) -> tuple[Any, Any]:
        samples = []
        for seed in turn.seeds.tolist():
            space.seed(seed >> 1)
            samples.append(space.sample())
        return _batched(space, samples), state

    return act


def _batched(space: spaces.Space[Any], samples: list[Any]) -> Any:
    if isinstance(space, spaces.Tuple | spaces.Dict):
        empty: Any = create_empty_array(space, len(samples))
        return concatenate(space, samples, empty)
    return np.stack(samples)
