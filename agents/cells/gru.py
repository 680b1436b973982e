"""Gated recurrent unit (Cho et al. 2014), with the reset gate after the recurrent product."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.cells.base import Unrolled
from agents.cells.parts.gated import GatedCell, enter, project, weight_gradient
from agents.cells.parts.kernels import gru_step, gru_step_backward


class GRUState(NamedTuple):
    """Hidden state, ``(B, hidden_size)``."""

    hidden: Tensor


class GRU(GatedCell[GRUState]):
    """One layer of GRU; its output is its hidden state.

    Reset gate r, update gate z and candidate n are stacked in this order in the parameters, and
    computed, as in `torch.nn.GRUCell`. Arguments and errors are those of `GatedCell`.
    """

    source: ClassVar[str] = "Cho et al. 2014, arXiv:1406.1078"
    gates: ClassVar[int] = 3
    kept_bias: ClassVar[float] = 0.0

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

    def sequence(self, xs: Tensor, state: GRUState, starts: Tensor) -> Unrolled:
        """Runs all steps in one autograd function; see `FusedCell.sequence`."""
        outs = _Sequence.apply(  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
            xs, *state, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, starts
        )
        return Unrolled(outs, GRUState(outs[-1]), {})


class _Sequence(torch.autograd.Function):
    """The GRU over T steps."""

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
        projected = project(xs, weight_ih, bias_ih)
        products = torch.empty_like(projected)
        hiddens, outs = xs.new_empty(T + 1, B, H), xs.new_empty(T, B, H)
        enter(hidden, starts, hiddens)
        recurrent = weight_hh.t().contiguous()
        arrays = [x.numpy() for x in (starts, projected, products, outs, hiddens)]
        steps = zip(products.unbind(), hiddens[:-1].unbind(), strict=True)
        for t, (product, entering) in enumerate(steps):
            torch.addmm(bias_hh, entering, recurrent, out=product)
            gru_step(t, *arrays)
        ctx.save_for_backward(xs, weight_ih, weight_hh, starts, projected, products, hiddens)
        return outs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outs: Tensor) -> tuple[Tensor | None, ...]:
        xs, weight_ih, weight_hh, starts, projected, products, hiddens = ctx.saved_tensors
        grad_hidden = torch.zeros_like(hiddens[0])
        grad_projected, grad_products = torch.empty_like(projected), torch.empty_like(products)
        saved = (starts, projected, products, hiddens, grad_outs.contiguous())
        arrays = [x.numpy() for x in (*saved, grad_hidden, grad_projected, grad_products)]
        for t, grad_product in reversed(list(enumerate(grad_products.unbind()))):
            gru_step_backward(t, *arrays)
            grad_hidden.addmm_(grad_product, weight_hh)
        flat = grad_projected.flatten(0, 1)
        return (
            (flat @ weight_ih).view(xs.shape) if ctx.needs_input_grad[0] else None,
            grad_hidden.masked_fill(starts[0].unsqueeze(1), 0),
            weight_gradient(grad_projected, xs),
            weight_gradient(grad_products, hiddens[:-1]),
            flat.sum(0),
            grad_products.sum((0, 1)),
            None,
        )
