"""The controller over whole episodes: plainly, and fast.

`PlainUnroll` steps the controller and lets PyTorch keep the graph. `FastUnroll` gives the same
numbers: it steps without a graph, in place, and writes down what the backward pass, which is
written out by hand, will need. A test compares the two.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.cells.lstm import local_derivatives
from agents.rl_ntm.controller import Controller, Scores


class Seen(NamedTuple):
    """What the controller saw in T steps.

    Attributes:
        inputs: how often each row of `weight_in` was added, ``(T, B, rows)``.
        read: the memory cells in the window, ``(T, B, memory_window * vocabulary)``, detached.
    """

    inputs: Tensor
    read: Tensor


class Unroll(Protocol):
    """Steps B episodes from their start."""

    def step(self, symbols: Tensor) -> Scores:
        """Take one step; see `Controller.forward`."""
        ...

    def move(self, moves: Tensor) -> None:
        """Apply the moves of the step, ``(B, moves)``."""
        ...

    def finish(self) -> tuple[Scores, Seen]:
        """The scores of all T steps, with gradients, and what was seen."""
        ...


class PlainUnroll:
    """Step by step, with PyTorch's own graph.

    Args:
        controller: steps.
        rows: B.
    """

    def __init__(self, controller: Controller, rows: int) -> None:
        self.controller = controller
        self.state = controller.initial_state(rows)
        self._scores: list[Scores] = []
        self._seen: list[Seen] = []

    def step(self, symbols: Tensor) -> Scores:
        """See `Unroll`."""
        controller, state = self.controller, self.state
        cells = controller.read_cells(state.head)
        read = state.memory.flatten(0, 1)[cells] if cells.numel() else state.memory
        inputs = _counts(controller, controller.input_rows(symbols, state))
        self._seen.append(Seen(inputs, read.detach().flatten(1)))
        scores: Scores
        scores, self.state = controller(symbols, state)
        self._scores.append(scores)
        return scores

    def move(self, moves: Tensor) -> None:
        """See `Unroll`."""
        self.state = self.controller.moved(self.state, moves)

    def finish(self) -> tuple[Scores, Seen]:
        """See `Unroll`."""
        scores = Scores(*(torch.stack(parts) for parts in zip(*self._scores, strict=True)))
        return scores, Seen(*(torch.stack(parts) for parts in zip(*self._seen, strict=True)))


def _counts(controller: Controller, rows: Tensor) -> Tensor:
    """How often each row of `weight_in` is among ``(..., n)`` rows, as a sum of one-hot vectors."""
    counts = controller.bias.new_zeros(*rows.shape[:-1], len(controller.weight_in))
    return counts.scatter_add_(-1, rows, torch.ones_like(rows, dtype=counts.dtype))


class _Step(NamedTuple):
    """What a step writes down, each ``(B, ...)``; stacked ``(T, B, ...)`` for the backward pass.

    Attributes:
        rows: of `weight_in`.
        cells: in the memory window, numbered over all rows, ``(B * memory_window,)``.
        read: their contents before the step, flat, ``(B, memory_window * vocabulary)``.
        symbol: under the input head.
        gates: of the LSTM, o, i, f, g after their nonlinearities; else the hidden state.
        hidden: after the step.
        cell: after the step.
        out: of the output layer.
    """

    rows: Tensor
    cells: Tensor
    read: Tensor
    symbol: Tensor
    gates: Tensor
    hidden: Tensor
    cell: Tensor
    out: Tensor


class FastUnroll:
    """In place and without a graph, the backward pass by hand.

    Args:
        controller: whose parameters are used.
        rows: B.
    """

    def __init__(self, controller: Controller, rows: int) -> None:
        self.controller = controller
        self._state = controller.initial_state(rows)
        self._memory = self._state.memory.flatten(0, 1)  # the same numbers, written in place
        self._weight_out, self._bias_out = controller.output_layer()
        self._steps: list[_Step] = []

    @torch.no_grad()
    def step(self, symbols: Tensor) -> Scores:
        """See `Unroll`."""
        controller, state = self.controller, self._state
        width, window = controller.interfaces.vocabulary, controller.interfaces.memory_window
        rows = controller.input_rows(symbols, state)
        gates = F.embedding_bag(rows, controller.weight_in, mode="sum").add_(controller.bias)
        cells = controller.read_cells(state.head).flatten()
        read = self._memory.index_select(0, cells).view(len(rows), window * width)
        if window:
            gates.addmm_(read, controller.weight_read)
        if controller.recurrent:
            gates.addmm_(state.hidden, controller.weight_hidden)
        hidden, cell = self._core(gates, state.cell)
        out = torch.addmm(self._bias_out, hidden, self._weight_out)
        symbol = symbols[:, symbols.shape[1] // 2]
        one_hot = controller.one_hot.index_select(0, symbol)
        centre = _centre(read, width)
        scores = controller.shortcuts(out, one_hot, centre)
        if window:
            written = _written(controller, out, one_hot, read)
            self._memory.index_add_(0, cells, written.reshape(-1, width))
        self._steps.append(_Step(rows, cells, read, symbol, gates, hidden, cell, out))
        self._state = state._replace(
            hidden=hidden if controller.recurrent else state.hidden, cell=cell
        )
        return Scores(out[:, : controller.choices], scores)

    def move(self, moves: Tensor) -> None:
        """See `Unroll`."""
        self._state = self.controller.moved(self._state, moves)

    def finish(self) -> tuple[Scores, Seen]:
        """See `Unroll`."""
        controller = self.controller
        record = _Step(*(torch.stack(parts) for parts in zip(*self._steps, strict=True)))
        seen = Seen(_counts(controller, record.rows), record.read)
        out, centre = _Episodes.apply(  # type: ignore[no-untyped-call]
            controller,
            record,
            seen,
            controller.weight_in,
            controller.weight_read,
            controller.weight_hidden,
            controller.bias,
            self._weight_out,
            self._bias_out,
        )
        one_hot = controller.one_hot[record.symbol]
        symbols = controller.shortcuts(out, one_hot, centre)
        return Scores(out[..., : controller.choices], symbols), seen

    def _core(self, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden state and cell; `gates` are squashed in place."""
        if not self.controller.recurrent:
            return gates.tanh_(), cell
        size = self.controller.hidden_size
        gates[:, : 3 * size].sigmoid_()
        o, i, f, g = gates.chunk(4, dim=1)
        g.tanh_()
        cell = (f * cell).addcmul_(i, g)
        return o * cell.tanh(), cell


def _centre(read: Tensor, width: int) -> Tensor:
    """The cell under the head, ``(..., width)``, or ``(..., 0)`` without a tape."""
    window = read.shape[-1] // width
    return read[..., window // 2 * width : (window // 2 + 1) * width if window else 0]


def _written(controller: Controller, out: Tensor, one_hot: Tensor, read: Tensor) -> Tensor:
    """See `Controller._written`; in place where that is possible."""
    window, width = controller.interfaces.memory_window, controller.interfaces.vocabulary
    written = out[:, controller.scores :].reshape(-1, window, width)
    if controller.direct:
        gates = out[:, controller.choices + 2 : controller.choices + controller.gates].sigmoid()
        gates = gates.unsqueeze(2)
        cells = read.view_as(written)
        written = written.addcmul(gates[:, :window], one_hot.unsqueeze(1))
        change = _centre(read, width).unsqueeze(1) - cells[:, controller.neighbours]
        written.index_add_(1, controller.neighbours, change.mul_(gates[:, window:]))
    return written


class _Episodes(torch.autograd.Function):
    """What was stepped already, with a gradient: from scores and centre cells to parameters.

    Memory cells are only ever added to. So the gradient of the whole tape is one array, which is
    carried backwards through time and, like the tape, changed in place: what was written takes its
    gradient from it, what was read adds to it.
    """

    @staticmethod
    def forward(
        ctx: Any, controller: Controller, record: _Step, seen: Seen, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.controller, ctx.record, ctx.seen = controller, record, seen
        ctx.save_for_backward(*parameters)
        width = controller.interfaces.vocabulary
        return record.out[..., : controller.scores].clone(), _centre(record.read, width).clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_scores: Tensor, grad_centre: Tensor) -> tuple[Any, ...]:
        controller, record = ctx.controller, ctx.record
        _, weight_read, weight_hidden, _, weight_out, _ = ctx.saved_tensors
        grad_out = torch.cat([grad_scores, torch.zeros_like(record.read)], dim=2)
        tape = _TapeGradient(controller, record, grad_out, grad_centre)
        core = _CoreGradient(controller, record)
        weight = torch.cat([weight_read, weight_hidden]).t().contiguous()
        weight_back = weight_out.t().contiguous()
        for t in reversed(range(len(grad_out))):
            tape.written(t)
            grad_inputs = core.step(t, grad_out[t] @ weight_back) @ weight
            grad_read = grad_inputs[:, : record.read.shape[2]]
            core.grad_hidden = grad_inputs[:, record.read.shape[2] :]
            tape.read(t, grad_read)
        grad_gates = core.grad_gates.flatten(0, 1)
        grad_out = grad_out.flatten(0, 1)
        entered = torch.cat([torch.zeros_like(record.hidden[:1]), record.hidden[:-1]])
        entered = entered[..., : len(weight_hidden)].flatten(0, 1)
        return (
            None,
            None,
            None,
            ctx.seen.inputs.flatten(0, 1).t() @ grad_gates,
            record.read.flatten(0, 1).t() @ grad_gates,
            entered.t() @ grad_gates,
            grad_gates.sum(0),
            record.hidden.flatten(0, 1).t() @ grad_out,
            grad_out.sum(0),
        )


class _CoreGradient:
    """Back through the LSTM, or the feed-forward layer, step by step.

    Attributes:
        grad_hidden: what the next step says about this step's hidden state, ``(B, H)``.
        grad_gates: by what enters the nonlinearities, ``(T, B, gates)``.
    """

    def __init__(self, controller: Controller, record: _Step) -> None:
        self._recurrent = controller.recurrent
        self._local = torch.empty_like(record.gates)
        self._record = record
        self.grad_gates = self._local
        self.grad_hidden = torch.zeros_like(record.hidden[0])
        self._grad_cell = torch.zeros_like(record.cell[0])
        if self._recurrent:
            before = torch.cat([torch.zeros_like(record.cell[:1]), record.cell[:-1]])
            self._local, self._to_hidden = local_derivatives(record.gates, before, record.cell)
            self._forget = record.gates.chunk(4, dim=2)[2]
            self.grad_gates = self._local

    def step(self, t: int, grad_hidden: Tensor) -> Tensor:
        """The gradient by what enters the nonlinearities of step t, ``(B, gates)``.

        Args:
            t: the step.
            grad_hidden: what the output layer says about its hidden state.
        """
        gates = self.grad_gates[t]
        if not self._recurrent:
            hidden = self._record.hidden[t]
            return torch.mul(grad_hidden, 1.0 - hidden * hidden, out=gates)
        size = grad_hidden.shape[1]
        grad_hidden = grad_hidden + self.grad_hidden
        self._grad_cell.addcmul_(grad_hidden, self._to_hidden[t])
        gates[:, :size].mul_(grad_hidden)
        gates[:, size:].view(-1, 3, size).mul_(self._grad_cell.unsqueeze(1))
        self._grad_cell.mul_(self._forget[t])
        return gates


class _TapeGradient:
    """Back through what was read from and added to the memory tape."""

    def __init__(
        self, controller: Controller, record: _Step, grad_out: Tensor, grad_centre: Tensor
    ) -> None:
        self._controller, self._record = controller, record
        self._grad_out, self._grad_centre = grad_out, grad_centre
        self._window = controller.interfaces.memory_window
        width, cells = controller.interfaces.vocabulary, controller.interfaces.memory_cells
        B = record.symbol.shape[1]
        self._grad_memory = grad_out.new_zeros(B * cells, width)
        self._columns = slice(controller.choices + 2, controller.choices + controller.gates)
        if self._window and controller.direct:
            self._gates = record.out[..., self._columns].sigmoid()
            read = record.read.view(*record.symbol.shape, self._window, width)
            centre = _centre(record.read, width).unsqueeze(2)
            self._symbols = record.symbol[..., None, None].expand(-1, -1, self._window, 1)
            self._changes = centre - read[:, :, controller.neighbours]

    def written(self, t: int) -> None:
        """Complete the gradient of the output layer by what step t added to the tape."""
        if not self._window:
            return
        grad = self._grad_memory.index_select(0, self._record.cells[t])
        grad = grad.view(-1, self._window, self._grad_memory.shape[1])
        scores = self._controller.scores
        self._grad_out[t, :, scores:] = grad.flatten(1)
        if self._controller.direct:
            gates = self._gates[t]
            near = grad.index_select(1, self._controller.neighbours)
            by_input = grad.gather(2, self._symbols[t]).squeeze(2)
            by_memory = (near * self._changes[t]).sum(dim=2)
            by_gate = torch.cat([by_input, by_memory], dim=1)
            self._grad_out[t, :, self._columns].addcmul_(by_gate, gates * (1.0 - gates))
            self._grad_changes = near.mul_(gates[:, self._window :].unsqueeze(2))

    def read(self, t: int, grad_read: Tensor) -> None:
        """Add what step t's inputs say about the cells that it read."""
        if not self._window:
            return
        width = self._grad_memory.shape[1]
        grad = grad_read.reshape(-1, self._window, width)
        grad[:, self._window // 2] += self._grad_centre[t]
        if self._controller.direct:
            grad[:, self._window // 2] += self._grad_changes.sum(dim=1)
            grad.index_add_(1, self._controller.neighbours, self._grad_changes, alpha=-1)
        self._grad_memory.index_add_(0, self._record.cells[t], grad.flatten(0, 1))
