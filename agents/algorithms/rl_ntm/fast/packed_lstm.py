"""An LSTM over sequences of different lengths, which steps only the rows that still run."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.algorithms.rl_ntm.fast import kernels, kernels_backward
from agents.algorithms.rl_ntm.fast.kernels import Floats
from agents.algorithms.rl_ntm.unroll import Ints
from agents.cells.lstm import LSTM


def packed_lstm(cell: LSTM, xs: Tensor, rows: list[Ints], count: int) -> Tensor:
    """Returns the hidden states after each step, ``(N, H)``; the arguments are `padded_lstm`'s."""
    # To the order o, i, f, g: sigmoids lie side by side.
    parameters = (cell.weight_ih, cell.weight_hh, cell.bias_ih + cell.bias_hh)
    rolled = (parameter.roll(cell.hidden_size, dims=0) for parameter in parameters)
    hidden: Tensor = _Packed.apply(  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
        xs, *rolled, rows, count
    )
    return hidden


def squash(
    rows: Ints, gates: Tensor, cell: Floats, before: Tensor, squashed: Tensor, hidden: Tensor
) -> None:
    """Takes one step, from what enters the nonlinearities to the hidden state, on the CPU.

    Args:
        rows: Numbers of the rows that run, ``(n,)``.
        gates: Gates in the order o, i, f, g, ``(n, 4 * H)``; nonlinearities are applied.
        cell: Cell state of all rows, ``(B, H)``; is changed.
        before: Tensor that takes what it was, ``(n, H)``.
        squashed: Tensor that takes the hyperbolic tangent of what it becomes, ``(n, H)``.
        hidden: Tensor that takes the hidden state, ``(n, H)``.
    """
    size = cell.shape[1]
    # tanh(x) = 2 * sigmoid(2 * x) - 1: one operation on what lies together, not two on parts.
    gates[:, 3 * size :].mul_(2.0)
    gates.sigmoid_()
    kernels.update_cell(rows, gates.numpy(), cell, before.numpy(), squashed.numpy())
    torch.mul(squashed.tanh_(), gates[:, :size], out=hidden)


class _Packed(torch.autograd.Function):
    """All steps, gates in the order o, i, f, g."""

    @staticmethod
    def forward(
        ctx: Any,
        xs: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
        rows: list[Ints],
        count: int,
    ) -> Tensor:
        gates, size = torch.addmm(bias, xs, weight_ih.t()), weight_hh.shape[1]
        entered, before, squashed, hidden = (xs.new_empty(len(xs), size) for _ in range(4))
        state, cell = xs.new_zeros(2, count, size).numpy()
        recurrent, stop = weight_hh.t().contiguous(), 0
        for these in rows:
            start, stop = stop, stop + len(these)
            now = gates[start:stop]
            entered[start:stop] = torch.from_numpy(state[these])
            now.addmm_(entered[start:stop], recurrent)
            squash(these, now, cell, *(x[start:stop] for x in (before, squashed, hidden)))
            state[these] = hidden[start:stop].numpy()
        ctx.save_for_backward(xs, weight_ih, weight_hh, gates, entered, before, squashed)
        ctx.rows, ctx.count = rows, count
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: Tensor) -> tuple[Tensor | None, ...]:
        xs, weight_ih, weight_hh, gates, entered, before, squashed = ctx.saved_tensors
        grad_gates = torch.empty_like(gates)
        carried, carried_cell = xs.new_zeros(2, ctx.count, weight_hh.shape[1]).numpy()
        saved = (gates, before, squashed, grad_hidden.contiguous(), grad_gates)
        arrays, stop = [x.numpy() for x in saved], len(xs)
        for these in reversed(ctx.rows):
            start = stop - len(these)
            of_gates, old, tanh, by_hidden, by_gates = (x[start:stop] for x in arrays)
            kernels_backward.lstm_backward(
                these, of_gates, old, tanh, by_hidden, carried, carried_cell, by_gates
            )
            carried[these] = (grad_gates[start:stop] @ weight_hh).numpy()
            stop = start
        return (
            grad_gates @ weight_ih,
            (xs.t() @ grad_gates).t(),
            (entered.t() @ grad_gates).t(),
            grad_gates.sum(0),
            None,
            None,
        )
