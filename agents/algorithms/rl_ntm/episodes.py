"""Whole episodes of all rows, written down while they are played."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agents.algorithms.rl_ntm.interfaces import Interfaces, output_view
from agents.algorithms.rl_ntm.objective import Played
from agents.environments.vec_env import GymnasiumVecEnv


class Recorder:
    """Keeps the first episode of each row.

    Args:
        env: The environments, just reset; what rows do after their first episode is not kept.
        device: Device of the tensors.

    Attributes:
        rows: Numbers of the rows whose first episode is under way, ascending.
        max_steps: Longest of the first episodes' time limits.
    """

    def __init__(self, env: GymnasiumVecEnv, interfaces: Interfaces, device: torch.device) -> None:
        self._env, self._interfaces, self._device = env, interfaces, device
        self.rows = np.arange(env.num_envs)
        # Its arrays are copies: soon the rows belong to other episodes.
        view, output = output_view(env)
        self._source = self._tensor(view.tapes[0].cells).long()
        self._target = self._tensor(np.stack([info["target"] for info in env.reset_infos])).long()
        self._target_size = self._tensor(output.target_sizes).long()
        self._limits = self._tensor(view.limits).long()
        self.max_steps = int(self._limits.max())
        shape, moves = (self.max_steps, env.num_envs), interfaces.move_sizes
        self._moves = np.zeros((*shape, len(moves)), np.int64)
        self._masks = np.ones((*shape, sum(moves)), np.bool_)
        self._running = np.zeros(shape, np.bool_)
        self._steps = 0

    def _tensor(self, array: Any) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=self._device)

    def masks(self) -> Tensor:
        """Returns which moves are allowed now in the n running rows, ``(n, sum(move_sizes))``."""
        masks = self._interfaces.move_masks(self._env.action_masks())
        self._masks[self._steps] = masks
        return self._tensor(masks[self.rows])

    def actions(self, moves: Tensor, symbols: Tensor) -> npt.NDArray[np.int64]:
        """Returns what the environment takes; rows whose episode has ended take each first choice.

        Args:
            moves: Moves of the running rows, ``(n, moves)``.
            symbols: Symbols that they would emit, ``(n,)``.
        """
        emitted = np.zeros(self._env.num_envs, np.int64)
        emitted[self.rows] = symbols.cpu().numpy()
        self._moves[self._steps, self.rows] = moves.cpu().numpy()
        self._running[self._steps, self.rows] = True
        return self._interfaces.env_actions(self._moves[self._steps], emitted)

    def end(self, dones: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Ends a step.

        Args:
            dones: Whether a row ended an episode, ``(B,)``.

        Returns:
            Those whose first episode it was, ``(B,)``.
        """
        first = np.zeros_like(dones)
        first[self.rows] = dones[self.rows]
        self.rows = self.rows[~dones[self.rows]]
        self._steps += 1
        return first

    def played(self) -> Played:
        """Returns the episodes."""
        return Played(
            self._tensor(self._moves[: self._steps]),
            self._tensor(self._masks[: self._steps]),
            self._tensor(self._running[: self._steps]),
            self._source,
            self._target,
            self._target_size,
            self._limits,
        )
