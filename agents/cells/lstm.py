"""Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000)."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from agents.cells.base import start_masks
from agents.cells.gated import (
    GatedCell,
    entering,
    sigmoid_derivative,
    tanh_derivative,
    weight_gradient,
)


class LSTMState(NamedTuple):
    """Hidden state and cell state, both ``(B, hidden_size)``."""

    hidden: Tensor
    cell: Tensor


class LSTM(GatedCell[LSTMState]):
    """One layer of LSTM; its output is its hidden state.

    The gates i, f, g, o are stacked in this order in the parameters, as in `torch.nn.LSTMCell`. The
    forget gate's bias starts at 1 (Jozefowicz et al. 2015).

    Args:
        input_size: Width of the input.
        hidden_size: Number of units; the output is as wide.

    Raises:
        ValueError: If a size is not an integer from 1 on.
    """

    gates: ClassVar[int] = 4

    def __init__(self, input_size: int, hidden_size: int = 128) -> None:
        super().__init__(input_size, hidden_size)
        with torch.no_grad():
            nn.init.ones_(self.bias_ih[hidden_size : 2 * hidden_size])

    def initial_state(self, batch_size: int) -> LSTMState:
        """Returns zeros."""
        zeros = self.weight_hh.new_zeros(batch_size, self.hidden_size)
        return LSTMState(zeros, zeros)

    def forward(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """Takes one step; see `MemoryCell.forward`."""
        hidden, cell = torch.lstm_cell(
            x, state, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        )
        return hidden, LSTMState(hidden, cell)

    def trace(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState, dict[str, Tensor]]:
        """Takes the same step, and returns the input, forget and output gates besides."""
        gates = F.linear(x, self.weight_ih, self.bias_ih)
        gates = gates + F.linear(state.hidden, self.weight_hh, self.bias_hh)
        i, f, _, o = gates.sigmoid().chunk(4, dim=1)
        out, state = self(x, state)
        return out, state, {"input_gate": i, "forget_gate": f, "output_gate": o}

    def sequence(self, xs: Tensor, state: LSTMState, starts: Tensor) -> tuple[Tensor, LSTMState]:
        """Runs all steps in one autograd function; see `FusedCell.sequence`."""

        # From i, f, g, o to o, i, f, g: the sigmoids lie side by side, and so do the three gates
        # whose gradients come from the cell state.
        def reorder(parameter: Tensor) -> Tensor:
            return parameter.roll(self.hidden_size, dims=0)

        outs, cell = _Sequence.apply(  # type: ignore[no-untyped-call]
            xs,
            *state,
            reorder(self.weight_ih),
            reorder(self.weight_hh),
            reorder(self.bias_ih + self.bias_hh),
            starts,
        )
        return outs, LSTMState(outs[-1], cell)


class _Sequence(torch.autograd.Function):
    """The LSTM over T steps, gates in the order o, i, f, g."""

    @staticmethod
    def forward(
        ctx: Any,
        xs: Tensor,
        hidden: Tensor,
        cell: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
        starts: Tensor,
    ) -> tuple[Tensor, Tensor]:
        T, B, H = *xs.shape[:2], hidden.shape[1]
        starts = starts.unsqueeze(-1)
        masks = start_masks(starts)
        recurrent = weight_hh.t().contiguous()
        gates = torch.addmm(bias, xs.flatten(0, 1), weight_ih.t()).view(T, B, 4 * H)
        hiddens, cells = xs.new_empty(2, T + 1, B, H)
        hiddens[0], cells[0] = hidden, cell
        squashed = torch.empty_like(cell)
        steps = zip(
            masks,
            gates,
            gates[..., : 3 * H],
            *gates.chunk(4, dim=2),
            hiddens[1:],
            cells[1:],
            strict=True,
        )
        for mask, all_gates, sigmoids, o, i, f, g, next_hidden, next_cell in steps:
            if mask is not None:
                hidden, cell = hidden.masked_fill(mask, 0), cell.masked_fill(mask, 0)
            all_gates.addmm_(hidden, recurrent)
            sigmoids.sigmoid_()
            g.tanh_()
            torch.mul(f, cell, out=next_cell).addcmul_(i, g)
            torch.tanh(next_cell, out=squashed)
            torch.mul(o, squashed, out=next_hidden)
            hidden, cell = next_hidden, next_cell
        ctx.save_for_backward(xs, weight_ih, weight_hh, starts, gates, hiddens, cells)
        ctx.masks = masks
        return hiddens[1:], cell

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outs: Tensor, grad_last_cell: Tensor) -> tuple[Tensor | None, ...]:
        xs, weight_ih, weight_hh, starts, gates, hiddens, cells = ctx.saved_tensors
        T, B, H = grad_outs.shape
        cells_before = entering(cells, starts, ctx.masks)
        grad_gates, through_cell = local_derivatives(gates, cells_before, cells[1:])
        grad_hidden, grad_cell = torch.zeros_like(grad_outs[0]), grad_last_cell.clone()
        cell_column = grad_cell.unsqueeze(1)
        steps = zip(
            ctx.masks,
            grad_outs,
            grad_gates,
            grad_gates[..., :H],
            grad_gates[..., H:].view(T, B, 3, H),
            through_cell,
            gates[..., 2 * H : 3 * H],
            strict=True,
        )
        for mask, grad_out, all_gates, o, ifg, cell_to_hidden, f in reversed(list(steps)):
            grad_hidden.add_(grad_out)
            grad_cell.addcmul_(grad_hidden, cell_to_hidden)
            o.mul_(grad_hidden)
            ifg.mul_(cell_column)
            torch.mm(all_gates, weight_hh, out=grad_hidden)
            grad_cell.mul_(f)
            if mask is not None:
                grad_hidden.masked_fill_(mask, 0)
                grad_cell.masked_fill_(mask, 0)
        return (
            grad_gates @ weight_ih,
            grad_hidden,
            grad_cell,
            weight_gradient(grad_gates, xs),
            weight_gradient(grad_gates, entering(hiddens, starts, ctx.masks)),
            grad_gates.sum((0, 1)),
            None,
        )


def local_derivatives(
    gates: Tensor, cells_before: Tensor, cells_after: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the derivatives within each of n steps.

    Args:
        gates: o, i, f, g after their nonlinearities, ``(n, B, 4 * H)``.
        cells_before: The cell states that entered the steps, ``(n, B, H)``.
        cells_after: The cell states after the steps, ``(n, B, H)``.

    Returns:
        The derivatives by what enters the nonlinearities, ``(n, B, 4 * H)``: for o of the hidden
        state, for i, f, g of the cell state. And that of the hidden state by the cell state,
        ``(n, B, H)``.
    """
    o, i, f, g = gates.chunk(4, dim=2)
    by_gates = torch.empty_like(gates)
    by_o, by_i, by_f, by_g = by_gates.chunk(4, dim=2)
    squashed = cells_after.tanh()
    sigmoid_derivative(squashed, o, out=by_o)
    sigmoid_derivative(g, i, out=by_i)
    sigmoid_derivative(cells_before, f, out=by_f)
    tanh_derivative(i, g, out=by_g)
    by_cell = torch.empty_like(squashed)
    tanh_derivative(o, squashed, out=by_cell)
    return by_gates, by_cell
