"""The backward pass of `FastUnroll`, written out by hand."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.algorithms.rl_ntm.controller import Controller
from agents.algorithms.rl_ntm.fast import kernels_backward as kernels
from agents.algorithms.rl_ntm.fast.kernels import Ints
from agents.algorithms.rl_ntm.record import Record
from agents.algorithms.rl_ntm.unroll import laid_out, places_of
from agents.cells.gated import tanh_derivative


class Episodes(torch.autograd.Function):
    """What was stepped already, with a gradient: from scores to parameters.

    Memory cells are only ever added to. So the gradient of the whole tape is one array, which is
    carried backwards through time and, like the tape, changed in place: what was written takes its
    gradient from it, what was read adds to it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        controller: Controller,
        record: Record,
        rows: list[Ints],
        count: int,
        inputs: Tensor,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The scores, ``(T, B, ...)``.

        Args:
            ctx: of PyTorch.
            controller: that stepped.
            record: of its steps.
            rows: that ran, step by step.
            count: B.
            inputs: how often each row of `weight_in` was added, ``(N, rows)``.
            *parameters: of the controller, as `backward` names them.
        """
        ctx.controller, ctx.record, ctx.rows, ctx.inputs = controller, record, rows, inputs
        ctx.places = torch.from_numpy(places_of(rows, count))
        ctx.save_for_backward(*parameters)
        moves, shape = record.out[:, : controller.choices], (len(rows), count)
        return laid_out(moves, ctx.places, shape), laid_out(record.symbols, ctx.places, shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_moves: Tensor, grad_symbols: Tensor) -> tuple[Any, ...]:
        """The gradients by all arguments of `forward`."""
        record: Record = ctx.record
        _, weight, _, weight_out, _, log_gain = ctx.saved_tensors
        by_moves, by_symbols = (x.flatten(0, 1)[ctx.places] for x in (grad_moves, grad_symbols))
        gain = log_gain.exp().numpy()[()]
        out, gates = torch.empty_like(record.out), torch.empty_like(record.gates)
        grads = _Grads(out, gates, by_moves, by_symbols)
        _grad_steps(ctx.controller, record, ctx.rows, grads, weight, weight_out, gain)
        return (
            *(None, None, None, None, None),
            ctx.inputs.t() @ grads.gates,
            record.entered.t() @ grads.gates,
            grads.gates.sum(0),
            record.hidden.t() @ grads.out,
            grads.out.sum(0),
            (by_symbols * record.symbols).sum(),
        )


class _Grads(NamedTuple):
    """Gradients of N steps.

    Attributes:
        out: by the output layer, ``(N, ...)``; is filled.
        gates: by what enters the nonlinearities, ``(N, G)``; is filled.
        moves: by the scores of the moves, ``(N, choices)``.
        symbols: by those of the symbols, ``(N, outputs)``.
    """

    out: Any
    gates: Any
    moves: Any
    symbols: Any


def _grad_steps(
    controller: Controller,
    record: Record,
    rows: list[Ints],
    grads: _Grads,
    weight: Tensor,
    weight_out: Tensor,
    gain: Any,
) -> None:
    """Fill the gradients, from the last step to the first."""
    interfaces, count, shortcuts = controller.interfaces, len(rows[0]), controller.gates
    cells, width = interfaces.memory_cells, interfaces.vocabulary
    hidden, window = record.before.shape[1], record.cells.shape[1]
    memory = record.out.new_zeros(count, cells, width).numpy()
    carried, carried_cell = record.out.new_zeros(2, count, hidden).numpy()
    read = record.out.new_zeros(count, window * width).numpy()
    back, back_out = weight.t().contiguous(), weight_out.t().contiguous()
    arrays, taken = record.arrays(), _Grads(*(grad.numpy() for grad in grads))
    stop = len(record.symbol)
    for these in reversed(rows):
        start = stop - len(these)
        now, grad = arrays.part(start, stop), _Grads(*(x[start:stop] for x in taken))
        left = now.symbol, now.cells, now.entered, now.out, grad.moves, grad.symbols
        kernels.leave_back(these, *left, memory, gain, shortcuts, grad.out, read)
        grad_hidden = grads.out[start:stop] @ back_out
        grad_gates = grads.gates[start:stop]
        if controller.recurrent:
            core = now.gates, now.before, now.squashed, grad_hidden.numpy()
            kernels.core_back(these, *core, carried, carried_cell, grad.gates)
        else:
            tanh_derivative(grad_hidden, record.hidden[start:stop], out=grad_gates)
        grad_entered = (grad_gates @ back).numpy()
        kernels.enter_back(these, now.cells, grad_entered, read, shortcuts, memory, carried)
        stop = start
