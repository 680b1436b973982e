"""Random play is uniform over what is allowed, in every action space."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from memory_envs import evaluate
from memory_envs.scoring.play import turn_seeds
from memory_envs.scoring.policy import BoolArray, Turn
from memory_envs.scoring.random_play import random_policy
from tests.memory_envs.agents_of_strangers import CoinEnv

ROWS = 3000


def drawn(space: spaces.Space[Any], masks: BoolArray | None = None, rows: int = ROWS) -> Any:
    turn = Turn(None, np.ones(rows, np.bool_), masks, turn_seeds(range(rows), 2))
    return random_policy(space)(turn, None)[0]


def test_every_value_is_as_likely() -> None:
    space = spaces.MultiDiscrete([3, 2, 7], start=[1, 0, -2])
    actions = drawn(space)
    assert batch_space(space, ROWS).contains(actions)
    for column, size, start in zip(actions.T, space.nvec, space.start, strict=True):
        counts = np.bincount(column - start, minlength=size)
        # Five standard deviations of a binomial count.
        assert abs(counts - ROWS / size).max() < 5 * np.sqrt(ROWS / size)
    pairs = np.bincount(actions[:, 0] * 2 + actions[:, 1], minlength=8)[2:]
    assert abs(pairs - ROWS / 6).max() < 5 * np.sqrt(ROWS / 6)


def test_it_keeps_to_the_masks_and_is_uniform_within() -> None:
    space = spaces.MultiDiscrete([3, 4])
    masks = np.tile([True, False, True, False, True, True, True], (ROWS, 1))
    masks[: ROWS // 2, 0] = False
    actions = drawn(space, masks)
    assert set(actions[: ROWS // 2, 0].tolist()) == {2}
    assert set(actions[ROWS // 2 :, 0].tolist()) == {0, 2}
    counts = np.bincount(actions[:, 1], minlength=4)
    assert counts[0] == 0
    assert abs(counts[1:] - ROWS / 3).max() < 5 * np.sqrt(ROWS / 3)


def test_an_action_depends_on_its_own_row_alone() -> None:
    space = spaces.Discrete(100)
    assert drawn(space, rows=50).tolist() == drawn(space)[:50].tolist()
    every = np.ones((50, 100), np.bool_)
    assert drawn(space, every, rows=50).tolist() == drawn(space, rows=50).tolist()


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1.0, 2.0, (2, 3)),
        spaces.MultiBinary(4),
        spaces.Discrete(3, start=5),
        spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Box(0.0, 1.0, (2,))}),
        spaces.Tuple((spaces.Discrete(3), spaces.MultiDiscrete([2, 2]))),
    ],
)
def test_it_plays_in_every_action_space(space: spaces.Space[Any]) -> None:
    """`CoinEnv` checks the actions."""
    space.seed(3)
    expected = space.sample()
    space.seed(3)
    found = evaluate("random", lambda: CoinEnv(space), episodes=4)
    assert found == evaluate("random", CoinEnv(space), episodes=4)
    assert repr(space.sample()) == repr(expected), "the environment's own generator is left alone"
    assert gym.vector.utils.batch_space(space, 4).contains(drawn(space, rows=4))
