"""Whole sequences of MNM-g and MNM-p are compiled, with their gradients (`agents.cells.mnm.fast`).

Steps of a rollout are not: they, and what sequences compute, are in `agents.cells.mnm.cell`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from agents.cells.base import FusedCell, Unrolled
from agents.cells.lstm import LSTM, LSTMState
from agents.cells.mnm.cell import MNM, MNMState
from agents.cells.mnm.fast.records import Switches
from agents.cells.mnm.fast.sequence import Carried, Parameters, run_sequence
from agents.cells.none import NoState
from agents.cells.parts.gated import project

_FORGET = -200.0  # bias of a gate that is closed, to the last bit of 32


class FusedMNM(MNM, FusedCell[MNMState]):
    """An MNM whose `sequence` is `run_compiled`; its arguments are those of `MNM`."""

    parts_of_step: ClassVar[frozenset[str]] = FusedCell.parts_of_step | {"errors"}

    def takes(self, xs: Tensor) -> bool:
        """Says whether `sequence` can run these inputs; it recalls what was just written, only."""
        return super().takes(xs) and self.recall_delay == 0

    def run_compiled(
        self,
        xs: Tensor,
        state: MNMState,
        starts: Tensor,
        backward_functions: Iterable[nn.Module] = (),
        error_scale: float | None = None,
    ) -> Unrolled:
        """Runs all steps in one autograd function; see `FusedCell.sequence`.

        Args:
            xs: ``(T, B, input_size)``.
            state: The state before the first step.
            starts: ``(T, B)``.
            backward_functions: Those of MNM-p.
            error_scale: In MNM-g, what the errors of the values are multiplied by.
        """
        units, controller = self.controller.output_size, state.controller
        weight, bias = self._gates()
        from_input, recurrent = weight.tensor_split([self.input_size], dim=1)
        if isinstance(controller, NoState):
            entering, cell = state.read, xs.new_zeros(xs.shape[1], units)
        else:
            entering, cell = torch.cat((controller.hidden, state.read), dim=1), controller.cell
        outs, after, missed = run_sequence(
            project(xs, from_input, bias),
            Carried(entering, cell, state.memory),
            Parameters(
                recurrent,
                *self._interface(),
                self.rate.weight,
                self.rate.bias,
                *self._feedback(backward_functions),
                self.initial_memory,
            ),
            starts,
            self.num_heads,
            bool(self.loss_weights),
            Switches(
                self.linear_values,
                self.normalized_writes,
                error_scale is not None,
                np.float32(error_scale or 0),
                self.layer_norm,
            ),
        )
        width = after.entering.shape[1] - state.read.shape[1]
        hidden, read = after.entering.tensor_split([width], dim=1)
        if not isinstance(controller, NoState):
            controller = LSTMState(hidden, after.cell)
        state = MNMState(after.memory, read, controller, ())
        losses = {"recall": missed} if self.loss_weights else {}
        if self.layer_norm:
            seen, reads = outs.tensor_split([units], dim=2)
            outs = torch.cat((self.norm(seen), reads), dim=2)
        return Unrolled(self.output(outs), state, losses)

    def _gates(self) -> tuple[Tensor, Tensor]:
        """Returns the weights and biases of an LSTM's gates, of the input and of what enters.

        Those of a controller that has no state are of an LSTM that forgets everything.
        """
        if isinstance(self.controller, LSTM):
            lstm = self.controller
            from_input, from_read = lstm.weight_ih.tensor_split([self.input_size], dim=1)
            weight = torch.cat((from_input, lstm.weight_hh, from_read), dim=1)
            return weight, lstm.bias_ih + lstm.bias_hh
        gates, units = self.controller.gates, self.controller.output_size
        entering, others = gates.weight.tensor_split([units])
        weight = torch.cat((entering, torch.zeros_like(entering), others))
        entering, others = gates.bias.tensor_split([units])
        return weight, torch.cat((entering, torch.full_like(entering, _FORGET), others))

    def _interface(self) -> tuple[Tensor, Tensor]:
        """Returns weights and biases of the interface, those of the normalisation among them."""
        weight, bias = self.interface.weight, self.interface.bias
        if not self.layer_norm:
            return weight, bias
        scale, shift = self.norm.get_parameter("weight"), self.norm.get_parameter("bias")
        return weight * scale, bias + weight @ shift

    def _feedback(self, backward_functions: Iterable[nn.Module]) -> tuple[Tensor, Tensor]:
        """Returns the backward functions' weights and biases, one below the other."""
        nothing = self.initial_memory.new_empty(0, self.initial_memory.shape[2])
        weights, biases = [nothing], [nothing[:, 0]]
        for q in backward_functions:
            weights.append(q.get_parameter("weight"))
            biases.append(q.get_parameter("bias"))
        return torch.cat(weights), torch.cat(biases)
