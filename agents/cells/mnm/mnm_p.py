"""MNM-p: a neural memory with a learned local write (section 3.4 of Munkhdalai et al. 2019)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from agents.cells.base import FusedCell, Unrolled
from agents.cells.lstm import LSTMState
from agents.cells.mnm.cell import MNM, MNMState
from agents.cells.mnm.fast.row import Switches
from agents.cells.mnm.fast.sequence import Carried, Parameters, run_sequence
from agents.cells.parts.gated import project


class MNMP(MNM, FusedCell[MNMState]):
    """Writes by the perceptron's rule, towards what backward functions say (equation 4).

    Every layer l but the last has a backward function q^l of the value: a linear layer and a tanh,
    whose range is that of what it is compared with ("a simple single-layer MLP with input v^w",
    Appendix A). The last layer's activation is compared with the value itself, which it is to
    bring forth: with a q of its own it would first have to learn to be the identity.

    Arguments, and what else the paper leaves open, are those of `agents.cells.mnm.cell`, but that
    every layer has its rate (equation 4).
    """

    parts_of_step: ClassVar[frozenset[str]] = FusedCell.parts_of_step | {"errors"}

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
        )
        self.backward_functions = nn.ModuleList(
            nn.Linear(memory_width, memory_width) for _ in range(memory_layers - 1)
        )

    def errors(self, memory: Tensor, layers: Tensor, values: Tensor) -> Tensor:
        """Returns how far the layers are from what they should bring forth; see `MNM.errors`."""
        targets = [q(values).tanh() for q in self.backward_functions]
        return layers[:, 1:] - torch.stack([*targets, values], dim=1)

    def takes(self, xs: Tensor) -> bool:
        """Says whether `sequence` can run these inputs; it recalls what was just written, only."""
        return super().takes(xs) and self.recall_delay == 0

    def sequence(self, xs: Tensor, state: MNMState, starts: Tensor) -> Unrolled:
        """Runs all steps in one autograd function; see `FusedCell.sequence`."""
        lstm, units = self.controller, self.controller.hidden_size
        from_input, from_read = lstm.weight_ih.tensor_split([self.input_size], dim=1)
        outs, after, missed = run_sequence(
            project(xs, from_input, lstm.bias_ih + lstm.bias_hh),
            Carried(
                torch.cat((state.controller.hidden, state.read), dim=1),
                state.controller.cell,
                state.memory,
            ),
            Parameters(
                torch.cat((lstm.weight_hh, from_read), dim=1),
                self.interface.weight,
                self.interface.bias,
                self.rate.weight,
                self.rate.bias,
                *self._feedback(),
                self.initial_memory,
            ),
            starts,
            self.num_heads,
            bool(self.loss_weights),
            Switches(self.linear_values, self.normalized_writes),
        )
        hidden, read = after.entering.tensor_split([units], dim=1)
        state = MNMState(after.memory, read, LSTMState(hidden, after.cell), ())
        losses = {"recall": missed} if self.loss_weights else {}
        return Unrolled(self.output(outs), state, losses)

    def _feedback(self) -> tuple[Tensor, Tensor]:
        """Returns the backward functions' weights and biases, one below the other."""
        nothing = self.initial_memory.new_empty(0, self.initial_memory.shape[2])
        weights = [q.get_parameter("weight") for q in self.backward_functions]
        biases = [q.get_parameter("bias") for q in self.backward_functions]
        return torch.cat([nothing, *weights]), torch.cat([nothing[:, 0], *biases])
