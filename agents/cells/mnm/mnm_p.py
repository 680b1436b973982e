"""MNM-p: a neural memory with a learned local write (section 3.4 of Munkhdalai et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.cells.base import Unrolled
from agents.cells.mnm.cell import MNMState
from agents.cells.mnm.fused import FusedMNM


class MNMP(FusedMNM):
    """Writes by the perceptron's rule, towards what backward functions say (equation 4).

    Every layer l but the last has a backward function q^l of the value: a linear layer and a tanh,
    whose range is that of what it is compared with ("a simple single-layer MLP with input v^w",
    Appendix A). The last layer's activation is compared with the value itself, which it is to
    bring forth: with a q of its own it would first have to learn to be the identity.

    Arguments, and what else the paper leaves open, are those of `agents.cells.mnm.cell`, but that
    every layer has its rate (equation 4).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 128,
        memory_layers: int = 3,
        memory_width: int = 32,
        num_heads: int = 1,
        rate_per_layer: bool = True,
        linear_values: bool = False,
        normalized_writes: bool = True,
        recall_weight: float = 1.0,
        recall_delay: int = 0,
        recall_decay: float = 1.0,
        layer_norm: bool = False,
        controller: str = "lstm",
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            memory_layers,
            memory_width,
            num_heads,
            rate_per_layer,
            linear_values,
            normalized_writes,
            recall_weight,
            recall_delay,
            recall_decay,
            layer_norm,
            controller,
        )
        self.backward_functions = nn.ModuleList(
            nn.Linear(memory_width, memory_width) for _ in range(memory_layers - 1)
        )

    def errors(self, memory: Tensor, layers: Tensor, values: Tensor) -> Tensor:
        """Returns how far the layers are from what they should bring forth; see `MNM.errors`."""
        targets = [q(values).tanh() for q in self.backward_functions]
        return layers[:, 1:] - torch.stack([*targets, values], dim=1)

    def sequence(self, xs: Tensor, state: MNMState, starts: Tensor) -> Unrolled:
        """Runs all steps in one autograd function; see `FusedCell.sequence`."""
        return self.run_compiled(xs, state, starts, self.backward_functions)
