"""Wrappers that change what an agent is shown, or how it acts, but never the task.

The scalar ones work with `gym.make_vec(id, num_envs, vectorization_mode="sync", wrappers=[...])`
and `agents.make_vec_env(id, n_envs, wrappers=[...])` too; those whose names begin with `Vector` are
for vector environments, the native ones included.
"""

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
from memory_envs.core.discrete import Digits, OneHot, part_firsts, part_sizes
from memory_envs.core.env import MemoryEnv
from memory_envs.core.rules import ROW_FIELDS, BoolArray, IntArray
from memory_envs.vectorised import AnyVectorWrapper

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
        sizes = part_sizes(env.action_space, "actions")
        self._first = part_firsts(env.action_space)
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
    row by row (tapes: input, target, output, memory; streams: inputs, targets, answers). Left out
    are the outcome of the last step and the generator. `names` says what each entry is.

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


class OneHotObservations(gym.ObservationWrapper[Any, Any, Any], RecordConstructorArgs):
    """Shows symbols one-hot, as one vector of float32: what most networks of others take.

    Args:
        env: An environment with ``Discrete`` or flat ``MultiDiscrete`` observations.

    Raises:
        TypeError: For other observations.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        self._one_hot = OneHot(env.observation_space)
        self.observation_space = self._one_hot.space

    def observation(self, observation: Any) -> npt.NDArray[np.float32]:
        """Returns the one-hots of all symbols, one after the other; shape ``(n,)``."""
        return self._one_hot(observation)


class VectorOneHotObservations(AnyVectorWrapper):
    """`OneHotObservations` for a vector environment, in every autoreset mode.

    Args:
        env: A vector environment whose rows have ``Discrete`` or flat ``MultiDiscrete``
            observations.

    Raises:
        TypeError: For other observations.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._one_hot = OneHot(env.single_observation_space)
        self.single_observation_space = self._one_hot.space
        self.observation_space = batch_space(self._one_hot.space, env.num_envs)

    def reset(self, **arguments: Any) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Begins episodes; see the environment's own."""
        observations, infos = self.env.reset(**arguments)
        return self._one_hot(observations), infos

    def step(self, actions: Any) -> tuple[npt.NDArray[np.float32], Any, Any, Any, dict[str, Any]]:
        """Takes one step; the last observations of SAME_STEP mode are one-hot too."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        if "final_obs" in infos:
            infos = {**infos, "final_obs": self._last(infos["final_obs"])}
        return self._one_hot(observations), rewards, terminated, truncated, infos

    def _last(self, observations: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Gymnasium's own vectorisers give objects, None where no episode ended."""
        if observations.dtype != object:
            return self._one_hot(observations)
        last = np.full(len(observations), None, object)
        for row, observation in enumerate(observations):
            last[row] = None if observation is None else self._one_hot(observation)
        return last


class FlatActions(gym.ActionWrapper[Any, Any, Any], RecordConstructorArgs):
    """Turns an action of several discrete parts into one ``Discrete`` number: DQN can play then.

    The number has the parts as its digits, the first one most significant.

    Args:
        env: An environment with flat ``MultiDiscrete`` actions, or a ``Tuple`` or ``Dict`` whose
            parts are ``Discrete`` or flat ``MultiDiscrete``.

    Raises:
        TypeError: For other actions.
        ValueError: If there are more than 2**31 - 1 combinations.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gym.ActionWrapper.__init__(self, env)
        self._digits = Digits(env.action_space)
        self.action_space = self._digits.space
        self._check = ActionChecker(self._digits.space, 1)

    def action(self, action: Any) -> Any:
        """Returns the action that a number stands for.

        Raises:
            InvalidAction: If it is not in the action space.
        """
        return self._digits.split(np.asarray(self._check.one(action)[0]))

    def flatten(self, action: Any) -> int:
        """Returns the number of an action such as an oracle gives: the inverse of `action`."""
        return int(self._digits.join(action))

    def action_masks(self) -> BoolArray:
        """Returns which numbers are allowed: those all of whose parts are; shape ``(n,)``.

        Where the environment says nothing, all are.
        """
        if not self.env.has_wrapper_attr("action_masks"):
            return np.ones(self._digits.space.n, np.bool_)
        masks: BoolArray = self.env.get_wrapper_attr("action_masks")()
        flat: BoolArray = self._digits.masks(masks[None])[0]
        return flat


class VectorFlatActions(VectorActionWrapper):
    """`FlatActions` for a vector environment, in every autoreset mode.

    Args:
        env: A vector environment whose rows have such actions as `FlatActions` takes.

    Raises:
        TypeError: For other actions.
        ValueError: If there are more than 2**31 - 1 combinations.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._digits = Digits(env.single_action_space)
        self.single_action_space = self._digits.space
        self.action_space = batch_space(self._digits.space, env.num_envs)
        self._check = ActionChecker(self._digits.space, env.num_envs)

    def actions(self, actions: Any) -> Any:
        """Returns the actions that numbers stand for, of all rows together.

        Raises:
            InvalidAction: If one is not in the action space.
        """
        return self._digits.split(self._check.batch(actions)[:, 0])

    def flatten(self, actions: Any) -> IntArray:
        """Returns the numbers of actions such as an oracle gives: the inverse of `actions`."""
        return self._digits.join(actions)

    def action_masks(self) -> BoolArray:
        """Returns which numbers are allowed in each row; shape ``(B, n)``.

        Where the environments say nothing, all are.
        """
        base: Any = self.env.unwrapped
        if hasattr(base, "action_masks"):
            return self._digits.masks(base.action_masks())
        if hasattr(base, "call") and all(base.call("has_wrapper_attr", "action_masks")):
            return self._digits.masks(np.stack(base.call("action_masks")))
        return np.ones((self.num_envs, int(self._digits.space.n)), np.bool_)


def _unbounded(size: int) -> spaces.Box:
    limit = float(np.finfo(np.float32).max)  # the environment checkers frown on infinity
    return spaces.Box(-limit, limit, (size,), np.float32)
