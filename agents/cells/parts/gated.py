"""What the LSTM and the GRU share: torch's parameters, and the parts of a fused unroll.

The fused unroll is one autograd function over a whole sequence. Forward, all inputs are projected
in one product; then each step is one product and one compiled kernel. Backward, each step is one
kernel and one product; then each weight's gradient is one product over all steps.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from agents.cells.base import FusedCell
from agents.cells.state import S
from memory_envs.arguments import check_choice, check_integer

INITIALIZATIONS = ("spread", "orthogonal")
# The ends of the biases that a spread keeping gate starts with: left alone, a unit forgets within
# 1.4 steps at the lower end, and within 21 at the upper one.
SPREAD = (-1.0, 3.0)


class GatedCell(FusedCell[S]):
    """A recurrent network whose gates see the input and its own last output.

    Parameters have the names and shapes of `torch.nn.LSTMCell` and `torch.nn.GRUCell`. What units
    remember at first depends on the gate that keeps their state, and tasks differ in what they ask
    for: control wants short memories, counting long ones. Therefore the gate's biases start evenly
    spread, so that units have time scales evenly spread on a logarithmic axis, in the spirit of the
    chrono initialisation of Tallec and Ollivier (2018), which draws the time scales uniformly from
    those of the task; with all weights as small as PyTorch makes them.

    Args:
        input_size: Width of the input.
        hidden_size: Number of units; the output is as wide.
        initialization: ``"spread"``, or ``"orthogonal"``, with larger first weights: recurrent ones
            orthogonal, gate by gate, those of the input by Xavier's rule.

    Attributes:
        gates: How many gates are stacked in the parameters.
        keeping_gate: Index of the gate that keeps the state.
        kept_bias: The bias of that gate with ``"orthogonal"``.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on, or there is no such
            initialization.
    """

    gates: ClassVar[int]
    keeping_gate: ClassVar[int] = 1  # in an LSTM the forget gate, in a GRU the update gate
    kept_bias: ClassVar[float]

    def __init__(
        self, input_size: int, hidden_size: int = 128, initialization: str = "spread"
    ) -> None:
        check_integer("hidden_size", hidden_size, 1)
        check_choice("initialization", initialization, INITIALIZATIONS)
        super().__init__(input_size, hidden_size)
        self.hidden_size = hidden_size
        width = self.gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(width, input_size))
        self.weight_hh = nn.Parameter(torch.empty(width, hidden_size))
        self.bias_ih = nn.Parameter(torch.zeros(width))
        self.bias_hh = nn.Parameter(torch.zeros(width))
        with torch.no_grad():
            keeping = self.bias_ih.view(self.gates, hidden_size)[self.keeping_gate]
            if initialization == "spread":
                self._start_small()
                keeping.copy_(torch.linspace(*SPREAD, hidden_size))
            else:
                self._start_orthogonal()
                keeping.fill_(self.kept_bias)

    def _start_small(self) -> None:
        end = 1.0 / math.sqrt(self.hidden_size)
        nn.init.uniform_(self.weight_ih, -end, end)
        nn.init.uniform_(self.weight_hh, -end, end)

    def _start_orthogonal(self) -> None:
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
