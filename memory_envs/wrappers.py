"""Wrappers that change what an agent is shown, or how it acts, but never the task.

The scalar ones work with `gym.make_vec(id, num_envs, vectorization_mode="sync", wrappers=[...])`
too; `VectorFlatActions` is for the native vector environments.
"""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorActionWrapper, VectorEnv
from gymnasium.vector.utils import batch_space

from memory_envs.arguments import shown
from memory_envs.core.actions import ActionChecker
from memory_envs.core.env import MemoryEnv
from memory_envs.core.rules import ROW_FIELDS, BoolArray, IntArray

_LARGEST_SPACE = 2**31 - 1
# The outcome and the generator are no part of the state that decides what comes next.
_LEFT_OUT = {name for name, _ in ROW_FIELDS} - {"steps"}


class PreviousActionAndReward(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Shows the previous action and reward beside the observation.

    The observation becomes a ``Dict`` of ``observation``, ``previous_action`` (one-hot over each
    sub-action, of shape ``(sum of their sizes,)``, float32) and ``previous_reward`` (of shape
    ``(1,)``, float32). After a reset both are zeros. Policies for ``Dict`` observations, such as
    Stable-Baselines3's ``MultiInputPolicy``, take it as it is.

    Args:
        env: An environment with ``Discrete`` or ``MultiDiscrete`` actions.

    Raises:
        TypeError: For other actions.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)
        sizes = _sizes(env.action_space)
        self._first = _firsts(env.action_space)
        self._offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._width = sum(sizes)
        self.observation_space = spaces.Dict(
            {
                "observation": env.observation_space,
                "previous_action": spaces.Box(0.0, 1.0, (self._width,), np.float32),
                "previous_reward": _unbounded(1),
            }
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begins an episode; the previous action and reward are zeros."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._beside(observation, np.zeros(self._width, np.float32), 0.0), info

    def step(self, action: Any) -> tuple[dict[str, Any], Any, bool, bool, dict[str, Any]]:
        """Takes one step, and shows it beside what it led to."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        one_hot = np.zeros(self._width, np.float32)
        one_hot[self._offsets + np.asarray(action) - self._first] = 1.0
        shown = self._beside(observation, one_hot, float(reward))
        return shown, reward, terminated, truncated, info

    @staticmethod
    def _beside(observation: Any, action: npt.NDArray[np.float32], reward: float) -> dict[str, Any]:
        return {
            "observation": observation,
            "previous_action": action,
            "previous_reward": np.array([reward], np.float32),
        }


class FullObservability(gym.ObservationWrapper[Any, Any, Any], RecordConstructorArgs):
    """Shows the full state, so that the task is Markov: the control for "memory is what it takes".

    The observation becomes a ``Box`` of float32, the state of `get_state` as one vector: the
    record's fields in their order (steps and limit, sizes, positions, counters), then the arrays,
    row by row (tapes: input, target, output, memory). Left out are the outcome of the last step and
    the generator. `names` says what each entry is.

    Args:
        env: An environment of this package.

    Raises:
        TypeError: For other environments.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        if not isinstance(env.unwrapped, MemoryEnv):
            raise TypeError(f"env is {shown(env)}; allowed: environments of memory_envs")
        self.names: tuple[str, ...] = tuple(
            f"{name}[{index}]" if part.size > 1 else name
            for name, part in self._parts()
            for index in range(part.size)
        )
        self.observation_space = _unbounded(len(self.names))

    def observation(self, observation: Any) -> npt.NDArray[np.float32]:
        """Returns the full state; what the agent would have seen is not used."""
        return np.concatenate([part for _, part in self._parts()]).astype(np.float32)

    def _parts(self) -> list[tuple[str, npt.NDArray[Any]]]:
        base = self.env.unwrapped
        assert isinstance(base, MemoryEnv)
        arrays = base.get_state()._asdict()
        rows = arrays.pop("rows")
        fields = [name for name in rows.dtype.names if name not in _LEFT_OUT]
        return [(name, rows[name].ravel()) for name in fields] + [
            (name, array.ravel()) for name, array in arrays.items()
        ]


class FlatActions(gym.ActionWrapper[Any, Any, Any], RecordConstructorArgs):
    """Turns ``MultiDiscrete`` actions into one ``Discrete`` number, so that DQN can play.

    The number has the sub-actions as its digits, the first one most significant.

    Args:
        env: An environment with ``MultiDiscrete`` actions.

    Raises:
        TypeError: For other actions.
        ValueError: If there are more than 2**31 - 1 combinations.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gym.ActionWrapper.__init__(self, env)
        self._digits = _Digits(env.action_space)
        self.action_space = self._digits.space
        self._check = ActionChecker(self._digits.space, 1)

    def action(self, action: Any) -> IntArray:
        """Returns the sub-actions of a number.

        Raises:
            InvalidAction: If it is not in the action space.
        """
        return self._digits.split(self._check.one(action)[0])

    def flatten(self, action: Any) -> int:
        """Returns the number of sub-actions such as an oracle gives: the inverse of `action`."""
        return int(self._digits.join(action))

    def action_masks(self) -> BoolArray:
        """Returns which numbers are allowed: those all of whose sub-actions are; shape ``(n,)``."""
        masks: BoolArray = self.env.get_wrapper_attr("action_masks")()
        flat: BoolArray = self._digits.masks(masks[None])[0]
        return flat


class VectorFlatActions(VectorActionWrapper):
    """`FlatActions` for a vector environment.

    Args:
        env: A vector environment whose rows have ``MultiDiscrete`` actions.

    Raises:
        TypeError: For other actions.
        ValueError: If there are more than 2**31 - 1 combinations.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._digits = _Digits(env.single_action_space)
        self.single_action_space = self._digits.space
        self.action_space = batch_space(self._digits.space, env.num_envs)
        self._check = ActionChecker(self._digits.space, env.num_envs)

    def actions(self, actions: Any) -> IntArray:
        """Returns the sub-actions of numbers, of shape ``(B, sub-actions)``.

        Raises:
            InvalidAction: If one is not in the action space.
        """
        return self._digits.split(self._check.batch(actions)[:, 0])

    def flatten(self, actions: Any) -> IntArray:
        """Returns the numbers of sub-actions such as an oracle gives: the inverse of `actions`."""
        return self._digits.join(actions)

    def action_masks(self) -> BoolArray:
        """Returns which numbers are allowed in each row; shape ``(B, n)``."""
        masks: BoolArray = self.env.unwrapped.action_masks()  # type: ignore[attr-defined]
        return self._digits.masks(masks)


class _Digits:
    """Numbers whose digits, of mixed radix, are sub-actions."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        if not isinstance(space, spaces.MultiDiscrete) or space.nvec.ndim != 1:
            raise TypeError(f"env has actions {space}; allowed: flat MultiDiscrete")
        self._sizes = tuple(_sizes(space))
        self._first = _firsts(space)
        count = math.prod(self._sizes)
        if count > _LARGEST_SPACE:
            raise ValueError(f"env has {count} actions; allowed: at most {_LARGEST_SPACE}")
        self.space = spaces.Discrete(count)

    def split(self, numbers: int | IntArray) -> IntArray:
        digits = np.stack(np.unravel_index(numbers, self._sizes), axis=-1) + self._first
        return np.asarray(digits, np.int64)

    def join(self, actions: Any) -> IntArray:
        digits = np.asarray(actions) - self._first
        return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(digits, -1, 0)), self._sizes))

    def masks(self, masks: BoolArray) -> BoolArray:
        """Joins one mask per digit, ``(B, sum of sizes)``, to one of ``(B, product of sizes)``."""
        flat: BoolArray = np.ones((len(masks), 1), np.bool_)
        for part in np.split(masks, np.cumsum(self._sizes)[:-1], axis=1):
            flat = (flat[:, :, None] & part[:, None, :]).reshape(len(masks), -1)
        return flat


def _unbounded(size: int) -> spaces.Box:
    limit = float(np.finfo(np.float32).max)  # the environment checkers frown on infinity
    return spaces.Box(-limit, limit, (size,), np.float32)


def _sizes(space: spaces.Space[Any]) -> list[int]:
    if isinstance(space, spaces.Discrete):
        return [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
        return [int(size) for size in space.nvec]
    raise TypeError(f"env has actions {space}; allowed: Discrete, flat MultiDiscrete")


def _firsts(space: spaces.Space[Any]) -> npt.NDArray[Any]:
    """Returns the lowest value of each sub-action."""
    assert isinstance(space, spaces.Discrete | spaces.MultiDiscrete)
    return np.atleast_1d(space.start)
