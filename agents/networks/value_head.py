"""The critic's head, which learns normalised values and answers with true ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agents.networks.mlp import make_mlp

# A new rollout weighs at least this much in the running mean and variance.
_LEAST_WEIGHT = 0.1
# Returns that hardly differ are not blown up: the scale is at least this number, and at least this
# share of the mean.
_SMALLEST_SCALE = 1e-4
_SMALLEST_SHARE = 0.1


class ValueHead(nn.Module):
    """Values as ``scale * mlp(features) + shift`` (PopArt, van Hasselt et al. 2016).

    `shift` and `scale` are 0 and 1 until `track` is first called, and then follow the mean and the
    standard deviation of the returns, so that the layers learn numbers of about one whatever the
    rewards are.

    Args:
        inputs: Width of the features.
        net_arch: Widths of the hidden layers.
        activation_fn: Made anew for each hidden layer.
    """

    shift: Tensor
    scale: Tensor
    updates: Tensor

    def __init__(
        self, inputs: int, net_arch: Sequence[int], activation_fn: type[nn.Module]
    ) -> None:
        super().__init__()
        self.mlp = make_mlp(inputs, net_arch, 1, activation_fn, gain=1.0)
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, features: Tensor) -> Tensor:
        """Maps features ``(..., inputs)`` to values ``(...)`` in the units of the rewards."""
        normalized: Tensor = self.mlp(features).squeeze(-1)
        return normalized * self.scale + self.shift

    @torch.no_grad()
    def track(self, returns: Tensor) -> None:
        """Lets shift and scale follow the returns of a rollout; the values stay what they were.

        The first rollouts weigh the same; later the older ones are forgotten.

        Args:
            returns: Of any shape.
        """
        self.updates += 1
        weight = (1.0 / self.updates).clamp(min=_LEAST_WEIGHT)
        if self.updates == 1:
            shift, variance = returns.mean(), returns.var(correction=0)
        else:
            step = returns.mean() - self.shift
            shift = self.shift + weight * step
            # The variance of a mixture: that within each part, and that between their means.
            within = torch.lerp(self.scale.square(), returns.var(correction=0), weight)
            variance = within + weight * (1.0 - weight) * step.square()
        smallest = (_SMALLEST_SHARE * shift.abs()).clamp(min=_SMALLEST_SCALE)
        scale = torch.maximum(variance.sqrt(), smallest)
        last = self.mlp[-1]
        assert isinstance(last, nn.Linear)
        last.weight.mul_(self.scale / scale)
        last.bias.mul_(self.scale).add_(self.shift - shift).div_(scale)
        self.shift.copy_(shift)
        self.scale.copy_(scale)


class NoValue(ValueHead):
    """In place of a critic where there is none: the value of everything is 0."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def forward(self, features: Tensor) -> Tensor:
        """Maps features ``(..., inputs)`` to zeros ``(...)``."""
        return features.new_zeros(features.shape[:-1])
