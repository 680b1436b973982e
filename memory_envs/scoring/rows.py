"""Every environment as rows that play episodes side by side, whatever it is wrapped in.

Rows say in one way what Gymnasium's vector environments say in three, their autoreset modes: which
rows begin an episode, which ended theirs, and what these paid. Rewards are those of the unwrapped
environment, as Stable-Baselines3's `Monitor` counts them: a wrapper that scales rewards for
training does not change what an agent is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv

from memory_envs.scoring.counters import Counter, put_counters, take_out_counters
from memory_envs.scoring.policy import BoolArray
from memory_envs.spec import episode_success

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Outcome(NamedTuple):
    """What a step of all rows led to.

    Attributes:
        observations: What the rows show now.
        starts: Of shape ``(B,)``, which of them show the first observation of an episode.
        rewards: Of shape ``(B,)``.
        steps: Of shape ``(B,)``, how many the environment took.
        ended: Of shape ``(B,)``, where an episode ended with this step.
        infos: Gymnasium's infos of the rows, where one ended those of its last step.
    """

    observations: Any
    starts: BoolArray
    rewards: Floats
    steps: Integers
    ended: BoolArray
    infos: dict[str, Any]


class Rows:
    """B rows of an environment.

    Args:
        env: A vector environment in any autoreset mode, whose rows can be seeded one by one, as
            those of `memory_envs` and of Gymnasium's vectorisers can.
        spec: What Gymnasium's registry knows of it.

    Attributes:
        env: The vector environment.
        spec: As above.
        num_rows: B.
        observation_space: Of one row.
        action_space: Of one row.

    Raises:
        ValueError: If the environment says no autoreset mode.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], spec: EnvSpec | None = None) -> None:
        self.env = env
        self.spec = spec
        self.num_rows: int = env.num_envs
        self.observation_space: spaces.Space[Any] = env.single_observation_space
        self.action_space: spaces.Space[Any] = env.single_action_space
        self._mode = env.metadata.get("autoreset_mode")
        if self._mode not in list(AutoresetMode):
            modes = ", ".join(mode.name for mode in AutoresetMode)
            raise ValueError(f"env {env} has autoreset_mode {self._mode}; allowed: {modes}")
        self._counters: list[Counter] = put_counters(env)
        self._masks_of = _find_masks(env)
        self._resetting = np.zeros(self.num_rows, np.bool_)

    def close(self) -> None:
        """Leaves the environment as it was; does not close it."""
        take_out_counters(self.env, self._counters)

    def begin(self, seeds: Sequence[int]) -> Any:
        """Begins an episode in every row; returns what they show.

        Raises:
            ValueError: If the rows cannot be seeded one by one.
        """
        listed: Any = list(seeds)
        try:
            observations, _ = self.env.reset(seed=listed)
        except (TypeError, ValueError, gym.error.Error) as error:
            raise ValueError(
                f"env {self.env} refuses a list of seeds, one a row ({error}); allowed: vector "
                "environments of memory_envs and of Gymnasium's vectorisers, and functions that "
                "make one environment, lambda: gym.make(id)"
            ) from error
        self._resetting[:] = False
        for counter in self._counters:
            counter.take()
        return observations

    def masks(self) -> BoolArray | None:
        """Returns the action masks ``(B, choices)``; None where the environment has none."""
        return None if self._masks_of is None else self._masks_of()

    def step(self, actions: Any, playing: BoolArray) -> Outcome:
        """Takes a step in every row.

        Args:
            actions: Of shape ``(B, ...)``.
            playing: Of shape ``(B,)``, the rows that are to be played on until their end. Nothing
                is reset here once the last of them has ended.
        """
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        ended = np.logical_or(terminated, truncated)
        starts = ended
        if self._mode == AutoresetMode.NEXT_STEP:
            # The step after an end was the reset, whatever the action was.
            starts, self._resetting = self._resetting, ended
        elif self._mode == AutoresetMode.SAME_STEP:
            infos = infos.get("final_info", {}) if ended.any() else {}
        elif ended.any() and (playing & ~ended).any():
            observations, _ = self.env.reset(options={"reset_mask": ended.copy()})
        steps = np.ones(self.num_rows, np.int64)
        if self._counters:
            rewards, steps = self._counted()
        return Outcome(observations, starts, np.asarray(rewards), steps, ended, infos)

    def _counted(self) -> tuple[Floats, Integers]:
        taken = [counter.take() for counter in self._counters]
        rewards, steps = (np.concatenate(column) for column in zip(*taken, strict=True))
        return rewards, steps.astype(np.int64)

    def success(self, outcome: Outcome, row: int, total: float) -> bool | None:
        """Says whether the episode that ended in a row was a success.

        Args:
            outcome: Of the step that ended it.
            row: The row.
            total: What the episode paid.
        """
        values, there = outcome.infos.get("success"), outcome.infos.get("_success")
        known = values is not None and (there is None or there[row])
        info = {"success": values[row]} if known and values is not None else {}
        return episode_success(info, total, self.spec)


def _find_masks(env: Any) -> Any:
    """Returns a function that gives the rows' masks, or None.

    Masks of an environment whose actions a wrapper changed without changing them are left out.
    """
    outer = env
    while not hasattr(outer, "action_masks") and outer is not outer.unwrapped:
        outer = outer.env
    width = _choices(env.single_action_space)
    if hasattr(outer, "action_masks"):
        inner = outer.single_action_space
        return outer.action_masks if _choices(inner) == width else None
    base = env.unwrapped
    if not hasattr(base, "call") or not all(base.call("has_wrapper_attr", "action_masks")):
        return None

    def masks() -> BoolArray | None:
        found = np.stack(base.call("action_masks"))
        return found if found.shape[1:] == (width,) else None

    return masks


def _choices(space: Any) -> int:
    """Returns the number of values of all sub-actions together; 0 where they are not discrete."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    return int(space.nvec.sum()) if isinstance(space, spaces.MultiDiscrete) else 0
