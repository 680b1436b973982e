"""Small environments for the tests of `agents`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from agents.environments.vec_env import GymnasiumVecEnv

Array = npt.NDArray[Any]


class RandomEnv(gym.Env[Any, Any]):
    """Observations, masks and rewards at random; ends with probability `end`, or is cut off.

    The reward is the same for every action, so that trajectories depend on the seed alone.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        end: float = 0.15,
        max_steps: int = 9,
    ) -> None:
        self.observation_space = observation_space
        self.action_space = action_space
        self.end = end
        self.max_steps = max_steps
        self.actions: list[Any] = []

    def _observe(self) -> Any:
        return self.observation_space.sample()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.steps = 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.actions.append(action)
        self.steps += 1
        reward = float(self.np_random.normal())
        terminated = bool(self.np_random.random() < self.end)
        truncated = self.steps >= self.max_steps
        return self._observe(), reward, terminated, truncated, {"success": terminated}


class MaskedEnv(RandomEnv):
    """The same, with random action masks; fails if an action disobeys."""

    def _observe(self) -> Any:
        space = self.action_space
        assert isinstance(space, spaces.Discrete | spaces.MultiDiscrete)
        parts = []
        for n in np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec):
            allowed = self.np_random.random(n) < 0.5
            allowed[self.np_random.integers(n)] = True
            parts.append(allowed)
        self._parts = parts
        return super()._observe()

    def action_masks(self) -> npt.NDArray[np.bool_]:
        return np.concatenate(self._parts)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        for allowed, choice in zip(self._parts, np.ravel(action), strict=True):
            assert allowed[choice], f"choice {choice} is masked: {allowed}"
        return super().step(action)


class RecallVectorEnv(VectorEnv[Array, Array, Array]):
    """A bit is shown at the first of `length` steps; it is to be told at the last.

    Native and dense: resets in the same step, with one array per info key. Observations: 0 and 1
    the bit, 2 wait, 3 tell. Reward 1 for the right answer, else 0: without memory 0.5 on average.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
    render_mode = None

    def __init__(self, num_envs: int, length: int = 8) -> None:
        self.num_envs = num_envs
        self.length = length
        self.single_observation_space = spaces.Discrete(4)
        self.single_action_space = spaces.Discrete(2)
        self.observation_space = spaces.MultiDiscrete([4] * num_envs)
        self.action_space = spaces.MultiDiscrete([2] * num_envs)

    def _start(self) -> None:
        self.time = 0
        self.bits = self.np_random.integers(2, size=self.num_envs)

    def _observe(self) -> Array:
        if self.time == 0:
            return self.bits.copy()
        return np.full(self.num_envs, 3 if self.time == self.length - 1 else 2)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)  # type: ignore[arg-type]  # a list is for the scalar environments
        self._start()
        return self._observe(), {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        last = self.time == self.length - 1
        right = actions == self.bits
        done = np.full(self.num_envs, last)
        infos: dict[str, Any] = {}
        self.time += 1
        if last:
            infos["final_obs"] = np.full(self.num_envs, 2)
            infos["_final_obs"] = done
            infos["final_info"] = {"success": right, "_success": done}
            infos["_final_info"] = done
            self._start()
        rewards = np.where(done, right, False).astype(np.float64)
        return self._observe(), rewards, done, np.zeros(self.num_envs, np.bool_), infos


def sync(make: Callable[[], gym.Env[Any, Any]], n_envs: int) -> GymnasiumVecEnv:
    """Scalar environments behind the adapter."""
    return GymnasiumVecEnv(SyncVectorEnv([make] * n_envs, autoreset_mode=AutoresetMode.SAME_STEP))
