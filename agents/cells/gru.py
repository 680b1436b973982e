"""Gated recurrent unit (Cho et al. 2014), with the reset gate after the recurrent product."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.cells.base import start_masks
from agents.cells.gated import (
    GatedCell,
    entering,
    sigmoid_derivative,
    tanh_derivative,
    weight_gradient,
)


class GRUState(NamedTuple):
    """Hidden state, ``(B, hidden_size)``."""

    hidden: Tensor


class GRU(GatedCell[GRUState]):
    """One layer of GRU; its output is its hidden state.

    Reset gate r, update gate z and candidate n are stacked in this order in the parameters, and
    computed, as in `torch.nn.GRUCell`.

    Args:
        input_size: Width of the input.
        hidden_size: Number of units; the output is as wide.

    Raises:
        ValueError: If a size is not an integer from 1 on.
    """

    gates: ClassVar[int] = 3

    def initial_state(self, batch_size: int) -> GRUState:
        """Returns zeros."""
        return GRUState(self.weight_hh.new_zeros(batch_size, self.hidden_size))

    def forward(self, x: Tensor, state: GRUState) -> tuple[Tensor, GRUState]:
        """Takes one step; see `MemoryCell.forward`."""
        hidden = torch.gru_cell(
            x, state.hidden, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        )
        return hidden, GRUState(hidden)

    def trace(self, x: Tensor, state: GRUState) -> tuple[Tensor, GRUState, dict[str, Tensor]]:
        """Takes the same step, and returns the reset and update gates besides."""
        gates = F.linear(x, self.weight_ih, self.bias_ih)
        gates = gates + F.linear(state.hidden, self.weight_hh, self.bias_hh)
        r, z, _ = gates.sigmoid().chunk(3, dim=1)
        out, state = self(x, state)
        return out, state, {"reset_gate": r, "update_gate": z}

    def sequence(self, xs: Tensor, state: GRUState, starts: Tensor) -> tuple[Tensor, GRUState]:
        """Runs all steps in one autograd function; see `FusedCell.sequence`."""
        H = self.hidden_size
        outs = _Sequence.apply(  # type: ignore[no-untyped-call]
            xs,
            state.hidden,
            self.weight_ih,
            self.weight_hh.roll(H, dims=0),  # from r, z, n to n, r, z
            self.bias_ih,
            self.bias_hh.roll(H),
            starts,
        )
        return outs, GRUState(outs[-1])


class _Sequence(torch.autograd.Function):
    """The GRU over T steps, recurrent weights in the order n, r, z.

    A step works on four columns of width H: the recurrent part m of the candidate, r, z, and the
    candidate n. The first three take the recurrent product, the last three the input's.
    """

    @staticmethod
    def forward(
        ctx: Any,
        xs: Tensor,
        hidden: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        starts: Tensor,
    ) -> Tensor:
        T, B, H = *xs.shape[:2], hidden.shape[1]
        starts = starts.unsqueeze(-1)
        masks = start_masks(starts)
        recurrent = weight_hh.t().contiguous()
        gates = xs.new_empty(T, B, 4 * H)
        gates[..., :H] = bias_hh[:H]
        bias = bias_ih.clone()
        bias[: 2 * H] += bias_hh[H:]
        projected = gates.flatten(0, 1)[:, H:]
        torch.addmm(bias, xs.flatten(0, 1), weight_ih.t(), out=projected)
        hiddens = xs.new_empty(T + 1, B, H)
        hiddens[0] = hidden
        steps = zip(
            masks,
            gates[..., : 3 * H],
            gates[..., H : 3 * H],
            *gates.chunk(4, dim=2),
            hiddens[1:],
            strict=True,
        )
        for mask, products, sigmoids, m, r, z, n, next_hidden in steps:
            if mask is not None:
                hidden = hidden.masked_fill(mask, 0)
            products.addmm_(hidden, recurrent)
            sigmoids.sigmoid_()
            n.addcmul_(r, m).tanh_()
            hidden = torch.lerp(n, hidden, z, out=next_hidden)
        ctx.save_for_backward(xs, weight_ih, weight_hh, starts, gates, hiddens)
        ctx.masks = masks
        return hiddens[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outs: Tensor) -> tuple[Tensor | None, ...]:
        xs, weight_ih, weight_hh, starts, gates, hiddens = ctx.saved_tensors
        T, B, H = grad_outs.shape
        hiddens_before = entering(hiddens, starts, ctx.masks)
        grad_gates = _local_derivatives(gates, hiddens_before)
        grad_products, grad_projected = grad_gates[..., : 3 * H], grad_gates[..., H:]
        grad_hidden = torch.zeros_like(grad_outs[0])
        hidden_column = grad_hidden.unsqueeze(1)
        steps = zip(
            ctx.masks,
            grad_outs,
            grad_gates.view(T, B, 4, H),
            grad_products,
            gates[..., 2 * H : 3 * H],
            strict=True,
        )
        for mask, grad_out, all_gates, products, z in reversed(list(steps)):
            grad_hidden.add_(grad_out)
            all_gates.mul_(hidden_column)
            grad_hidden.mul_(z).addmm_(products, weight_hh)
            if mask is not None:
                grad_hidden.masked_fill_(mask, 0)
        grad_bias = grad_gates.sum((0, 1))
        return (
            grad_projected @ weight_ih,
            grad_hidden,
            weight_gradient(grad_projected, xs),
            weight_gradient(grad_products, hiddens_before),
            grad_bias[H:],
            grad_bias[: 3 * H],
            None,
        )


def _local_derivatives(gates: Tensor, hiddens_before: Tensor) -> Tensor:
    """Returns the derivatives of the hidden state within each of n steps.

    Args:
        gates: m, and r, z, n after their nonlinearities, ``(n, B, 4 * H)``.
        hiddens_before: The hidden states that entered the steps, ``(n, B, H)``.

    Returns:
        The derivatives by m and by what enters the nonlinearities, ``(n, B, 4 * H)``.
    """
    m, r, z, n = gates.chunk(4, dim=2)
    by_gates = torch.empty_like(gates)
    by_m, by_r, by_z, by_n = by_gates.chunk(4, dim=2)
    tanh_derivative(1 - z, n, out=by_n)
    torch.mul(by_n, r, out=by_m)
    sigmoid_derivative(by_n * m, r, out=by_r)
    sigmoid_derivative(hiddens_before - n, z, out=by_z)
    return by_gates
