"""Environments and policies that the tests of scores play."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from memory_envs.core.rng import words_at
from memory_envs.scoring.policy import Turn

COPY = "Tape-Copy-Easy-v0"
SYMBOLS, END = 5, 5


def copier(turn: Turn, state: Any) -> tuple[Any, Any]:
    """Plays Copy without a mistake, but for the symbol 3, which it takes for 0."""
    symbols = np.asarray(turn.observations)[:, 0]
    written = np.where(symbols == 3, 0, symbols)
    return np.stack([np.full_like(symbols, 2), np.ones_like(symbols), written], axis=1), state


def flat_copier(turn: Turn, state: Any) -> tuple[Any, Any]:
    """The same behind `OneHotObservations` and `FlatActions`."""
    symbols = np.asarray(turn.observations).argmax(axis=1)
    actions, state = copier(turn._replace(observations=symbols[:, None]), state)
    return np.ravel_multi_index(tuple(np.minimum(actions, [2, 1, 5]).T), (3, 2, 6)), state


def wanderer(turn: Turn, state: Any) -> tuple[Any, Any]:
    """Draws from the seeds of the turn, and remembers for how long it has played."""
    steps = np.zeros(len(turn.starts), np.int64) if state is None else state + 1
    assert turn.starts.all() or state is not None
    steps[turn.starts] = 0
    draws = words_at(turn.seeds, 1) % np.uint64(36)
    actions = np.stack(np.unravel_index(draws.astype(np.int64) + steps % 2, (3, 2, 7)), axis=1)
    return np.minimum(actions, [2, 1, 5]), steps


class CoinEnv(gym.Env[Any, Any]):
    """The seed decides: 20 steps that pay 1 in all, or a single one that pays nothing."""

    observation_space = spaces.Discrete(2)
    action_space: spaces.Space[Any] = spaces.Discrete(2)

    def __init__(self, action_space: spaces.Space[Any] | None = None) -> None:
        self.action_space = action_space or self.action_space
        self.resets: list[int | None] = []
        self.closed = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.resets.append(seed)
        self.length = 20 if self.np_random.random() < 0.5 else 1
        self.steps = 0
        return 0, {}

    def close(self) -> None:
        self.closed = True

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.steps += 1
        ended = self.steps == self.length
        return 0, float(ended and self.length > 1), ended, False, {}
