"""What drives an external memory: the controllers by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from agents.cells.base import MemoryCell
from agents.cells.lstm import LSTM
from agents.cells.none import NoState
from memory_envs.arguments import check_integer


class FeedForward(MemoryCell[NoState]):
    """A controller without memory of its own: one layer of tanh units."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        check_integer("hidden_size", hidden_size, 1)
        super().__init__(input_size, hidden_size)
        self.layer = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size: int) -> NoState:
        """Returns the empty state."""
        return NoState()

    def forward(self, x: Tensor, state: NoState) -> tuple[Tensor, NoState]:
        """Takes one step; see `MemoryCell.forward`."""
        return self.layer(x).tanh(), state


class GatedFeedForward(MemoryCell[NoState]):
    """A controller without memory of its own: what an LSTM makes of an input in an empty state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        check_integer("hidden_size", hidden_size, 1)
        super().__init__(input_size, hidden_size)
        self.gates = nn.Linear(input_size, 3 * hidden_size)  # i, g, o; nothing is there to forget

    def initial_state(self, batch_size: int) -> NoState:
        """Returns the empty state."""
        return NoState()

    def forward(self, x: Tensor, state: NoState) -> tuple[Tensor, NoState]:
        """Takes one step; see `MemoryCell.forward`."""
        i, g, o = self.gates(x).chunk(3, dim=1)
        return o.sigmoid() * (i.sigmoid() * g.tanh()).tanh(), state


CONTROLLERS: dict[str, Callable[[int, int], MemoryCell[Any]]] = {
    "lstm": partial(LSTM, initialization="orthogonal"),
    "feedforward": FeedForward,
}
