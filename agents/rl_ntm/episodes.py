"""Whole episodes of all rows, written down while they are played."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.rl_ntm.interfaces import Interfaces
from agents.rl_ntm.objective import Played
from agents.vec_env import GymnasiumVecEnv


class Recorder:
    """Keeps the first episode of each row.

    Args:
        env: just reset; what rows do after their first episode is not kept.
        device: of the tensors.

    Attributes:
        running: the rows whose first episode is under way, ``(B,)``.
        max_steps: the longest of the first episodes' time limits.
    """

    def __init__(self, env: GymnasiumVecEnv, device: torch.device) -> None:
        self._env, self._device = env, device
        self.running = np.ones(env.num_envs, np.bool_)
        # Copies: soon the rows belong to other episodes.
        state: Any = env.env.unwrapped.get_state()  # type: ignore[attr-defined]  # the tape family
        self._source = self._tensor(state.source).long()
        self._target = self._tensor(np.stack([info["target"] for info in env.reset_infos])).long()
        self._target_size = self._tensor(state.rows["target_size"]).long()
        self._limits = self._tensor(state.rows["limit"]).long()
        self.max_steps = int(self._limits.max())
        self._moves: list[Tensor] = []
        self._masks: list[Tensor] = []
        self._running: list[Tensor] = []

    def _tensor(self, array: Any) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=self._device)

    def masks(self, interfaces: Interfaces) -> Tensor:
        """Which moves are allowed now, ``(B, sum(move_sizes))``."""
        return self._tensor(interfaces.move_masks(self._env.action_masks()))

    def add(self, moves: Tensor, masks: Tensor, ended: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        """Write down a step.

        Args:
            moves: ``(B, moves)``.
            masks: what was allowed.
            ended: the rows whose first episode ended with this step.
        """
        self._moves.append(moves)
        self._masks.append(masks)
        self._running.append(self._tensor(self.running))
        self.running = self.running & ~ended

    def played(self) -> Played:
        """The episodes."""
        return Played(
            torch.stack(self._moves),
            torch.stack(self._masks),
            torch.stack(self._running),
            self._source,
            self._target,
            self._target_size,
            self._limits,
        )
