"""Action distributions over ``(B,)`` or ``(T, B)`` leading shapes, without per-row Python code.

An action head is built once from the action space. Called with the network's output it gives a
distribution object that knows `sample`, `mode`, `log_prob` and `entropy`. Nothing is validated
here: masks are checked where they enter (`DiscreteHead.check_masks`).
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from torch import Tensor, nn

# The log-probability of a forbidden choice before normalisation. Finite, so that 0 * log p is 0.
FORBIDDEN = -1e9
# Numbers in a vector register: PyTorch's log-softmax is several times slower on other sizes.
_LANES = 16
# What is left out at either end of the distribution function when it is inverted.
_EDGE = 2.0**-20
# The most choices, padded, that an action may have.
_LARGEST = 1 << 24
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Categorical:
    """One categorical variable per sub-action.

    Args:
        logits: ``(..., n_sub, max_n)``; choices that do not exist or are masked hold `FORBIDDEN`.
        squeeze: Whether actions have no sub-action dimension (`Discrete` spaces).
    """

    def __init__(self, logits: Tensor, squeeze: bool) -> None:
        self.log_probs = torch.log_softmax(logits, dim=-1)
        self.squeeze = squeeze

    def _shaped(self, choices: Tensor) -> Tensor:
        return choices.squeeze(-1) if self.squeeze else choices

    def probs(self) -> Tensor:
        """Returns the probabilities, ``(..., n_sub, max_n)``."""
        # Where exp underflows it is an order of magnitude slower; 2e-35 is as good as 0.
        return self.log_probs.clamp_min(-80.0).exp()

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Returns int64 actions ``(..., n_sub)``, by inverting the distribution function."""
        cumulative = self.probs().cumsum(dim=-1)
        total = cumulative[..., -1:]
        # A level between the ends by more than sums are rounded: choices of no probability do not
        # reach the lower end, and a choice that may be taken reaches the upper one, although a sum
        # made in parallel, on a GPU, may grow a little more over choices of no probability.
        level = torch.empty_like(total).uniform_(_EDGE, 1.0 - _EDGE, generator=generator)
        return self._shaped((cumulative < level.mul_(total)).sum(dim=-1))

    def mode(self) -> Tensor:
        """Returns the most probable actions, ``(..., n_sub)`` int64."""
        return self._shaped(self.log_probs.argmax(dim=-1))

    def log_prob(self, actions: Tensor) -> Tensor:
        """Returns the joint log-probability ``(...)`` of actions ``(..., n_sub)``."""
        index = actions.unsqueeze(-1)
        if self.squeeze:
            index = index.unsqueeze(-1)
        return self.log_probs.gather(-1, index).sum(dim=(-2, -1))

    def entropy(self) -> Tensor:
        """Returns the joint entropy ``(...)`` in nats."""
        return -(self.probs() * self.log_probs).sum(dim=(-2, -1))


class DiagonalGaussian:
    """Independent normal variables, one per action dimension.

    Args:
        mean: ``(..., size)``.
        log_std: ``(size,)``, the same in every state as in SB3.
        shape: Shape of one action.
    """

    def __init__(self, mean: Tensor, log_std: Tensor, shape: tuple[int, ...]) -> None:
        self.mean = mean
        self.log_std = log_std
        self.shape = shape

    def _shaped(self, flat: Tensor) -> Tensor:
        return flat.reshape(*flat.shape[:-1], *self.shape)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Returns unclipped actions ``(..., *shape)``."""
        noise = torch.empty_like(self.mean).normal_(generator=generator)
        return self._shaped(self.mean + noise * self.log_std.exp())

    def mode(self) -> Tensor:
        """Returns the mean, ``(..., *shape)``."""
        return self._shaped(self.mean)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Returns the joint log-density ``(...)`` of unclipped actions ``(..., *shape)``."""
        standard = (actions.reshape(self.mean.shape) - self.mean) * torch.exp(-self.log_std)
        return -(0.5 * standard.square() + self.log_std + _HALF_LOG_2PI).sum(dim=-1)

    def entropy(self) -> Tensor:
        """Returns the joint differential entropy ``(...)`` in nats."""
        total = (self.log_std + 0.5 + _HALF_LOG_2PI).sum()
        return total.expand(self.mean.shape[:-1])


Distribution: TypeAlias = Categorical | DiagonalGaussian


class DiscreteHead(nn.Module):
    """From ``(..., sum(n))`` logits to a `Categorical`; for `Discrete` and `MultiDiscrete`.

    Sub-actions are padded to one size, so that one log-softmax serves all.

    Args:
        space: The action space. Actions inside the agent start from 0, whatever the space's start.
    """

    maskable = True

    def __init__(self, space: spaces.Discrete | spaces.MultiDiscrete) -> None:
        super().__init__()
        self.squeeze = isinstance(space, spaces.Discrete)
        sizes = np.atleast_1d(space.n if isinstance(space, spaces.Discrete) else space.nvec)
        if sizes.ndim != 1:
            raise ValueError(
                f"action space {space} has sub-actions in {sizes.ndim} dimensions; allowed: 1"
            )
        self.start = space.start
        self.action_dtype = space.dtype
        self.sizes = [int(n) for n in sizes]
        self.offsets = np.cumsum([0, *self.sizes[:-1]])
        self.input_size = sum(self.sizes)
        if len(sizes) * sizes.max() > _LARGEST:
            raise ValueError(
                f"action space {space} is too large; allowed: {_LARGEST} padded choices"
            )
        self.padded_size = -(-max(self.sizes) // _LANES) * _LANES

    def forward(self, logits: Tensor, masks: Tensor | None = None) -> Categorical:
        """Builds the distribution.

        Args:
            logits: ``(..., sum(n))``.
            masks: ``(..., sum(n))`` bool, True where a choice is allowed, or None.
        """
        if masks is not None:
            logits = torch.where(masks, logits, FORBIDDEN)
        padded = [
            nn.functional.pad(part, (0, self.padded_size - part.shape[-1]), value=FORBIDDEN)
            for part in torch.split(logits, self.sizes, dim=-1)
        ]
        together = torch.stack(padded, dim=-2) if len(padded) > 1 else padded[0].unsqueeze(-2)
        return Categorical(together, self.squeeze)

    def check_masks(self, masks: npt.NDArray[Any], rows: int) -> npt.NDArray[np.bool_]:
        """Returns the masks as ``(rows, sum(n))`` bool.

        Raises:
            ValueError: If the shape is wrong or a sub-action has no allowed choice.
        """
        allowed = np.asarray(masks, dtype=np.bool_)
        if allowed.ndim == 1:
            allowed = allowed[None]
        if allowed.shape != (rows, self.input_size):
            raise ValueError(
                f"action_masks has shape {np.shape(masks)}; allowed: {(rows, self.input_size)}, "
                "one flat row per environment over all sub-actions"
            )
        possible = np.logical_or.reduceat(allowed, self.offsets, axis=1)
        if not possible.all():
            row, sub_action = np.argwhere(~possible)[0]
            raise ValueError(
                f"action_masks forbids every choice of sub-action {sub_action} in row {row}; "
                "at least one must be allowed"
            )
        return allowed

    def to_env(self, actions: Tensor) -> npt.NDArray[Any]:
        """Converts sampled actions to what the environment takes."""
        return np.asarray(actions.cpu().numpy() + self.start, dtype=self.action_dtype)


class BoxHead(nn.Module):
    """From ``(..., size)`` means to a `DiagonalGaussian`; for `Box`.

    Args:
        space: The action space; its bounds clip what the environment gets.
        log_std_init: Logarithm of the first standard deviation.
    """

    maskable = False

    def __init__(self, space: spaces.Box, log_std_init: float = 0.0) -> None:
        super().__init__()
        self.low, self.high = space.low, space.high
        self.shape = space.shape
        self.input_size = math.prod(space.shape)
        self.log_std = nn.Parameter(torch.full((self.input_size,), float(log_std_init)))

    def forward(self, mean: Tensor, masks: Tensor | None = None) -> DiagonalGaussian:
        """Builds the distribution from means ``(..., size)``; there is nothing to mask."""
        return DiagonalGaussian(mean, self.log_std, self.shape)

    def check_masks(self, masks: npt.NDArray[Any], rows: int) -> npt.NDArray[np.bool_]:
        """Refuses masks, which a continuous action cannot obey.

        Raises:
            ValueError: Always.
        """
        raise ValueError("action_masks given for a Box action space; allowed: None")

    def to_env(self, actions: Tensor) -> npt.NDArray[Any]:
        """Clips sampled actions to the bounds of the space."""
        clipped: npt.NDArray[Any] = np.clip(actions.cpu().numpy(), self.low, self.high)
        return clipped


def make_action_head(space: spaces.Space[Any], log_std_init: float = 0.0) -> DiscreteHead | BoxHead:
    """Returns the head for an action space.

    Args:
        space: The action space.
        log_std_init: Logarithm of the first standard deviation, for `Box`.

    Raises:
        ValueError: If the space is neither `Discrete`, `MultiDiscrete` nor `Box`.
    """
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        return DiscreteHead(space)
    if isinstance(space, spaces.Box):
        return BoxHead(space, log_std_init)
    raise ValueError(
        f"action space {space} is not supported; allowed: Discrete, MultiDiscrete, Box"
    )
