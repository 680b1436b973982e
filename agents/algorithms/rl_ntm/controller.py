"""The controllers: what learns in RL-NTM (Zaremba & Sutskever 2015, sections 2 and 8).

A step. The controller sees the windows around both heads and the previous moves. From its state it
scores the moves and the symbols, and adds to the memory cells in its window. What was sampled is
applied afterwards: heads move between two steps, never within one.

Three kinds: `lstm`; `feedforward`, whose only state are the moves; and `direct_access`, an LSTM
with shortcuts. Each shortcut adds one vector to another, scaled by a sigmoid gate: the input symbol
and each memory cell in the window to the scores of the symbols, and the input symbol to each memory
cell in the window. The memory cell under the head is blended into its neighbours, not added as in
the paper: with gates near 1/2 the tape would grow a thousandfold in 30 steps.
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
    ) -> None:
        super().__init__()
        check_or_none(check_number, "gain", gain, 0.0, above=True)
        check_integer("hidden_size", hidden_size, 1)
        check_number("init_std", init_std, 0.0)
        check_choice("controller", kind, KINDS)
        check_flag("mark", mark)
        if not (check_flag("free_symbols", free_symbols) or kind == "direct_access"):
            raise ValueError(f"free_symbols is False; allowed with {kind}: True")
        self.interfaces = interfaces
        self.kind = kind
        self.hidden_size = hidden_size
        self.mark = mark
        self.recurrent = kind != "feedforward"
        self.direct = kind == "direct_access"
        vocabulary, window = interfaces.vocabulary, interfaces.memory_window
        self.choices = sum(interfaces.move_sizes)
        # Input to output, each cell to output; input to each cell, centre to each neighbour.
        self.gates = (3 * window if window else 1) if self.direct else 0
        self.scores = self.choices + self.gates + interfaces.outputs
        rows = interfaces.input_cells * vocabulary + self.choices + 1  # the last for "no move"
        width = (4 if self.recurrent else 1) * hidden_size
        read = window * vocabulary
        self.weight_in = nn.Parameter(torch.empty(rows, width))
        self.weight_read = nn.Parameter(torch.empty(read, width))
        self.weight_hidden = nn.Parameter(torch.empty(hidden_size if self.recurrent else 0, width))
        self.bias = nn.Parameter(torch.empty(width))
        self.weight_out = nn.Parameter(torch.empty(hidden_size, self.scores + read))
        self.bias_out = nn.Parameter(torch.empty(self.scores + read))
        self.log_gain = nn.Parameter(torch.empty(()))
        sizes = [vocabulary] * interfaces.input_cells + interfaces.move_sizes
        offsets = torch.tensor([0, *sizes[:-1]]).cumsum(0)
        self.register_buffer("offsets", offsets[: interfaces.input_cells], persistent=False)
        self.register_buffer("move_rows", offsets[interfaces.input_cells :], persistent=False)
        around = torch.arange(window) - window // 2
        self.register_buffer("window", around, persistent=False)
        near = torch.cat([around[: window // 2], around[window // 2 + 1 :]]) + window // 2
        self.register_buffer("neighbours", near, persistent=False)
        self.register_buffer("one_hot", torch.eye(vocabulary), persistent=False)
        learned = torch.ones(self.scores + read)
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
    window: Tensor
    neighbours: Tensor
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
        """Returns the cells in the window, numbered over all rows, ``(B, memory_window)``."""
        cells = self.interfaces.memory_cells
        first = torch.arange(len(head), device=head.device).unsqueeze(1) * cells
        return (head.unsqueeze(1) + self.window) % cells + first

    def shortcuts(self, out: Tensor, symbol: Tensor, read: Tensor) -> Tensor:
        """Returns the scores of the symbols.

        Args:
            out: The output layer, ``(..., at least scores)``.
            symbol: Symbol under the input head, one-hot, ``(..., vocabulary)``.
            read: Memory cells in the window, ``(..., memory_window, vocabulary)``.
        """
        outputs, window = self.interfaces.outputs, self.interfaces.memory_window
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
        addresses = self.read_cells(state.head) if self.window.numel() else None
        flat = state.memory.flatten(0, 1)
        read = flat.new_zeros(len(rows), 0, self.interfaces.vocabulary)
        if addresses is not None:
            read = flat[addresses]
            before = before + read.flatten(1) @ self.weight_read
        hidden, cell = self._core(before, state)
        weight_out, bias_out = self.output_layer()
        out = hidden @ weight_out + bias_out
        symbol = self.one_hot[symbols[:, symbols.shape[1] // 2]]
        scores = Scores(out[:, : self.choices], self.shortcuts(out, symbol, read))
        memory = state.memory
        if addresses is not None:
            written = self._written(out, symbol, read)
            flat = flat.index_add(0, addresses.flatten(), written.flatten(0, 1))
            memory = flat.view_as(memory)
        kept = hidden if self.recurrent else state.hidden
        return scores, ControllerState(kept, cell, memory, state.head, state.moves)

    def moved(self, state: ControllerState, moves: Tensor) -> ControllerState:
        """Returns the state after `moves`, ``(B, moves)``."""
        head = state.head
        if self.window.numel():
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

    def _written(self, out: Tensor, symbol: Tensor, read: Tensor) -> Tensor:
        """What is added to the cells in the window, ``(B, memory_window, vocabulary)``."""
        window = self.interfaces.memory_window
        written = out[:, self.scores :].reshape(len(out), window, -1)
        if self.direct:
            gates = out[:, self.choices + 1 + window : self.choices + self.gates]
            gates = gates.sigmoid().unsqueeze(2)
            written = written + gates[:, :window] * symbol.unsqueeze(1)
            change = read[:, window // 2].unsqueeze(1) - read[:, self.neighbours]
            written = written.index_add(1, self.neighbours, gates[:, window:] * change)
        return written
