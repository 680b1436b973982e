"""The controller over whole episodes, fast, on the CPU.

The numbers are those of `PlainUnroll`. Steps keep no graph: they write what the backward pass
(`backward`) will need into arrays that hold all steps. Matrix products and nonlinearities are
PyTorch's, the rest is compiled (`kernels`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.algorithms.rl_ntm.controller import Controller, ControllerState, Scores
from agents.algorithms.rl_ntm.fast import kernels
from agents.algorithms.rl_ntm.fast.backward import RecordedScores
from agents.algorithms.rl_ntm.fast.kernels import InputLayer, output_layer_of
from agents.algorithms.rl_ntm.fast.packed_lstm import squash
from agents.algorithms.rl_ntm.fast.record import new_record
from agents.algorithms.rl_ntm.unroll import Ints, Seen, row_counts


class FastUnroll:
    """Steps B episodes from their start.

    Args:
        controller: The controller whose parameters are used.
        rows: B.
        max_steps: Largest number of steps that will be taken.
    """

    def __init__(self, controller: Controller, rows: int, max_steps: int) -> None:
        self.controller = controller
        self._record = new_record(controller, rows * max_steps)
        self._arrays = self._record.arrays()
        self._rows: list[Ints] = []
        self._size = 0
        state = (part.contiguous().numpy() for part in controller.initial_state(rows))
        self._state: Any = ControllerState(*state)  # type: ignore[arg-type]  # of NumPy arrays
        self._move_rows = controller.move_rows.numpy()
        self._input_layer = InputLayer(
            controller.offsets.numpy(),
            controller.weight_in.detach().numpy(),
            controller.bias.detach().numpy(),
        )
        self._weight_out, self._bias_out = controller.output_layer()
        self._weight = torch.cat([controller.weight_read, controller.weight_hidden])
        self._output_layer = output_layer_of(controller)

    @torch.no_grad()
    def step(self, symbols: Tensor, rows: Ints) -> Scores:
        """See `Unroll`."""
        controller, state = self.controller, self._state
        start, self._size = self._size, self._size + len(rows)
        self._rows.append(rows)
        record = self._record.part(start, self._size)
        arrays = self._arrays.part(start, self._size)
        seen, output_layer = symbols.numpy(), self._output_layer
        kernels.read_inputs(rows, seen, self._input_layer, output_layer, state, arrays)
        record.gates.addmm_(record.entered, self._weight)
        if controller.recurrent:
            squash(rows, record.gates, state.cell, record.before, record.squashed, record.hidden)
            state.hidden[rows] = arrays.hidden
        else:
            torch.tanh(record.gates, out=record.hidden)
        torch.addmm(self._bias_out, record.hidden, self._weight_out, out=record.out)
        content = controller.choices + controller.gates
        record.out[:, controller.choices : content].sigmoid_()
        kernels.score_and_write(rows, output_layer, state, arrays)
        return Scores(record.out[:, : controller.choices], record.symbols)

    def move(self, moves: Tensor) -> None:
        """See `Unroll`."""
        rows, state, chosen = self._rows[-1], self._state, moves.numpy()
        if state.memory.shape[1]:
            state.head[rows] += chosen[:, 1] - 1  # any integer: the tape is circular
        state.moves[rows] = chosen + self._move_rows

    def finish(self) -> tuple[Scores, Seen]:
        """See `Unroll`."""
        controller, record = self.controller, self._record.part(0, self._size)
        read = controller.interfaces.read_window * controller.interfaces.vocabulary
        seen = Seen(row_counts(controller, record.inputs), record.entered[:, :read])
        scores = RecordedScores.apply(  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
            controller,
            record,
            self._rows,
            len(self._state.head),
            seen.inputs,
            controller.weight_in,
            self._weight,
            controller.bias,
            self._weight_out,
            self._bias_out,
            controller.log_gain,
        )
        return Scores(*scores), seen
