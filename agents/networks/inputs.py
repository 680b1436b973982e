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
    """Observations as tensors ``(B, ...)``, and whether they were a batch.

    Raises:
        ValueError: If they are not of the policy's space; see `check_symbols`.
    """
    if isinstance(observation, tuple):  # as `GymnasiumVecEnv` shows it
        observation = {str(index): part for index, part in enumerate(observation)}
    if isinstance(observation, dict) and isinstance(policy.observation_space, spaces.Dict):
        # What no network can read has no place in the space.
        observation = {key: observation[key] for key in policy.observation_space}
    read = policy.obs_to_tensor(observation)  # knows the shapes that SB3 allows
    check_symbols(policy.observation_space, observation)
    return read


def check_symbols(space: spaces.Space[Any], observation: Any, name: str = "observation") -> None:
    """Refuses symbols that are not in a space, where a network would read others or fail.

    Args:
        space: What is not discrete in it is not looked at.
        observation: One observation, or a batch of B.
        name: What the error calls it.

    Raises:
        ValueError: Naming the first symbol that is out of range, and where it stands.
    """
    if isinstance(space, spaces.Dict):
        for key, part in space.items():
            check_symbols(part, observation[key], f"{name}[{key!r}]")
        return
    if not isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        return
    seen, shape = np.asarray(observation), space.shape or ()
    if seen.shape[seen.ndim - len(shape) :] != shape:
        raise ValueError(f"{name} has shape {seen.shape}; allowed: {shape}, or a batch of it")
    sizes = space.n if isinstance(space, spaces.Discrete) else space.nvec
    low, high = space.start, space.start + sizes - 1
    wrong = ~((low <= seen) & (seen <= high))  # NaN is wrong, too
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        where = f"[{', '.join(map(str, place))}]" if place else ""
        ends = (np.broadcast_to(end, seen.shape)[place] for end in (low, high))
        allowed = "integers from {} to {}".format(*ends)
        raise ValueError(f"{name}{where} is {seen[place]}; allowed: {allowed}")


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
