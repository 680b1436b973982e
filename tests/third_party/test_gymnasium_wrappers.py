"""Gymnasium's wrappers see the same episodes on the native vector environment as on the scalar."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import FlattenObservation
from gymnasium.wrappers import vector as vector_wrappers

import memory_envs  # noqa: F401  # registers the environments

ROWS, STEPS, SEED = 5, 120, 3
# Random play gets some symbols right, and some episodes end at the time limit.
KWARGS: dict[str, Any] = {"on_error": "continue", "max_steps": 12}
Episode = tuple[float, int]


def scalar_episodes(row: int) -> list[Episode]:
    """Returns and lengths of the episodes of one row, counted by hand."""
    env = gym.make("Tape-Copy-Easy-v0", **KWARGS)
    nvec = env.get_wrapper_attr("action_space").nvec
    rng = np.random.default_rng(row)
    env.reset(seed=SEED + row)
    episodes, total, length = [], 0.0, 0
    for _ in range(STEPS):
        _, reward, terminated, truncated, _ = env.step(rng.integers(nvec))
        total, length = total + float(reward), length + 1
        if terminated or truncated:
            episodes.append((total, length))
            total, length = 0.0, 0
            env.reset()
    return episodes


@pytest.mark.parametrize("mode", AutoresetMode)
def test_episode_statistics_are_those_of_the_scalar_environment(mode: AutoresetMode) -> None:
    native = gym.make_vec("Tape-Copy-Easy-v0", num_envs=ROWS, autoreset_mode=mode, **KWARGS)
    nvec = native.single_action_space.nvec  # type: ignore[attr-defined]  # a MultiDiscrete
    env = vector_wrappers.RecordEpisodeStatistics(native)
    env.reset(seed=SEED)
    rngs = [np.random.default_rng(row) for row in range(ROWS)]
    resetting = np.zeros(ROWS, np.bool_)
    episodes: list[list[Episode]] = [[] for _ in range(ROWS)]
    for _ in range(STEPS):
        actions = np.zeros((ROWS, len(nvec)), np.int64)
        for row in np.flatnonzero(~resetting).tolist():
            actions[row] = rngs[row].integers(nvec)
        _, _, terminated, truncated, infos = env.step(actions)
        ended = terminated | truncated
        for row in np.flatnonzero(infos.get("_episode", np.zeros(ROWS))).tolist():
            statistics = infos["episode"]
            episodes[row].append((float(statistics["r"][row]), int(statistics["l"][row])))
        if mode is AutoresetMode.NEXT_STEP:
            resetting = ended
        elif mode is AutoresetMode.DISABLED and ended.any():
            env.reset(options={"reset_mask": ended})
    for row, found in enumerate(episodes):
        expected = scalar_episodes(row)
        assert len(found) >= 5
        assert found == expected[: len(found)]
        assert mode is AutoresetMode.NEXT_STEP or len(found) == len(expected)
    assert len({episode for found in episodes for episode in found}) > 5


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_flattened_observations_are_those_of_the_scalar_environment(mode: AutoresetMode) -> None:
    native = gym.make_vec("Tape-Reverse-v0", num_envs=ROWS, autoreset_mode=mode, input_radius=1)
    env = vector_wrappers.FlattenObservation(native)
    rows = [FlattenObservation(gym.make("Tape-Reverse-v0", input_radius=1)) for _ in range(ROWS)]
    seen, _ = env.reset(seed=SEED)
    shown = [row.reset(seed=SEED + index)[0] for index, row in enumerate(rows)]
    assert env.single_observation_space == rows[0].observation_space
    for move in (2, 2, 1, 0, 2, 0, 0):
        np.testing.assert_array_equal(seen, shown)
        action = np.array([move, 0, 0])
        seen = env.step(np.tile(action, (ROWS, 1)))[0]
        shown = [row.step(action)[0] for row in rows]
    assert len(np.unique(shown, axis=0)) > 1


def test_rewards_are_transformed() -> None:
    env = gym.make_vec("Tape-Copy-Easy-v0", num_envs=ROWS, **KWARGS)
    halved = vector_wrappers.TransformReward(
        gym.make_vec("Tape-Copy-Easy-v0", num_envs=ROWS, **KWARGS), lambda rewards: rewards / 2
    )
    for one in (env, halved):
        one.reset(seed=SEED)
    env.action_space.seed(0)
    total = 0.0
    for _ in range(30):
        actions = env.action_space.sample()
        rewards = env.step(actions)[1]
        np.testing.assert_array_equal(halved.step(actions)[1], rewards / 2)
        total += float(rewards.sum())
    assert total > 0.0
