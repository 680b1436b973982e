"""Counts what unwrapped environments pay, beneath their wrappers.

A counter is put between an environment and its innermost wrapper, for as long as it is played.
"""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from memory_envs.vectorised import AnyVectorWrapper

Floats = npt.NDArray[np.float64]
_HARMLESS = (OrderEnforcing, PassiveEnvChecker, TimeLimit)
Counted = tuple[Floats, Floats]


class Counter(Protocol):
    """Counts rewards and steps of one row, or of all."""

    def take(self) -> Counted:
        """Returns rewards and steps since the last time, ``(rows,)`` each."""
        ...


class _RowCounter(gym.Wrapper[Any, Any, Any, Any]):
    """Counts what one environment pays."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self._taken = np.zeros((2, 1))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Takes one step and counts it."""
        result = self.env.step(action)
        self._taken[0] += float(result[1])
        self._taken[1] += 1
        return result

    def take(self) -> Counted:
        rewards, steps = self._taken
        self._taken = np.zeros((2, 1))
        return rewards, steps


class _VectorCounter(AnyVectorWrapper):
    """Counts what the rows of a vector environment pay."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._taken = np.zeros((2, env.num_envs))

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Takes one step and counts it."""
        result = self.env.step(actions)
        self._taken[0] += result[1]
        self._taken[1] += 1
        return result

    def take(self) -> Counted:
        rewards, steps = self._taken
        self._taken = np.zeros((2, self.env.num_envs))
        return rewards, steps


def put_counters(env: VectorEnv[Any, Any, Any]) -> list[Any]:
    """Puts counters into a vector environment, and returns them in the order of the rows.

    Returns:
        None of them where no wrapper could change what is paid, and where the rows are other
        processes, which cannot be reached: these are taken at their word.
    """
    base = env.unwrapped
    if isinstance(base, SyncVectorEnv):
        envs = base.envs
        if env is base and all(map(_pays_what_it_pays, envs)):
            return []
        counters = [_RowCounter(row.unwrapped) for row in envs]
        for index, (row, counter) in enumerate(zip(envs, counters, strict=True)):
            if isinstance(row, gym.Wrapper):
                _innermost(row).env = counter
            else:
                envs[index] = counter
        return counters
    if isinstance(env, VectorWrapper) and not hasattr(base, "call"):
        whole = _VectorCounter(base)
        _innermost(env).env = whole
        return [whole]
    return []


def take_out_counters(env: VectorEnv[Any, Any, Any], counters: list[Any]) -> None:
    """Leaves the environment as it was before `put_counters`."""
    base: Any = env.unwrapped
    for index, counter in enumerate(counters):
        if isinstance(counter, _RowCounter) and base.envs[index] is counter:
            base.envs[index] = counter.env
            continue
        outer: Any = env if isinstance(counter, _VectorCounter) else base.envs[index]
        while outer.env is not counter:
            outer = outer.env
        outer.env = counter.env


def _pays_what_it_pays(env: gym.Env[Any, Any]) -> bool:
    """Says whether an environment has no wrappers but those that `gym.make` puts around it."""
    while type(env) in _HARMLESS:
        env = env.env  # type: ignore[attr-defined]  # they are wrappers
    return not isinstance(env, gym.Wrapper)


def _innermost(wrapper: Any) -> Any:
    """Returns the wrapper around the environment itself."""
    while isinstance(wrapper.env, gym.Wrapper | VectorWrapper):
        wrapper = wrapper.env
    return wrapper
