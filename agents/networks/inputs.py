"""What a policy's `predict` is given, checked and made tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from agents.networks.distributions import BoxHead, DiscreteHead
from agents.networks.encoder import Observation


def read_observation(policy: BasePolicy, observation: Any) -> tuple[Observation, bool]:
    """Observations as tensors ``(B, ...)``, and whether they were a batch."""
    if isinstance(observation, tuple):  # as `GymnasiumVecEnv` shows it
        observation = {str(index): part for index, part in enumerate(observation)}
    if isinstance(observation, dict) and isinstance(policy.observation_space, spaces.Dict):
        # What no network can read has no place in the space.
        observation = {key: observation[key] for key in policy.observation_space}
    return policy.obs_to_tensor(observation)


def count_rows(obs: Observation) -> int:
    """B, of observations ``(B, ...)``."""
    return len(next(iter(obs.values())) if isinstance(obs, dict) else obs)


def read_starts(
    episode_start: npt.NDArray[np.bool_] | None, rows: int, device: torch.device
) -> Tensor:
    """Which rows start an episode, ``(rows,)`` bool; none if nobody says so.

    Raises:
        ValueError: If it is another number of rows.
    """
    starts = np.zeros(rows, np.bool_) if episode_start is None else np.asarray(episode_start)
    if starts.size != rows:
        raise ValueError(f"episode_start has shape {starts.shape}; allowed: {(rows,)}")
    return torch.as_tensor(starts.astype(np.bool_).reshape(rows), device=device)


def read_masks(
    head: DiscreteHead | BoxHead, masks: Any, rows: int, device: torch.device
) -> Tensor | None:
    """The allowed choices, ``(rows, choices)`` bool; None if all are.

    Raises:
        ValueError: If the masks do not fit the head, or forbid every choice.
    """
    if masks is None:
        return None
    return torch.as_tensor(head.check_masks(masks, rows), device=device)
