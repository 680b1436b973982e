"""Any Gymnasium `VectorEnv` as an SB3 `VecEnv`.

Gymnasium reports a finished episode in one of three autoreset modes. In `SAME_STEP` the last
observation is in ``info["final_obs"]``; in `DISABLED` this adapter resets the finished rows itself.
`NEXT_STEP`, Gymnasium's default, would feed a made-up transition to the memory. Where rows can be
reset alone, the adapter does so at once, as in `DISABLED`, before the environment would.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from agents.environments.infos import info_rows, pick_rows
from agents.environments.readable import Readable
from memory_envs.core.vector import MemoryVectorEnv
from memory_envs.spec import episode_success

Array = npt.NDArray[Any]
Obs = Array | dict[str, Array]


# The vector environments that keep to ``options["reset_mask"]`` in every autoreset mode.
_RESETS_ROWS = (SyncVectorEnv, AsyncVectorEnv, MemoryVectorEnv)


class GymnasiumVecEnv(VecEnv):
    """SB3's view of a Gymnasium vector environment.

    Returns and lengths of episodes are kept here, as SB3's `Monitor` does. Of a `Tuple` or `Dict`
    observation it shows what a policy can read, see `agents.environments.readable`. The infos of
    rows that did not finish an episode are empty, those of others say ``"is_success"`` as
    `memory_envs.spec.episode_success` does.

    Args:
        env: A vector environment in autoreset mode `SAME_STEP` or `DISABLED`; or in `NEXT_STEP`, if
            it is what `gym.make_vec` makes of our ids or of scalar environments.

    Raises:
        ValueError: If the environment resets itself in another way, or its actions are a `Tuple` or
            a `Dict`.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        # In this mode a wrapper would take the step after an end for the environment's reset.
        early = mode == AutoresetMode.NEXT_STEP and isinstance(env, _RESETS_ROWS)
        if mode not in (AutoresetMode.SAME_STEP, AutoresetMode.DISABLED) and not early:
            raise ValueError(
                f"env {env} has autoreset_mode {mode}; allowed: SAME_STEP, DISABLED. Make it with "
                "gym.make_vec(id, ..., autoreset_mode=AutoresetMode.SAME_STEP) if it is native, or "
                'with gym.make_vec(id, ..., vectorization_mode="sync", '
                "vector_kwargs={'autoreset_mode': AutoresetMode.SAME_STEP}), or use "
                "agents.make_vec_env"
            )
        if isinstance(env.single_action_space, spaces.Tuple | spaces.Dict):
            raise ValueError(
                f"action space is {env.single_action_space}; allowed: those that SB3 knows, "
                "Discrete, MultiDiscrete, MultiBinary, Box. memory_envs.wrappers.FlatActions makes "
                "one number of Discrete and MultiDiscrete parts: agents.make_vec_env(id, n_envs, "
                "wrappers=[FlatActions])"
            )
        self.env = env
        self._resets_itself = mode == AutoresetMode.SAME_STEP
        self._readable = Readable(env.single_observation_space)
        super().__init__(env.num_envs, self._readable.space, env.single_action_space)
        self._actions: Array = np.empty(0)
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, np.int64)
        self._start_time = time.monotonic()

    # Stepping and resetting

    def step_async(self, actions: Array) -> None:
        """Keeps the actions ``(B, ...)`` for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Steps all rows; those that finish show the first observation of the next episode."""
        obs, rewards, terminated, truncated, infos = self.env.step(self._actions)
        dones = np.logical_or(terminated, truncated)
        self._returns += rewards
        self._lengths += 1
        row_infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if dones.any():
            rows = np.flatnonzero(dones)
            if self._resets_itself:
                last, final_infos = pick_rows(infos["final_obs"], rows), infos.get("final_info", {})
                last = [self._readable(one) for one in last]
            else:
                last, final_infos = pick_rows(self._copied(obs), rows), infos
                obs, _ = self.env.reset(options={"reset_mask": dones})
            finished = self._final_infos(rows, last, final_infos)
            for index, info in zip(rows.tolist(), finished, strict=True):
                info["TimeLimit.truncated"] = bool(truncated[index] and not terminated[index])
                row_infos[index] = info
            self._returns[rows] = 0.0
            self._lengths[rows] = 0
        return self._copied(obs), np.asarray(rewards, np.float32), dones, row_infos

    def _final_infos(
        self, rows: npt.NDArray[np.intp], last: list[Any], final_infos: dict[str, Any]
    ) -> list[dict[str, Any]]:
        infos = info_rows(final_infos, rows)
        now = round(time.monotonic() - self._start_time, 6)
        statistics = zip(self._returns[rows].tolist(), self._lengths[rows].tolist(), strict=True)
        for info, obs, (total, length) in zip(infos, last, statistics, strict=True):
            info["terminal_observation"] = obs
            info["episode"] = {"r": total, "l": length, "t": now}
            success = episode_success(info, total, self.env.spec)
            if success is not None:
                info["is_success"] = success
        return infos

    def _copied(self, obs: Any) -> Obs:
        """A copy of it; the environment may reuse its arrays."""
        shown = self._readable(obs)
        if not self._readable.has_parts:
            return np.array(shown)
        return {name: np.array(part) for name, part in shown.items()}

    def reset(self) -> Obs:
        """Starts new episodes in all rows, with the seeds and options set before."""
        first = self._seeds[0]
        seed: Any = first
        # One number is the form that every vector environment takes.
        if first is not None and self._seeds != list(range(first, first + self.num_envs)):
            seed = list(self._seeds)
        if any(options != self._options[0] for options in self._options):
            raise ValueError(f"options differ between rows: {self._options}; allowed: the same")
        obs, infos = self.env.reset(seed=seed, options=self._options[0] or None)
        self.reset_infos = info_rows(infos, np.arange(self.num_envs))
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0.0
        self._lengths[:] = 0
        return self._copied(obs)

    def close(self) -> None:
        """Closes the vector environment."""
        self.env.close()

    def get_images(self) -> Sequence[Array | None]:
        """Returns one RGB image per row."""
        frames: Any = self.env.render()
        return [] if frames is None else list(frames)

    # Where the episodes stand

    def get_state(self) -> dict[str, Array] | None:
        """Returns copies of all arrays that say where the episodes stand, generators included.

        Returns:
            Arrays by name; None unless the environment is a native one of `memory_envs`, or of a
            family of one's own, with no wrapper around it. Others cannot say it.
        """
        from memory_envs.core.vector import MemoryVectorEnv

        if not isinstance(self.env, MemoryVectorEnv):
            return None
        fields: dict[str, Array] = self.env.get_state()._asdict()
        own = {"returns": self._returns.copy(), "lengths": self._lengths.copy()}
        return {**own, **{f"env.{name}": array for name, array in fields.items()}}

    def set_state(self, state: dict[str, Array]) -> None:
        """Returns to where `get_state` was asked, in this or an equal environment.

        Raises:
            TypeError, ValueError: For anything else; the present state is kept.
        """
        env: Any = self.env
        kind = type(env.get_state())
        env.set_state(kind(**{name: state[f"env.{name}"] for name in kind._fields}))
        self._returns[:], self._lengths[:] = state["returns"], state["lengths"]

    # Attributes and methods

    def _vector_attr(self, name: str) -> Any:
        """An attribute of the vector environment or of what it wraps."""
        env: Any = self.env
        while not hasattr(env, name) and env is not env.unwrapped:
            env = env.env
        return getattr(env, name)

    def _in_rows(self, name: str) -> bool:
        """Whether there is one environment object per row, all with attribute `name`."""
        env = self.env.unwrapped
        return hasattr(env, "call") and all(env.call("has_wrapper_attr", name))

    def has_attr(self, attr_name: str) -> bool:
        """Says whether every row, or the vector environment, has the attribute."""
        try:
            self._vector_attr(attr_name)
        except AttributeError:
            return self._in_rows(attr_name)
        return True

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Returns an attribute per row; the vector environment's own answers for all rows."""
        rows = self._get_indices(indices)
        if self._in_rows(attr_name):
            values = self._vector_attr("get_attr")(attr_name)
            return [values[index] for index in rows]
        value = self._vector_attr(attr_name)
        return [value for _ in rows]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Sets an attribute in the given rows, or of the vector environment for all rows.

        Raises:
            ValueError: If a native vector environment, or one whose rows are other processes, is
                asked to set it for some rows only.
        """
        envs = getattr(self.env.unwrapped, "envs", None)
        if envs is not None:
            for index in self._get_indices(indices):
                envs[index].set_wrapper_attr(attr_name, value)
        elif indices is None and hasattr(self.env.unwrapped, "call"):
            self._vector_attr("set_attr")(attr_name, [value] * self.num_envs)
        elif indices is None:
            setattr(self.env.unwrapped, attr_name, value)
        else:
            raise ValueError(f"indices is {indices}; allowed for {self.env}: None (all rows)")

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Calls a method of the given rows and returns one result per row.

        A native vector environment is called once; its result is split where it has one entry per
        row and repeated otherwise.
        """
        rows = self._get_indices(indices)
        envs = getattr(self.env.unwrapped, "envs", None)
        if envs is not None:
            methods = [envs[index].get_wrapper_attr(method_name) for index in rows]
            return [method(*method_args, **method_kwargs) for method in methods]
        if hasattr(self.env.unwrapped, "call"):  # the rows are other processes
            results = self._vector_attr("call")(method_name, *method_args, **method_kwargs)
            return [results[index] for index in rows]
        result = self._vector_attr(method_name)(*method_args, **method_kwargs)
        if isinstance(result, np.ndarray | list | tuple) and len(result) == self.num_envs:
            return [result[index] for index in rows]
        return [result for _ in rows]

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Returns the rows' action masks as one ``(B, choices)`` array."""
        if hasattr(self.env.unwrapped, "call"):
            return np.stack(self.env_method("action_masks"))
        return np.asarray(self._vector_attr("action_masks")())

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Says for each row whether a wrapper is there; `Monitor` is, as it is done here."""
        if issubclass(wrapper_class, Monitor):
            return [True for _ in self._get_indices(indices)]
        envs = getattr(self.env.unwrapped, "envs", None)
        if envs is None:
            return [False for _ in self._get_indices(indices)]
        return [is_wrapped(envs[index], wrapper_class) for index in self._get_indices(indices)]
