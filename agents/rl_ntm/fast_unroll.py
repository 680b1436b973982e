"""The controller over whole episodes, fast, on the CPU.

The numbers are those of `PlainUnroll`. Steps keep no graph: they write what the backward pass will
need into arrays that hold all steps. The backward pass is written out by hand. Matrix products are
PyTorch's, the rest is compiled (`agents.rl_ntm.kernels`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.cells.lstm import local_derivatives
from agents.rl_ntm import kernels
from agents.rl_ntm.controller import Controller, Scores
from agents.rl_ntm.unroll import Seen, row_counts


class Record(NamedTuple):
    """What T steps of B episodes write down, each ``(T, B, ...)``.

    Attributes:
        rows: of `weight_in`.
        symbol: under the input head.
        cells: in the memory window.
        entered: their contents before the step, flat, and the hidden state before the step.
        gates: of the LSTM, o, i, f, g after their nonlinearities; else the hidden state.
        cell: of the LSTM, after the step.
        hidden: after the step.
        out: of the output layer; gates of shortcuts after their nonlinearity.
        symbols: their scores.
    """

    rows: Any
    symbol: Any
    cells: Any
    entered: Any
    gates: Any
    cell: Any
    hidden: Any
    out: Any
    symbols: Any


def _new_record(controller: Controller, rows: int, max_steps: int) -> Record:
    """Room for `max_steps`; what no step touches costs nothing."""
    interfaces, like = controller.interfaces, controller.bias.detach()
    state = controller.hidden_size if controller.recurrent else 0
    read = interfaces.memory_window * interfaces.vocabulary

    def numbers(width: int) -> Tensor:
        return like.new_empty(max_steps, rows, width)

    def integers(*width: int) -> Tensor:
        return torch.empty(max_steps, rows, *width, dtype=torch.int64)

    return Record(
        rows=integers(interfaces.input_cells + len(interfaces.move_sizes)),
        symbol=integers(),
        cells=integers(interfaces.memory_window),
        entered=numbers(read + state),
        gates=numbers(len(like)),
        cell=numbers(state),
        hidden=numbers(controller.hidden_size),
        out=numbers(len(controller.bias_out)),
        symbols=numbers(interfaces.outputs),
    )


class FastUnroll:
    """Steps B episodes from their start.

    Args:
        controller: whose parameters are used.
        rows: B.
        max_steps: the most steps that will be taken.
    """

    def __init__(self, controller: Controller, rows: int, max_steps: int) -> None:
        self.controller = controller
        self._record = _new_record(controller, rows, max_steps)
        self._arrays = Record(*(tensor.numpy() for tensor in self._record))
        self._steps = 0
        start = controller.initial_state(rows)
        self._memory, self._head = start.memory.numpy(), start.head.numpy()
        self._moves = start.moves
        self._weight_out, self._bias_out = controller.output_layer()
        self._weight = torch.cat([controller.weight_read, controller.weight_hidden])
        self._inputs = (controller.weight_in.detach().numpy(), controller.bias.detach().numpy())
        self._gain = float(controller.log_gain.detach().exp())

    @torch.no_grad()
    def step(self, symbols: Tensor) -> Scores:
        """See `Unroll`."""
        controller, record, arrays, t = self.controller, self._record, self._arrays, self._steps
        torch.cat([symbols + controller.offsets, self._moves], dim=1, out=record.rows[t])
        record.symbol[t] = symbols[:, symbols.shape[1] // 2]
        seen = arrays.rows, arrays.cells, arrays.entered, arrays.gates
        kernels.enter(t, *seen, self._head, self._memory, *self._inputs)
        self._core(t)
        torch.addmm(self._bias_out, record.hidden[t], self._weight_out, out=record.out[t])
        left = arrays.out, arrays.symbols, arrays.entered, arrays.cells, arrays.symbol
        sizes = controller.choices, controller.gates
        kernels.leave(t, *left, self._memory, self._gain, *sizes)
        self._steps += 1
        return Scores(record.out[t, :, : controller.choices], record.symbols[t])

    def _core(self, t: int) -> None:
        """From what entered, and the sum of the inputs in `gates`, to the hidden state."""
        record, size = self._record, self.controller.hidden_size
        gates, hidden = record.gates[t], record.hidden[t]
        if not self.controller.recurrent:
            torch.tanh(gates.addmm_(record.entered[t], self._weight), out=hidden)
            return
        state = record.entered[t, :, -size:]
        if t:
            state.copy_(record.hidden[t - 1])
        else:
            state.zero_()
        gates.addmm_(record.entered[t], self._weight)
        gates[:, : 3 * size].sigmoid_()
        o, i, f, g = gates.chunk(4, dim=1)
        torch.mul(i, g.tanh_(), out=record.cell[t])
        if t:
            record.cell[t].addcmul_(f, record.cell[t - 1])
        torch.tanh(record.cell[t], out=hidden).mul_(o)

    def move(self, moves: Tensor) -> None:
        """See `Unroll`."""
        if self._memory.shape[1]:
            self._head += moves[:, 1].numpy() - 1  # any integer: the tape is circular
        self._moves = moves + self.controller.move_rows

    def finish(self) -> tuple[Scores, Seen]:
        """See `Unroll`."""
        controller, record = self.controller, Record(*(x[: self._steps] for x in self._record))
        read = controller.interfaces.memory_window * controller.interfaces.vocabulary
        seen = Seen(row_counts(controller, record.rows), record.entered[..., :read])
        scores = _Episodes.apply(  # type: ignore[no-untyped-call]
            controller,
            record,
            seen.inputs,
            controller.weight_in,
            self._weight,
            controller.bias,
            self._weight_out,
            self._bias_out,
            controller.log_gain,
        )
        return Scores(*scores), seen


class _Episodes(torch.autograd.Function):
    """What was stepped already, with a gradient: from scores to parameters.

    Memory cells are only ever added to. So the gradient of the whole tape is one array, which is
    carried backwards through time and, like the tape, changed in place: what was written takes its
    gradient from it, what was read adds to it.
    """

    @staticmethod
    def forward(
        ctx: Any, controller: Controller, record: Record, inputs: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.controller, ctx.record, ctx.inputs = controller, record, inputs
        ctx.save_for_backward(*parameters)
        return record.out[..., : controller.choices].clone(), record.symbols.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_moves: Tensor, grad_symbols: Tensor) -> tuple[Any, ...]:
        record: Record = ctx.record
        _, weight, _, weight_out, _, log_gain = ctx.saved_tensors
        grad_out, grad_gates = _grad_steps(
            ctx.controller, record, grad_moves, grad_symbols, weight, weight_out, log_gain.exp()
        )
        flat_out, flat_gates = grad_out.flatten(0, 1), grad_gates.flatten(0, 1)
        return (
            None,
            None,
            None,
            ctx.inputs.flatten(0, 1).t() @ flat_gates,
            record.entered.flatten(0, 1).t() @ flat_gates,
            flat_gates.sum(0),
            record.hidden.flatten(0, 1).t() @ flat_out,
            flat_out.sum(0),
            (grad_symbols * record.symbols).sum(),
        )


def _grad_steps(
    controller: Controller,
    record: Record,
    grad_moves: Tensor,
    grad_symbols: Tensor,
    weight: Tensor,
    weight_out: Tensor,
    gain: Tensor,
) -> tuple[Tensor, Tensor]:
    """The gradients by the output layer and by what enters the nonlinearities, of all steps."""
    arrays = Record(*(tensor.numpy() for tensor in record))
    grad_out = torch.empty_like(record.out)
    grad_memory = np.zeros(_memory_shape(controller, record), arrays.out.dtype)
    read = grad_memory.shape[2] * record.cells.shape[2]
    grad_read = np.empty((grad_memory.shape[0], read), arrays.out.dtype)
    core = _CoreGradient(controller, record)
    back, back_out = weight.t().contiguous(), weight_out.t().contiguous()
    grads = grad_out.numpy(), grad_read, grad_moves.numpy(), grad_symbols.numpy(), grad_memory
    needed = arrays.out, arrays.entered, arrays.cells, arrays.symbol
    for t in reversed(range(len(grad_out))):
        kernels.leave_back(t, *grads, *needed, float(gain), controller.gates)
        grad_entered = core.step(t, grad_out[t] @ back_out) @ back
        core.grad_hidden = grad_entered[:, read:]
        kernels.enter_back(t, grad_memory, grad_entered.numpy(), grad_read, arrays.cells)
    return grad_out, core.grad_gates


def _memory_shape(controller: Controller, record: Record) -> tuple[int, int, int]:
    interfaces = controller.interfaces
    return record.symbol.shape[1], interfaces.memory_cells, interfaces.vocabulary


class _CoreGradient:
    """Back through the LSTM, or the feed-forward layer, step by step.

    Attributes:
        grad_hidden: what the next step says about this step's hidden state, ``(B, H)``.
        grad_gates: by what enters the nonlinearities, ``(T, B, gates)``.
    """

    def __init__(self, controller: Controller, record: Record) -> None:
        self._recurrent = controller.recurrent
        self._record = record
        self.grad_hidden = torch.zeros_like(record.hidden[0])
        self._grad_cell = torch.zeros_like(record.cell[0])
        if self._recurrent:
            before = torch.cat([torch.zeros_like(record.cell[:1]), record.cell[:-1]])
            # Complete but for the gradient that comes from behind; `step` multiplies it in.
            self.grad_gates, self._to_hidden = local_derivatives(record.gates, before, record.cell)
            self._forget = record.gates.chunk(4, dim=2)[2]
        else:
            self.grad_gates = 1.0 - record.hidden.square()

    def step(self, t: int, grad_hidden: Tensor) -> Tensor:
        """The gradient by what enters the nonlinearities of step t, ``(B, gates)``.

        Args:
            t: the step.
            grad_hidden: what the output layer says about its hidden state; is changed.
        """
        gates = self.grad_gates[t]
        if not self._recurrent:
            return gates.mul_(grad_hidden)
        size = grad_hidden.shape[1]
        grad_hidden += self.grad_hidden
        self._grad_cell.addcmul_(grad_hidden, self._to_hidden[t])
        gates[:, :size].mul_(grad_hidden)
        gates[:, size:].view(-1, 3, size).mul_(self._grad_cell.unsqueeze(1))
        self._grad_cell.mul_(self._forget[t])
        return gates
