"""Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000)."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.cells.base import Unrolled
from agents.cells.parts.gated import GatedCell, enter, project, weight_gradient
from agents.cells.parts.kernels import lstm_step, lstm_step_backward


class LSTMState(NamedTuple):
    """Hidden state and cell state, both ``(B, hidden_size)``."""

    hidden: Tensor
    cell: Tensor


class LSTM(GatedCell[LSTMState]):
    """One layer of LSTM; its output is its hidden state.

    The gates i, f, g, o are stacked in this order in the parameters, as in `torch.nn.LSTMCell`.
    With the initialization ``"orthogonal"`` the forget gate's bias starts at 1 (Jozefowicz et al.
    2015). Arguments and errors are those of `GatedCell`.
    """

    source: ClassVar[str] = "Hochreiter and Schmidhuber 1997; Gers et al. 2000"
    gates: ClassVar[int] = 4
    kept_bias: ClassVar[float] = 1.0

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

    def sequence(self, xs: Tensor, state: LSTMState, starts: Tensor) -> Unrolled:
        """Runs all steps in one autograd function; see `FusedCell.sequence`."""
        outs, cell = _Sequence.apply(  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
            xs, *state, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, starts
        )
        return Unrolled(outs, LSTMState(outs[-1], cell), {})


class _Sequence(torch.autograd.Function):
    """The LSTM over T steps."""

    @staticmethod
    def forward(
        ctx: Any,
        xs: Tensor,
        hidden: Tensor,
        cell: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        starts: Tensor,
    ) -> tuple[Tensor, Tensor]:
        T, B, H = *xs.shape[:2], hidden.shape[1]
        gates = project(xs, weight_ih, bias_ih + bias_hh)
        hiddens, cells = xs.new_empty(2, T + 1, B, H)
        enter(hidden, starts, hiddens)
        enter(cell, starts, cells)
        squashed, outs = xs.new_empty(2, T, B, H)
        recurrent = weight_hh.t().contiguous()
        arrays = [x.numpy() for x in (starts, gates, cells, squashed, outs, hiddens)]
        steps = zip(gates.unbind(), hiddens[:-1].unbind(), strict=True)
        for t, (gate, entering) in enumerate(steps):
            gate.addmm_(entering, recurrent)
            lstm_step(t, *arrays)
        ctx.save_for_backward(xs, weight_ih, weight_hh, starts, gates, hiddens, cells, squashed)
        return outs, cells[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outs: Tensor, grad_last_cell: Tensor) -> tuple[Tensor | None, ...]:
        xs, weight_ih, weight_hh, starts, gates, hiddens, cells, squashed = ctx.saved_tensors
        grad_hidden, grad_cell = torch.zeros_like(grad_last_cell), grad_last_cell.clone()
        grad_gates = torch.empty_like(gates)
        saved = (starts, gates, cells, squashed, grad_outs.contiguous())
        arrays = [x.numpy() for x in (*saved, grad_hidden, grad_cell, grad_gates)]
        for t, grad_gate in reversed(list(enumerate(grad_gates.unbind()))):
            lstm_step_backward(t, *arrays)
            torch.mm(grad_gate, weight_hh, out=grad_hidden)
        flat = grad_gates.flatten(0, 1)
        grad_bias = flat.sum(0)
        return (
            (flat @ weight_ih).view(xs.shape) if ctx.needs_input_grad[0] else None,
            grad_hidden.masked_fill(starts[0].unsqueeze(1), 0),
            grad_cell,
            weight_gradient(grad_gates, xs),
            weight_gradient(grad_gates, hiddens[:-1]),
            grad_bias,
            grad_bias,
            None,
        )
