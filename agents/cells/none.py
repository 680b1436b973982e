"""The cell without memory: the control twin of every other cell."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from agents.cells.base import MemoryCell


class NoState(NamedTuple):
    """The state of a cell that remembers nothing."""


class NoMemory(MemoryCell[NoState]):
    """Passes its input on; `output_size` is `input_size`.

    Args:
        input_size: Width of the input.
    """

    def __init__(self, input_size: int) -> None:
        super().__init__(input_size, input_size)

    def initial_state(self, batch_size: int) -> NoState:
        """Returns the empty state."""
        return NoState()

    def forward(self, x: Tensor, state: NoState) -> tuple[Tensor, NoState]:
        """Returns the input and the empty state."""
        return x, state
