"""The two networks of MANN-RL (Barrett, section 2 and section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def _embedding(width: int, size: int | None) -> nn.Module:
    """Returns linear layer, batch norm and ReLU (section 4.3); nothing without a size."""
    if size is None:
        return nn.Identity()
    return nn.Sequential(nn.Linear(width, size), nn.BatchNorm1d(size), nn.ReLU())


class ActionNetwork(nn.Module):
    """Answers from the input and the memory.

    Args:
        input_size: Width of an encoded input.
        memory_size: Width of the memory.
        choices: Number of answers.
        embedding_size: Width to which the input is brought first; None for as it is.
        hidden_layers: Layers, each with batch norm and ReLU, before the last.
    """

    def __init__(
        self,
        input_size: int,
        memory_size: int,
        choices: int,
        embedding_size: int | None,
        hidden_layers: int,
    ) -> None:
        super().__init__()
        self.choices = choices
        self.embedding = _embedding(input_size, embedding_size)
        width = (embedding_size or input_size) + memory_size
        layers: list[nn.Module] = []
        for _ in range(hidden_layers):
            layers += [nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, choices))

    def forward(self, inputs: Tensor, memory: Tensor) -> Tensor:
        """Maps inputs ``(B, input_size)`` and memories ``(B, memory_size)`` to logits."""
        logits: Tensor = self.layers(torch.cat([self.embedding(inputs), memory], dim=1))
        return logits


# What the memory-net is told: input and output, as in the paper, or the input alone.
MEMORY_NETS = ("input_output", "input")


class MemoryNet(nn.Module):
    """The next memory from the present one, input and output (equation 1), each number in [0, 1].

    Args:
        input_size: Width of an encoded input.
        output_size: Width of the action network's output; 0 for a memory that does not see it.
        memory_size: Width of the memory.
        embedding_size: Width to which input and output are brought first, both by the same layer,
            so that they must be of one width; None for as they are.
    """

    def __init__(
        self, input_size: int, output_size: int, memory_size: int, embedding_size: int | None
    ) -> None:
        super().__init__()
        self.embedding = _embedding(input_size, embedding_size)
        self.sees_output = output_size > 0
        sizes = [input_size, output_size] if embedding_size is None else [embedding_size] * 2
        seen = sum(sizes) if self.sees_output else sizes[0]
        self.linear = nn.Linear(seen + memory_size, memory_size)
        self.norm = nn.BatchNorm1d(memory_size)

    def forward(self, memory: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Maps memories, inputs and outputs, ``(B, width)`` each, to the next memories."""
        seen = [inputs, outputs] if self.sees_output else [inputs]
        flat = torch.cat([*map(self.embedding, seen), memory], dim=1)
        return torch.sigmoid(self.norm(self.linear(flat)))


@contextmanager
def kept_statistics(network: nn.Module) -> Iterator[None]:
    """Lets batch norms take steps in training without a trace in their running statistics."""
    kept = [
        (module, name, buffer)
        for module in network.modules()
        if isinstance(module, nn.BatchNorm1d)
        for name, buffer in module.named_buffers()
    ]
    for module, name, buffer in kept:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in kept:
            setattr(module, name, buffer)
