"""The controllers: what learns in RL-NTM (Zaremba & Sutskever 2015, sections 2 and 8).

A step. The controller sees the windows around both heads and the previous moves (Table 1). From its
state it scores the moves and the symbols, and adds to the memory cells that it writes to, which are
those in a window of their own. What was sampled is applied afterwards: heads move between two
steps, never within one.

Three kinds: `lstm`; `feedforward`, whose only state are the moves; and `direct_access`, an LSTM
with shortcuts (section 8.1). Each adds one vector to another, scaled by a sigmoid gate: the input
symbol and each memory cell that is read to the scores of the symbols, the input symbol to each
memory cell that is written, and the memory cell under the head to the two beside it. The last is
by default a blend, ``beside + gate * (centre - beside)``, and not the paper's sum: with gates near
1/2 a sum makes the tape grow a thousandfold in 30 steps.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.algorithms.rl_ntm.interfaces import Interfaces
from memory_envs.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_or_none,
)

KINDS = ("lstm", "direct_access", "feedforward")


class ControllerState(NamedTuple):
    """What B episodes carry from step to step.

    Attributes:
        hidden: Hidden state, ``(B, H)``.
        cell: Cell state of the LSTM, ``(B, H)``; ``(B, 0)`` without one.
        memory: Memory tapes, ``(B, cells, vocabulary)``.
        head: Number of the cell under the head, ``(B,)``.
        moves: Rows of `weight_in` for the previous moves, ``(B, moves)``.
    """

    hidden: Tensor
    cell: Tensor
    memory: Tensor
    head: Tensor
    moves: Tensor


class Scores(NamedTuple):
    """The scores of a step, or of T of them; leading dimensions ``(B,)`` or ``(T, B)``.

    Attributes:
        moves: Logits of all moves, side by side, before the inverse temperature.
        symbols: Logits of the symbol to emit.
    """

    moves: Tensor
    symbols: Tensor


class Controller(nn.Module):
    """Parameters, and one step.

    Args:
        interfaces: The tapes that it is connected to.
        kind: One of `KINDS`.
        hidden_size: Number of units, H.
        init_std: Standard deviation of the Gaussian that all parameters start from.
        free_symbols: Whether the controller scores and writes content symbols by itself. If not,
            they come through the shortcuts alone; it still scores the end mark.
        gain: First value of a learned factor of all scores of symbols. A gate adds at most a
            one-hot vector: with a gain of 1, a right symbol starts hardly more probable than 30
            others. None for no gain, as in the paper.
        mark: Whether the first memory cell starts at ones and not, as in the paper, at zeros.
        blend: Whether the memory cell under the head is blended into the two beside it and not, as
            in the paper, added to them.

    Raises:
        ValueError: If the kind is unknown, or has no shortcuts and must not write by itself.
    """

    def __init__(
        self,
        interfaces: Interfaces,
        kind: str,
        hidden_size: int,
        init_std: float,
        free_symbols: bool = True,
        gain: float | None = 1.0,
        mark: bool = True,
        blend: bool = True,
    ) -> None:
        super().__init__()
        check_or_none(check_number, "gain", gain, 0.0, above=True)
        check_integer("hidden_size", hidden_size, 1)
        check_number("init_std", init_std, 0.0)
        check_choice("controller", kind, KINDS)
        check_flag("mark", mark)
        check_flag("blend", blend)
        if not (check_flag("free_symbols", free_symbols) or kind == "direct_access"):
            raise ValueError(f"free_symbols is False; allowed with {kind}: True")
        self.interfaces = interfaces
        self.kind = kind
        self.hidden_size = hidden_size
        self.mark = mark
        self.blend = blend
        self.recurrent = kind != "feedforward"
        self.direct = kind == "direct_access"
        vocabulary, window = interfaces.vocabulary, interfaces.read_window
        written = interfaces.write_window * vocabulary
        self.choices = sum(interfaces.move_sizes)
        self.spreads = self.direct and window > 0
        # Input to output, each cell to output; input to each cell, centre to the two beside it.
        self.gates = 1 + window + interfaces.write_window + 2 * self.spreads if self.direct else 0
        self.scores = self.choices + self.gates + interfaces.outputs
        rows = interfaces.input_cells * vocabulary + self.choices + 1  # the last for "no move"
        width = (4 if self.recurrent else 1) * hidden_size
        read = window * vocabulary
        self.weight_in = nn.Parameter(torch.empty(rows, width))
        self.weight_read = nn.Parameter(torch.empty(read, width))
        self.weight_hidden = nn.Parameter(torch.empty(hidden_size if self.recurrent else 0, width))
        self.bias = nn.Parameter(torch.empty(width))
        self.weight_out = nn.Parameter(torch.empty(hidden_size, self.scores + written))
        self.bias_out = nn.Parameter(torch.empty(self.scores + written))
        self.log_gain = nn.Parameter(torch.empty(()))
        sizes = [vocabulary] * interfaces.input_cells + interfaces.move_sizes
        offsets = torch.tensor([0, *sizes[:-1]]).cumsum(0)
        self.register_buffer("offsets", offsets[: interfaces.input_cells], persistent=False)
        self.register_buffer("move_rows", offsets[interfaces.input_cells :], persistent=False)
        for name, size in (("reads", window), ("writes", interfaces.write_window)):
            self.register_buffer(name, torch.arange(size) - size // 2, persistent=False)
        self.register_buffer("beside", torch.tensor([-1, 1]), persistent=False)
        self.register_buffer("one_hot", torch.eye(vocabulary), persistent=False)
        learned = torch.ones(self.scores + written)
        if not free_symbols:
            learned[self.choices + self.gates :] = 0.0
            learned[self.scores - 1] = 1.0
        self.register_buffer("learned", learned, persistent=False)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(0.0, init_std)
            if gain is None:
                self.log_gain.zero_().requires_grad_(False)
            else:
                self.log_gain.add_(math.log(gain))

    offsets: Tensor
    move_rows: Tensor
    reads: Tensor
    writes: Tensor
    beside: Tensor
    learned: Tensor
    one_hot: Tensor

    def initial_state(self, rows: int) -> ControllerState:
        """Returns zeros (section 9); with `mark`, the first memory cell starts at ones.

        The published code did that. What is added to a cell of ones can still be read, and says at
        the same time that there is nothing before it.
        """
        cells, like = self.interfaces.memory_cells, self.bias
        memory = like.new_zeros(rows, cells, self.interfaces.vocabulary)
        memory[:, :1] = float(self.mark)
        return ControllerState(
            like.new_zeros(rows, self.hidden_size if self.recurrent else 0),
            like.new_zeros(rows, self.hidden_size if self.recurrent else 0),
            memory,
            torch.zeros(rows, dtype=torch.int64, device=like.device),
            torch.full_like(self.move_rows, len(self.weight_in) - 1).expand(rows, -1),
        )

    def output_layer(self) -> tuple[Tensor, Tensor]:
        """Returns weight and bias of the output layer, 0 where nothing is learned."""
        return self.weight_out * self.learned, self.bias_out * self.learned

    def input_rows(self, symbols: Tensor, state: ControllerState) -> Tensor:
        """Returns the rows of `weight_in` that a step adds up, ``(B, input_cells + moves)``.

        Args:
            symbols: Symbols in the input window, ``(B, input_cells)`` int64.
            state: The state before the step.
        """
        return torch.cat([symbols + self.offsets, state.moves], dim=1)

    def read_cells(self, head: Tensor) -> Tensor:
        """Returns the cells that are read, numbered over all rows, ``(B, read_window)``."""
        return self._cells(head, self.reads)

    def written_cells(self, head: Tensor) -> Tensor:
        """Returns the cells that are written, numbered likewise, ``(B, write_window)``."""
        return self._cells(head, self.writes)

    def _cells(self, head: Tensor, around: Tensor) -> Tensor:
        """The cells at distances ``(n,)`` from the head, numbered over all rows, ``(B, n)``."""
        cells = self.interfaces.memory_cells
        first = torch.arange(len(head), device=head.device).unsqueeze(1) * cells
        return (head.unsqueeze(1) + around) % max(cells, 1) + first

    def shortcuts(self, out: Tensor, symbol: Tensor, read: Tensor) -> Tensor:
        """Returns the scores of the symbols.

        Args:
            out: The output layer, ``(..., at least scores)``.
            symbol: Symbol under the input head, one-hot, ``(..., vocabulary)``.
            read: Memory cells that are read, ``(..., read_window, vocabulary)``.
        """
        outputs, window = self.interfaces.outputs, self.interfaces.read_window
        symbols = out[..., self.scores - outputs : self.scores]
        if self.direct:
            gates = out[..., self.choices : self.choices + 1 + window].sigmoid().unsqueeze(-1)
            symbols = symbols + gates[..., 0, :] * symbol[..., :outputs]
            symbols = symbols + (gates[..., 1:, :] * read[..., :outputs]).sum(dim=-2)
        return symbols * self.log_gain.exp()

    def forward(self, symbols: Tensor, state: ControllerState) -> tuple[Scores, ControllerState]:
        """Takes one step; `moved` applies the moves that are then sampled.

        Args:
            symbols: Symbols in the input window, ``(B, input_cells)`` int64.
            state: The state before the step.

        Returns:
            The scores, and the state with what was written and remembered.
        """
        rows = self.input_rows(symbols, state)
        before = self.weight_in[rows].sum(dim=1) + self.bias
        read = state.memory.flatten(0, 1)[self.read_cells(state.head)]
        before = before + read.flatten(1) @ self.weight_read
        hidden, cell = self._core(before, state)
        weight_out, bias_out = self.output_layer()
        out = hidden @ weight_out + bias_out
        symbol = self.one_hot[symbols[:, symbols.shape[1] // 2]]
        scores = Scores(out[:, : self.choices], self.shortcuts(out, symbol, read))
        memory = self._written(out, symbol, state) if self.reads.numel() else state.memory
        kept = hidden if self.recurrent else state.hidden
        return scores, ControllerState(kept, cell, memory, state.head, state.moves)

    def moved(self, state: ControllerState, moves: Tensor) -> ControllerState:
        """Returns the state after `moves`, ``(B, moves)``."""
        head = state.head
        if self.reads.numel():
            head = (head + moves[:, 1] - 1) % self.interfaces.memory_cells
        return state._replace(head=head, moves=moves + self.move_rows)

    def _core(self, before: Tensor, state: ControllerState) -> tuple[Tensor, Tensor]:
        """The hidden state and the LSTM's cell, from what is not yet squashed."""
        if not self.recurrent:
            return before.tanh(), state.cell
        gates = before + state.hidden @ self.weight_hidden
        o, i, f, g = gates.chunk(4, dim=1)
        cell = f.sigmoid() * state.cell + i.sigmoid() * g.tanh()
        return o.sigmoid() * cell.tanh(), cell

    def _written(self, out: Tensor, symbol: Tensor, state: ControllerState) -> Tensor:
        """The memory tapes after the step, ``(B, memory_cells, vocabulary)``."""
        interfaces, head, before = self.interfaces, state.head, state.memory.flatten(0, 1)
        written = out[:, self.scores :].reshape(len(out), interfaces.write_window, -1)
        gates = out[:, self.choices + 1 + interfaces.read_window : self.choices + self.gates]
        gates = gates.sigmoid().unsqueeze(2)
        if self.direct:
            written = written + gates[:, :-2] * symbol.unsqueeze(1)
        cells = self.written_cells(head).flatten()
        after = before.index_add(0, cells, written.flatten(0, 1))
        if self.direct:
            beside = self._cells(head, self.beside)
            change = before[self._cells(head, self.beside.new_zeros(1))]
            change = change - before[beside] if self.blend else change
            spread = gates[:, -2:] * change
            after = after.index_add(0, beside.flatten(), spread.flatten(0, 1))
        return after.view_as(state.memory)
