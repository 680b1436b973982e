"""The memory-net of MANN-RL (Barrett, *Learning to Remember*, equation 1) as a cell.

The memory m is a vector of numbers from 0 to 1. Whoever acts sees the input and the memory; then
the next memory is made of both, by a linear layer, a norm and a sigmoid:

    out_t = [x_t, m_t]
    m_t+1 = sigmoid(norm(W [x_t, m_t] + b))

Differences. The paper's memory-net also sees what the action network put out, which a cell does
not: it stands below the layers that act. The norm is a layer norm in the place of batch norm, since
a step here has batches of any size, of one row too. The paper trains it by Q-learning on the losses
of the answers, as `MannRL` does; as a cell it is trained like any other, by gradients through time.
An episode starts with zeros. Linear layers start as PyTorch's.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from agents.cells.base import MemoryCell
from memory_envs.arguments import check_integer


class MemoryNetState(NamedTuple):
    """The memory, ``(B, memory_size)``."""

    memory: Tensor


class MemoryNetCell(MemoryCell[MemoryNetState]):
    """A vector that is made anew at every step, of itself and the input.

    The output is the input beside the memory as it was before the step.

    Args:
        input_size: Width of the input.
        memory_size: Numbers in the memory.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on.
    """

    source: ClassVar[str] = "Barrett, Learning to Remember (MANN-RL)"

    def __init__(self, input_size: int, memory_size: int = 48) -> None:
        check_integer("input_size", input_size, 1)
        check_integer("memory_size", memory_size, 1)
        super().__init__(input_size, input_size + memory_size)
        self.memory_size = memory_size
        self.linear = nn.Linear(self.output_size, memory_size)
        self.norm = nn.LayerNorm(memory_size)

    def initial_state(self, batch_size: int) -> MemoryNetState:
        """Returns zeros."""
        return MemoryNetState(self.linear.weight.new_zeros(batch_size, self.memory_size))

    def forward(self, x: Tensor, state: MemoryNetState) -> tuple[Tensor, MemoryNetState]:
        """Takes one step; see `MemoryCell.forward`."""
        out = torch.cat((x, state.memory), dim=1)
        return out, MemoryNetState(self.norm(self.linear(out)).sigmoid())

    def trace(
        self, x: Tensor, state: MemoryNetState
    ) -> tuple[Tensor, MemoryNetState, dict[str, Tensor]]:
        """Takes the same step; each number of the next memory is a slot, taken more or less."""
        out, after = self(x, state)
        return out, after, {"usage": after.memory}
