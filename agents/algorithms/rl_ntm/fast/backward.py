"""The backward pass of `FastUnroll`, written out by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.algorithms.rl_ntm.controller import Controller
from agents.algorithms.rl_ntm.fast import kernels_backward as kernels
from agents.algorithms.rl_ntm.fast.kernels import OutputLayer, output_layer_of
from agents.algorithms.rl_ntm.fast.kernels_backward import Carried, Gradients
from agents.algorithms.rl_ntm.fast.record import Record
from agents.algorithms.rl_ntm.unroll import Ints, laid_out, places_of


class RecordedScores(torch.autograd.Function):
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
        """Returns the scores, ``(T, B, ...)``.

        Args:
            ctx: PyTorch's context.
            controller: The controller that stepped.
            record: The record of its steps.
            rows: Numbers of the rows that ran, step by step.
            count: B.
            inputs: How often each row of `weight_in` was added, ``(N, rows)``.
            *parameters: The controller's parameters, as `backward` names them.
        """
        ctx.controller, ctx.record, ctx.rows, ctx.inputs = controller, record, rows, inputs
        ctx.places = torch.from_numpy(places_of(rows, count))
        ctx.save_for_backward(*parameters)
        moves, shape = record.out[:, : controller.choices], (len(rows), count)
        return laid_out(moves, ctx.places, shape), laid_out(record.symbols, ctx.places, shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_moves: Tensor, grad_symbols: Tensor) -> tuple[Any, ...]:
        """Returns the gradients by all arguments of `forward`."""
        record: Record = ctx.record
        _, weight, _, weight_out, _, _ = ctx.saved_tensors
        by_moves, by_symbols = (x.flatten(0, 1)[ctx.places] for x in (grad_moves, grad_symbols))
        controller: Controller = ctx.controller
        output_layer = output_layer_of(controller)
        out, gates = torch.empty_like(record.out), torch.empty_like(record.gates)
        grads = Gradients(out, gates, by_moves, by_symbols)
        _grad_steps(controller, output_layer, record, ctx.rows, grads, weight, weight_out)
        return (
            None,
            None,
            None,
            None,
            None,
            ctx.inputs.t() @ grads.gates,
            record.entered.t() @ grads.gates,
            grads.gates.sum(0),
            record.hidden.t() @ grads.out,
            grads.out.sum(0),
            (by_symbols * record.symbols).sum(),
        )


def _grad_steps(
    controller: Controller,
    output_layer: OutputLayer,
    record: Record,
    rows: list[Ints],
    grads: Gradients,
    weight: Tensor,
    weight_out: Tensor,
) -> None:
    """Fills the gradients, from the last step to the first."""
    interfaces, count = controller.interfaces, len(rows[0])
    hidden, read = record.before.shape[1], interfaces.read_window * interfaces.vocabulary
    carried = Carried(
        memory=record.out.new_zeros(count, interfaces.memory_cells, interfaces.vocabulary).numpy(),
        read=record.out.new_zeros(count, read).numpy(),
        beside=record.out.new_zeros(count, record.beside.shape[1]).numpy(),
        hidden=record.out.new_zeros(count, hidden).numpy(),
        cell=record.out.new_zeros(count, hidden).numpy(),
    )
    back, back_out = weight.t().contiguous(), weight_out.t().contiguous()
    arrays, taken = record.arrays(), grads.arrays()
    stop = len(record.symbol)
    for these in reversed(rows):
        start = stop - len(these)
        now, grad = arrays.part(start, stop), taken.part(start, stop)
        kernels.score_and_write_backward(these, output_layer, now, grad, carried)
        grad_hidden = grads.out[start:stop] @ back_out
        grad_gates = grads.gates[start:stop]
        if controller.recurrent:
            kernels.lstm_backward(
                these,
                now.gates,
                now.before,
                now.squashed,
                grad_hidden.numpy(),
                carried.hidden,
                carried.cell,
                grad.gates,
            )
        else:
            torch.ops.aten.tanh_backward.grad_input(
                grad_hidden, record.hidden[start:stop], grad_input=grad_gates
            )
        grad_entered = (grad_gates @ back).numpy()
        kernels.read_inputs_backward(these, output_layer, now.cells, grad_entered, carried)
        stop = start
