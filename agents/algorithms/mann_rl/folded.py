"""The memory-net while it is not trained, its batch norms folded into its linear layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.algorithms.mann_rl.networks import MemoryNet


class FoldedMemoryNet:
    """What a memory-net in evaluation does, in fewer calls and without gradients.

    It does not follow later changes of the net.

    Args:
        net: The memory-net.
    """

    def __init__(self, net: MemoryNet) -> None:
        self._sees_output = net.sees_output
        self._embedding: tuple[Tensor, Tensor] | None = None
        if isinstance(net.embedding, nn.Sequential):
            linear, norm, _ = net.embedding
            assert isinstance(linear, nn.Linear)
            assert isinstance(norm, nn.BatchNorm1d)
            self._embedding = _folded(linear, norm)
        self._bias, self._weight = _folded(net.linear, net.norm)

    def __call__(self, memory: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Maps memories, inputs and outputs, ``(B, width)`` each, to the next memories."""
        seen: tuple[Tensor, ...] = (inputs, outputs) if self._sees_output else (inputs,)
        if self._embedding is not None:
            bias, weight = self._embedding
            embedded = torch.addmm(bias, torch.cat(seen), weight).relu_()
            seen = torch.split(embedded, memory.shape[0])
        return torch.addmm(self._bias, torch.cat((*seen, memory), 1), self._weight).sigmoid_()


@torch.no_grad()
def _folded(linear: nn.Linear, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Returns the bias, and the weight the way `torch.addmm` takes it."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    bias = (linear.bias - norm.running_mean) * scale + norm.bias
    return bias, (linear.weight * scale[:, None]).t()
