"""LSTM with a soft-attention look-up table, LSTM+SALU (Munkhdalai et al. 2019, arXiv:1907.09720).

The baseline of metalearned neural memory, in which the neural memory is replaced by a table of keys
and values that grows with the sequence (section 4.1). The controller is that of section 3.1.

Order within a step. The LSTM sees the input and the last step's read-out. From its hidden state
come, for each head, a read-in key, a write-in key and a value, all through tanh (equation 1). The
write-in keys and their values are added to the table, an entry a head. Then the read-in keys look
it up, what the step itself has written included: the paper reads from the memory of the same step
(section 3.2). The mean of what the heads read is the read-out, which goes into the output,
``y = W_y [h; v] + b_y``, and into the next step.

The paper says no more of the table. Here: all heads share it, as they share the neural memory; a
head weighs the entries by the softmax of the products of its key with theirs, not scaled, so that
one entry can outweigh a full table; and there is no rate of writing, since to add an entry takes
none. The output is as wide as the hidden state (table 2). First weights are PyTorch's, those of the
LSTM as in `LSTM`.

The paper's table is unbounded. A state has a fixed shape, and so this table keeps what the last
`memory_size` steps of an episode wrote: once it is full, each step overwrites the oldest entries.
Give it as many steps as an episode has, and it is the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from agents.cells.base import FusedCell, Unrolled, start_masks
from agents.cells.lstm import LSTM, LSTMState
from agents.cells.parts.windows import in_blocks, steps_before, visible
from agents.cells.state import map_state, where_state
from memory_envs.arguments import check_integer

# A step of a sequence copies what its block has written so far, a block the whole table once.
_BLOCK = 64


class Table(NamedTuple):
    """What n steps have written, oldest first.

    Attributes:
        keys: ``(B, n, num_heads, key_size)``.
        values: ``(B, n, num_heads, value_size)``.
    """

    keys: Tensor
    values: Tensor


class SALUState(NamedTuple):
    """State of an LSTM with a look-up table.

    Attributes:
        table: Of `memory_size` steps, zeros where an episode has had fewer.
        filled: How many steps have written, `memory_size` at most, ``(B,)`` int64.
        read: What was read last, ``(B, value_size)``.
        controller: The LSTM's state.
    """

    table: Table
    filled: Tensor
    read: Tensor
    controller: LSTMState


class SALU(FusedCell[SALUState]):
    """An LSTM that writes to a table at every step and looks things up in it.

    Args:
        input_size: Width of the input.
        hidden_size: Number of units of the LSTM; the output is as wide.
        memory_size: How many steps the table holds.
        key_size: Numbers in a key.
        value_size: Numbers in a value.
        num_heads: Entries that are written in a step, and keys that are looked up.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on.
    """

    source: ClassVar[str] = "Munkhdalai et al. 2019, arXiv:1907.09720"

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 128,
        memory_size: int = 128,
        key_size: int = 32,
        value_size: int = 32,
        num_heads: int = 1,
    ) -> None:
        check_integer("hidden_size", hidden_size, 1)
        check_integer("memory_size", memory_size, 1)
        check_integer("key_size", key_size, 1)
        check_integer("value_size", value_size, 1)
        check_integer("num_heads", num_heads, 1)
        super().__init__(input_size, hidden_size)
        self.memory_size = memory_size
        self.num_heads = num_heads
        self._sizes = [key_size, key_size, value_size]
        self.controller = LSTM(input_size + value_size, hidden_size)
        # Of every head the read-in key, the write-in key and the value.
        self.interaction = nn.Linear(hidden_size, num_heads * sum(self._sizes))
        self.out = nn.Linear(hidden_size + value_size, hidden_size)

    def initial_state(self, batch_size: int) -> SALUState:
        """Returns zeros: an empty table, nothing read yet."""
        weight = self.out.weight
        _, key_size, value_size = self._sizes
        entries = (batch_size, self.memory_size, self.num_heads)
        return SALUState(
            Table(weight.new_zeros(*entries, key_size), weight.new_zeros(*entries, value_size)),
            torch.zeros(batch_size, dtype=torch.int64, device=weight.device),
            weight.new_zeros(batch_size, value_size),
            self.controller.initial_state(batch_size),
        )

    def forward(self, x: Tensor, state: SALUState) -> tuple[Tensor, SALUState]:
        """Takes one step; see `MemoryCell.forward`."""
        out, state, _ = self._step(x, state)
        return out, state

    def trace(self, x: Tensor, state: SALUState) -> tuple[Tensor, SALUState, dict[str, Tensor]]:
        """Takes the same step, and returns what it read, wrote and looked up besides.

        The weightings of the heads are ``(B, num_heads, memory_size * num_heads)``: of the entries
        by step, oldest first, those of a step by the head that wrote them.
        """
        return self._step(x, state)

    def _step(self, x: Tensor, state: SALUState) -> tuple[Tensor, SALUState, dict[str, Tensor]]:
        hidden, controller, queries, entry = self._control(x, state.read, state.controller)
        table = append(Table(state.table.keys[:, 1:], state.table.values[:, 1:]), entry)
        there = visible(state.filled.unsqueeze(0), self.memory_size - 1).squeeze(1)
        read, weights = look_up(queries, [table], there)
        out = self.out(torch.cat((hidden, read), dim=1))
        filled = (state.filled + 1).clamp(max=self.memory_size)
        seen = {
            "read_weights": weights,
            "write_keys": entry.keys[:, 0],
            "write_values": entry.values[:, 0],
            "read_keys": queries,
            "read_values": read.unsqueeze(1),
        }
        return out, SALUState(table, filled, read, controller), seen

    def _control(
        self, x: Tensor, read: Tensor, state: LSTMState
    ) -> tuple[Tensor, LSTMState, Tensor, Table]:
        """Returns hidden state, LSTM's state, read-in keys ``(B, num_heads, key_size)``, entry."""
        hidden, state = self.controller(torch.cat((x, read), dim=1), state)
        shape = (hidden.shape[0], self.num_heads, sum(self._sizes))
        vectors = self.interaction(hidden).tanh().view(shape)
        queries, keys, values = torch.split(vectors, self._sizes, dim=2)
        return hidden, state, queries, Table(keys.unsqueeze(1), values.unsqueeze(1))

    def takes(self, xs: Tensor) -> bool:
        """Says yes: `sequence` is made of plain operations."""
        return True

    def sequence(self, xs: Tensor, state: SALUState, starts: Tensor) -> Unrolled:
        """Steps, but without a copy of the table at each; see `FusedCell.sequence`."""
        return in_blocks(self._block, _BLOCK, xs, state, starts)

    def _block(self, xs: Tensor, state: SALUState, starts: Tensor) -> tuple[Tensor, SALUState]:
        before = steps_before(starts, state.filled)
        seen = visible(before, self.memory_size - 1)
        read, controller = state.read, state.controller
        # What was written before the block stays where it is; only what it writes grows.
        old = Table(state.table.keys[:, 1:], state.table.values[:, 1:])
        new = Table(state.table.keys[:, :0], state.table.values[:, :0])
        hiddens, reads = [], []
        for t, (x, mask) in enumerate(zip(xs.unbind(), start_masks(starts), strict=True)):
            if mask is not None:
                # Hidden entries are cleared, too: a weight of zero does not hide NaN.
                carried = (read, controller, old, new)
                blank = map_state(torch.zeros_like, carried)
                read, controller, old, new = where_state(mask, blank, carried)
            hidden, controller, queries, entry = self._control(x, read, controller)
            new = append(new, entry)
            read, _ = look_up(queries, [old, new], seen[:, t, : self.memory_size + t])
            hiddens.append(hidden)
            reads.append(read)
        outs = self.out(torch.cat((torch.stack(hiddens), torch.stack(reads)), dim=2))
        table = append(old, new)
        table = Table(table.keys[:, -self.memory_size :], table.values[:, -self.memory_size :])
        filled = (before[-1] + 1).clamp(max=self.memory_size)
        return outs, SALUState(table, filled, read, controller)


def append(table: Table, later: Table) -> Table:
    """Joins what was written, in the order of time."""
    return Table(*(torch.cat(parts, dim=1) for parts in zip(table, later, strict=True)))


def look_up(queries: Tensor, tables: Sequence[Table], seen: Tensor) -> tuple[Tensor, Tensor]:
    """Reads by soft attention over the entries of all tables.

    Args:
        queries: Read-in keys, ``(B, num_heads, key_size)``.
        tables: Of n steps together.
        seen: Whether an entry is there to be read, ``(B, n)`` bool; one at least is.

    Returns:
        The mean of what the heads read, ``(B, value_size)``, and their weightings ``(B, num_heads,
        n * num_heads)``, where the entries of a step stand side by side.
    """
    scores = [queries @ table.keys.flatten(1, 2).mT for table in tables]
    hidden = ~seen.repeat_interleave(queries.shape[1], dim=1).unsqueeze(1)
    weights = torch.cat(scores, dim=2).masked_fill(hidden, -torch.inf).softmax(dim=2)
    shares = torch.split(weights, [part.shape[2] for part in scores], dim=2)
    pairs = zip(shares, tables, strict=True)
    reads = [share @ table.values.flatten(1, 2) for share, table in pairs]
    return torch.stack(reads).sum(dim=0).mean(dim=1), weights
