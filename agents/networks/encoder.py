"""Observation encoders: from any supported observation space to one vector per row."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from torch import Tensor, nn

# A batch of observations: one tensor, or one per key of a Dict space.
Observation: TypeAlias = Tensor | dict[str, Tensor]

# The smallest height and width that the three convolutions of `ImageEncoder` can take.
_SMALLEST_IMAGE = 36
# The width of what an image is turned into where no size is given.
_IMAGE_SIZE = 64


def map_observation(fn: Callable[[Tensor], Tensor], obs: Observation) -> Observation:
    """Applies `fn` to the tensor, or to the tensor under each key."""
    if isinstance(obs, dict):
        return {key: fn(value) for key, value in obs.items()}
    return fn(obs)


class OneHotEncoder(nn.Module):
    """The concatenated one-hots of `Discrete` or `MultiDiscrete` observations; nothing is learned.

    Args:
        space: The observation space.
    """

    offsets: Tensor
    zero: Tensor

    def __init__(self, space: spaces.Discrete | spaces.MultiDiscrete) -> None:
        super().__init__()
        sizes, offsets = _symbol_columns(space)
        self.register_buffer("offsets", offsets, persistent=False)
        # Tells the type of numbers that the networks compute with.
        self.register_buffer("zero", torch.zeros(()), persistent=False)
        self.output_size = int(sizes.sum())

    def forward(self, obs: Tensor) -> Tensor:
        """Maps symbols ``(N, *shape)`` to ``(N, output_size)``."""
        columns = obs.reshape(obs.shape[0], -1).long() + self.offsets
        return self.zero.new_zeros(obs.shape[0], self.output_size).scatter(1, columns, 1.0)


class FlatEncoder(nn.Module):
    """Flattened `Box` or `MultiBinary` observations, as they are; nothing is learned.

    Args:
        space: The observation space.
    """

    zero: Tensor

    def __init__(self, space: spaces.Box | spaces.MultiBinary) -> None:
        super().__init__()
        # Tells the type of numbers that the networks compute with.
        self.register_buffer("zero", torch.zeros(()), persistent=False)
        self.output_size = math.prod(space.shape)

    def forward(self, obs: Tensor) -> Tensor:
        """Maps numbers ``(N, *shape)`` to ``(N, output_size)``."""
        return obs.reshape(obs.shape[0], -1).to(self.zero.dtype)


def _symbol_columns(
    space: spaces.Discrete | spaces.MultiDiscrete,
) -> tuple[npt.NDArray[Any], Tensor]:
    """Returns how many symbols each entry has, and what to add to it so that all are distinct."""
    sizes = np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec)
    offsets = np.cumsum([0, *sizes[:-1]]) - np.ravel(space.start)
    return sizes, torch.as_tensor(offsets)


class SymbolEncoder(nn.Module):
    """A linear layer on the concatenated one-hots of `Discrete` or `MultiDiscrete` observations.

    It is computed as a sum of embeddings: no one-hot is ever built.

    Args:
        space: The observation space.
        size: Output size.
        activation: Applied to the sum.
    """

    offsets: Tensor

    def __init__(
        self, space: spaces.Discrete | spaces.MultiDiscrete, size: int, activation: nn.Module
    ) -> None:
        super().__init__()
        sizes, offsets = _symbol_columns(space)
        self.register_buffer("offsets", offsets, persistent=False)
        self.embedding = nn.Embedding(int(sizes.sum()), size)
        # The sum over symbols has variance one, however many symbols are seen.
        nn.init.normal_(self.embedding.weight, std=1.0 / math.sqrt(len(sizes)))
        self.bias = nn.Parameter(torch.zeros(size))
        self.activation = activation
        self.output_size = size

    def forward(self, obs: Tensor) -> Tensor:
        """Maps symbols ``(N, *shape)`` to ``(N, size)``."""
        rows = obs.reshape(obs.shape[0], -1).long() + self.offsets
        summed = nn.functional.embedding_bag(rows, self.embedding.weight, mode="sum")
        encoded: Tensor = self.activation(summed + self.bias)
        return encoded


class VectorEncoder(nn.Module):
    """A linear layer on flattened `Box` or `MultiBinary` observations, as they are.

    Args:
        space: The observation space.
        size: Output size.
        activation: Applied to the linear layer's output.
    """

    def __init__(
        self, space: spaces.Box | spaces.MultiBinary, size: int, activation: nn.Module
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(math.prod(space.shape), size)
        nn.init.orthogonal_(self.linear.weight, gain=math.sqrt(2.0))
        nn.init.zeros_(self.linear.bias)
        self.activation = activation
        self.output_size = size

    def forward(self, obs: Tensor) -> Tensor:
        """Maps numbers ``(N, *shape)`` to ``(N, size)``."""
        numbers = obs.reshape(obs.shape[0], -1).to(self.linear.weight.dtype)
        encoded: Tensor = self.activation(self.linear(numbers))
        return encoded


class ImageEncoder(nn.Module):
    """Three convolutions and a linear layer on channel-first uint8 images (Mnih et al. 2015).

    Args:
        space: The observation space.
        size: Output size.
    """

    def __init__(self, space: spaces.Box, size: int) -> None:
        super().__init__()
        channels = space.shape[0]
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(channels, 32, kernel_size=8, stride=4), nn.ReLU()),
            *(nn.Conv2d(32, 64, kernel_size=4, stride=2), nn.ReLU()),
            *(nn.Conv2d(64, 64, kernel_size=3, stride=1), nn.ReLU(), nn.Flatten()),
        )
        with torch.no_grad():
            pixels = self.convolutions(torch.zeros(1, *space.shape)).shape[1]
        self.linear = nn.Sequential(nn.Linear(pixels, size), nn.ReLU())
        self.output_size = size

    def forward(self, obs: Tensor) -> Tensor:
        """Maps images ``(N, C, H, W)`` to ``(N, size)``."""
        encoded: Tensor = self.linear(self.convolutions(obs.float() / 255.0))
        return encoded


class DictEncoder(nn.Module):
    """One encoder per key of a `Dict` space, outputs concatenated in the space's order.

    Args:
        space: The observation space.
        size: Passed to each key's encoder, see `make_encoder`.
        activation: Passed to each key's encoder.
    """

    def __init__(self, space: spaces.Dict, size: int | None, activation: nn.Module) -> None:
        super().__init__()
        self.keys = list(space)
        # A list, because a module's name may not hold the dot that a key may hold.
        encoders = [make_encoder(space[key], size, activation) for key in space]
        self.encoders = nn.ModuleList(encoders)
        self.output_size: int = sum(encoder.output_size for encoder in encoders)

    def forward(self, obs: dict[str, Tensor]) -> Tensor:
        """Maps a dict of ``(N, *shape)`` tensors to ``(N, output_size)``."""
        pairs = zip(self.encoders, self.keys, strict=True)
        return torch.cat([encoder(obs[key]) for encoder, key in pairs], dim=-1)


Encoder: TypeAlias = (
    OneHotEncoder | FlatEncoder | SymbolEncoder | VectorEncoder | ImageEncoder | DictEncoder
)


def _is_large_image(space: spaces.Box) -> bool:
    """Whether it holds channel-first bytes from 0 to 255 in enough rows and columns."""
    return (
        space.dtype == np.uint8
        and len(space.shape) == 3
        and bool((space.low == 0).all() and (space.high == 255).all())
        and min(space.shape[1:]) >= _SMALLEST_IMAGE
    )


def _is_flat(space: spaces.Dict) -> bool:
    parts = spaces.Discrete | spaces.MultiDiscrete | spaces.Box | spaces.MultiBinary
    return len(space) > 0 and all(isinstance(part, parts) for part in space.values())


def make_encoder(space: spaces.Space[Any], size: int | None, activation: nn.Module) -> Encoder:
    """Returns the encoder for an observation space.

    Images of at least 36x36 pixels go through a convolutional network; smaller ones, such as the
    7x7x3 symbolic view of MiniGrid, are flattened.

    Args:
        space: The observation space.
        size: Width of a layer that symbols and numbers go through; None where they are not to:
            symbols are one-hots then, numbers stay as they are, and images become 64 numbers.
        activation: Of that layer.

    Raises:
        ValueError: If the space, or a space inside a `Dict`, is not supported.
    """
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        return OneHotEncoder(space) if size is None else SymbolEncoder(space, size, activation)
    if isinstance(space, spaces.Box) and _is_large_image(space):
        return ImageEncoder(space, _IMAGE_SIZE if size is None else size)
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return FlatEncoder(space) if size is None else VectorEncoder(space, size, activation)
    if isinstance(space, spaces.Dict) and _is_flat(space):
        return DictEncoder(space, size, activation)
    raise ValueError(
        f"observation space {space} is not supported; "
        "allowed: Discrete, MultiDiscrete, Box, MultiBinary, and Dict of these"
    )
