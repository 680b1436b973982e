"""Minimal gated recurrent unit (Feng et al. 2024, "Were RNNs All We Needed?", arXiv:2410.01201).

A GRU without reset gate, whose update gate z and candidate see the input alone, and whose candidate
is not squashed (section 3.1 of the paper):

    z = sigmoid(W_z x + b_z)
    candidate = W_h x + b_h
    h = (1 - z) * h_before + z * candidate

So the state is a linear recurrence, and all steps can be taken at once. The paper's appendix also
has a variant whose states are positive, because it scans logarithms; this scan needs none.

The paper leaves open how the weights start. Here they start as PyTorch's do, and the biases of
z so that units have time scales evenly spread, as those of our GRU.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from agents.cells.base import FusedCell, Unrolled
from agents.cells.parts.gated import SPREAD
from agents.cells.parts.scan import scan
from memory_envs.arguments import check_integer


class MinGRUState(NamedTuple):
    """Hidden state, ``(B, hidden_size)``."""

    hidden: Tensor


class MinGRU(FusedCell[MinGRUState]):
    """One layer of minGRU; its output is its hidden state.

    Args:
        input_size: Width of the input.
        hidden_size: Number of units; the output is as wide.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on.
    """

    source: ClassVar[str] = "Feng et al. 2024, arXiv:2410.01201"

    def __init__(self, input_size: int, hidden_size: int = 128) -> None:
        check_integer("hidden_size", hidden_size, 1)
        super().__init__(input_size, hidden_size)
        self.hidden_size = hidden_size
        self.gate = nn.Linear(input_size, hidden_size)
        self.candidate = nn.Linear(input_size, hidden_size)
        with torch.no_grad():
            self.gate.bias.copy_(-torch.linspace(*SPREAD, hidden_size))

    def initial_state(self, batch_size: int) -> MinGRUState:
        """Returns zeros."""
        return MinGRUState(self.gate.weight.new_zeros(batch_size, self.hidden_size))

    def forward(self, x: Tensor, state: MinGRUState) -> tuple[Tensor, MinGRUState]:
        """Takes one step; see `MemoryCell.forward`."""
        hidden = torch.lerp(state.hidden, self.candidate(x), self.gate(x).sigmoid())
        return hidden, MinGRUState(hidden)

    def trace(self, x: Tensor, state: MinGRUState) -> tuple[Tensor, MinGRUState, dict[str, Tensor]]:
        """Takes the same step, and returns the update gate besides."""
        out, state = self(x, state)
        return out, state, {"update_gate": self.gate(x).sigmoid()}

    def takes(self, xs: Tensor) -> bool:
        """Takes inputs of every type, everywhere."""
        return True

    def sequence(self, xs: Tensor, state: MinGRUState, starts: Tensor) -> Unrolled:
        """Runs all steps in one scan; see `FusedCell.sequence`."""
        gates = self.gate(xs)
        inputs = gates.sigmoid() * self.candidate(xs)
        hiddens = scan((-gates).sigmoid(), inputs, state.hidden, starts)
        return Unrolled(hiddens, MinGRUState(hiddens[-1]), {})
