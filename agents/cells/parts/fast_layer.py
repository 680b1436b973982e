"""What surrounds a memory of fast weights: a layer that asks it by queries and teaches it by keys.

The papers put their memories into a residual block of a Transformer, and so does this layer: an
embedding of the input, its normalisation before the projections (which take no bias, as in the
papers, and need none, since the embedding has one: an observation of zeros can ask, too), queries,
keys and values for several heads, a short convolution over time where the paper has one, and at the
end an output projection that is added to the embedding. The block's feed-forward half is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.cells.parts.addressing import MIN_NORM
from memory_envs.arguments import check_integer

# The last projected inputs of an episode, newest first, each ``(B, width)``.
Recent: TypeAlias = tuple[Tensor, ...]


class Projected(NamedTuple):
    """What a layer makes of its inputs, one step's or a sequence's, after any leading dimensions.

    Attributes:
        embedded: ``(..., hidden_size)``, what the layer's output is added to.
        normed: The same, normalised; gates see it.
        queries: ``(..., H, K)``.
        keys: ``(..., H, K)``.
        values: ``(..., H, V)``.
    """

    embedded: Tensor
    normed: Tensor
    queries: Tensor
    keys: Tensor
    values: Tensor


class RMSNorm(nn.Module):
    """Divides the last dimension by its root mean square, and multiplies it by learned numbers.

    Args:
        size: Of the last dimension.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        """Returns the normalised numbers; below `MIN_NORM` a root mean square counts as that."""
        length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        size = length / math.sqrt(len(self.weight))
        return x / size.clamp(min=MIN_NORM) * self.weight


class FastLayer(nn.Module):
    """The layer around a memory of fast weights.

    The short convolution is depthwise, without bias, over the projections of this step and of the
    steps before it in the same episode; it starts as PyTorch's convolutions do.

    Args:
        input_size: Width of the input.
        hidden_size: Width of the embedding and of the output.
        num_heads: Number of heads, H.
        key_size: Numbers in a head's key, and in its query, K.
        value_size: Numbers in a head's value, V.
        conv_size: Steps that the short convolution sees, this one included; 1 for no convolution.
        activation: Whether queries, keys and values pass SiLU units.
        output_norm: Whether what a head reads is normalised.
        output_gate: Whether what is read is gated by SiLU units that see the input.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_heads: int,
        key_size: int,
        value_size: int,
        conv_size: int = 1,
        activation: bool = False,
        output_norm: bool = True,
        output_gate: bool = False,
    ) -> None:
        check_integer("input_size", input_size, 1)
        check_integer("hidden_size", hidden_size, 1)
        check_integer("num_heads", num_heads, 1)
        check_integer("key_size", key_size, 1)
        check_integer("value_size", value_size, 1)
        check_integer("conv_size", conv_size, 1)
        super().__init__()
        self.num_heads = num_heads
        self._sizes = [key_size, key_size, value_size]
        width = num_heads * sum(self._sizes)
        self.embed = nn.Linear(input_size, hidden_size)
        self.norm = RMSNorm(hidden_size)
        self.project = nn.Linear(hidden_size, width, bias=False)
        self.activation = activation
        self.conv_size = conv_size
        if conv_size > 1:
            end = 1.0 / math.sqrt(conv_size)
            self.conv_weight = nn.Parameter(torch.empty(conv_size, width).uniform_(-end, end))
        self.output_norm = RMSNorm(value_size) if output_norm else nn.Identity()
        self.gate = (
            nn.Linear(hidden_size, num_heads * value_size, bias=False) if output_gate else None
        )
        self.output = nn.Linear(num_heads * value_size, hidden_size, bias=False)

    def no_recent(self, batch_size: int) -> Recent:
        """Returns the last projections at an episode's start: zeros."""
        zeros = self.project.weight.new_zeros(batch_size, len(self.project.weight))
        return (zeros,) * (self.conv_size - 1)

    def enter(self, x: Tensor, recent: Recent) -> tuple[Projected, Recent]:
        """Projects the inputs ``(B, input_size)`` of a step; returns the last projections, too."""
        embedded, normed, projected = self._embed(x)
        taps = (projected, *recent)
        return self._split(embedded, normed, taps), taps[: self.conv_size - 1]

    def enter_all(self, xs: Tensor, recent: Recent, starts: Tensor) -> tuple[Projected, Recent]:
        """Projects the inputs ``(T, B, input_size)`` of all steps, see `FusedCell.sequence`."""
        embedded, normed, projected = self._embed(xs)
        taps = _taps(projected, recent, starts)
        return self._split(embedded, normed, taps), tuple(tap[-1] for tap in taps[:-1])

    def leave(self, projected: Projected, reads: Tensor) -> Tensor:
        """Returns the outputs ``(..., hidden_size)`` for what was read, ``(..., H, V)``."""
        found: Tensor = self.output_norm(reads).flatten(-2)
        if self.gate is not None:
            found = found * F.silu(self.gate(projected.normed))
        added: Tensor = self.output(found)
        return projected.embedded + added

    def _embed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embedded = self.embed(x)
        normed = self.norm(embedded)
        return embedded, normed, self.project(normed)

    def _split(self, embedded: Tensor, normed: Tensor, taps: Sequence[Tensor]) -> Projected:
        mixed = taps[0]
        if self.conv_size > 1:
            first, *weights = self.conv_weight.unbind()
            mixed = mixed * first
            for tap, weight in zip(taps[1:], weights, strict=True):
                mixed = torch.addcmul(mixed, tap, weight)
        if self.activation:
            mixed = F.silu(mixed)
        heads = mixed.view(*mixed.shape[:-1], self.num_heads, sum(self._sizes))
        queries, keys, values = torch.split(heads, self._sizes, dim=-1)
        return Projected(embedded, normed, queries, keys, values)


def _taps(projected: Tensor, recent: Recent, starts: Tensor) -> list[Tensor]:
    """Returns the projections ``(T, B, width)`` of each step, of the step before it, and so on.

    Zeros stand for steps of another episode.
    """
    taps = [projected]
    for before in recent:
        shifted = torch.cat((before.unsqueeze(0), taps[-1][:-1]))
        taps.append(shifted.masked_fill(starts.unsqueeze(-1), 0))
    return taps
