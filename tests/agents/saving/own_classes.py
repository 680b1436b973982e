"""Classes as a user would write them, in a module of the user's own."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from agents import MemoryCell, MemoryPolicy


class Average(MemoryCell[tuple[Tensor]]):
    """An exponential moving average of its input."""

    def __init__(self, input_size: int, decay: float = 0.5) -> None:
        super().__init__(input_size, input_size)
        self.decay = nn.Parameter(torch.tensor(decay))

    def initial_state(self, batch_size: int) -> tuple[Tensor]:
        return (self.decay.new_zeros(batch_size, self.input_size),)

    def forward(self, x: Tensor, state: tuple[Tensor]) -> tuple[Tensor, tuple[Tensor]]:
        average = self.decay * state[0] + (1 - self.decay) * x
        return average, (average,)


class Scaled(nn.Module):
    """An encoder: a linear layer after a factor."""

    def __init__(self, space: spaces.Space[Any], factor: float) -> None:
        super().__init__()
        assert space.shape is not None
        self.factor, self.output_size = factor, 6
        self.linear = nn.Linear(space.shape[0], 6)

    def forward(self, obs: Tensor) -> Tensor:
        encoded: Tensor = self.linear(self.factor * obs)
        return encoded


class Extractor(BaseFeaturesExtractor):
    """A features extractor as Stable-Baselines3's documentation shows one."""

    def __init__(self, observation_space: spaces.Space[Any], features_dim: int = 7) -> None:
        super().__init__(observation_space, features_dim)
        assert observation_space.shape is not None
        self.linear = nn.Linear(observation_space.shape[0], features_dim)

    def forward(self, observations: Tensor) -> Tensor:
        features: Tensor = self.linear(observations).relu()
        return features


class BoldPolicy(MemoryPolicy):
    """A policy that acts twice as decidedly."""

    def evaluate_actions(self, *arguments: Any) -> Any:
        return super().evaluate_actions(*arguments)
