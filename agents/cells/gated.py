"""What the LSTM and the GRU share: torch's parameters, and the parts of a fused unroll.

The fused unroll is one autograd function over a whole sequence. Forward, all inputs are projected
in one product; then each step is one product and one compiled kernel. Backward, each step is one
kernel and one product; then each weight's gradient is one product over all steps.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from agents.cells.base import FusedCell
from agents.cells.state import S
from memory_envs.arguments import check_integer


class GatedCell(FusedCell[S]):
    """A recurrent network whose gates see the input and its own last output.

    Parameters have the names and shapes of `torch.nn.LSTMCell` and `torch.nn.GRUCell`. Recurrent
    weights start orthogonal, gate by gate, input weights by Xavier's rule, biases at zero.

    Args:
        input_size: Width of the input.
        hidden_size: Number of units; the output is as wide.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on.
    """

    gates: ClassVar[int]

    def __init__(self, input_size: int, hidden_size: int = 128) -> None:
        check_integer("hidden_size", hidden_size, 1)
        super().__init__(input_size, hidden_size)
        self.hidden_size = hidden_size
        width = self.gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(width, input_size))
        self.weight_hh = nn.Parameter(torch.empty(width, hidden_size))
        self.bias_ih = nn.Parameter(torch.zeros(width))
        self.bias_hh = nn.Parameter(torch.zeros(width))
        with torch.no_grad():
            for gate in self.weight_ih.chunk(self.gates):
                nn.init.xavier_uniform_(gate)
            for gate in self.weight_hh.chunk(self.gates):
                nn.init.orthogonal_(gate)


def project(xs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Returns the inputs ``(T, B, I)`` times a weight ``(G, I)`` plus a bias, ``(T, B, G)``."""
    return torch.addmm(bias, xs.flatten(0, 1), weight.t()).view(*xs.shape[:2], len(bias))


def enter(state: Tensor, starts: Tensor, states: Tensor) -> None:
    """Writes what enters the first step: a state ``(B, H)``, zero where an episode starts.

    Args:
        state: Before the first step.
        starts: ``(T, B)`` bool.
        states: The states that enter the steps, ``(T + 1, B, H)``.
    """
    torch.where(starts[0].unsqueeze(1), torch.zeros_like(state), state, out=states[0])


def weight_gradient(grad_outputs: Tensor, inputs: Tensor) -> Tensor:
    """Returns the gradient ``(O, I)`` of a weight that turned ``(T, B, I)`` into ``(T, B, O)``."""
    # The transpose is the faster product.
    return (inputs.flatten(0, 1).t() @ grad_outputs.flatten(0, 1)).t()
