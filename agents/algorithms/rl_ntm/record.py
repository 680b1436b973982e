"""What the fast unroll writes down for its backward pass."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from agents.algorithms.rl_ntm.controller import Controller


class Record(NamedTuple):
    """What steps write down, packed, each ``(N, ...)``.

    Attributes:
        inputs: rows of `weight_in`.
        symbol: under the input head.
        cells: in the memory window.
        entered: their contents before the step, flat, and the hidden state before the step.
        before: the LSTM's cell state before the step.
        gates: of the LSTM, o, i, f, g after their nonlinearities; else the hidden state.
        squashed: the hyperbolic tangent of the LSTM's cell state after the step.
        hidden: after the step.
        out: of the output layer; gates of shortcuts after their nonlinearity.
        symbols: their scores.
    """

    inputs: Any
    symbol: Any
    cells: Any
    entered: Any
    before: Any
    gates: Any
    squashed: Any
    hidden: Any
    out: Any
    symbols: Any

    def part(self, start: int, stop: int) -> Record:
        """Some of the N entries."""
        return Record(*(entries[start:stop] for entries in self))

    def arrays(self) -> Record:
        """The same as NumPy arrays."""
        return Record(*(tensor.numpy() for tensor in self))


def new_record(controller: Controller, size: int) -> Record:
    """Room for N entries; what no step touches costs nothing."""
    interfaces, like = controller.interfaces, controller.bias.detach()
    state = controller.hidden_size if controller.recurrent else 0
    read = interfaces.memory_window * interfaces.vocabulary

    def numbers(width: int) -> Tensor:
        return like.new_empty(size, width)

    def integers(*width: int) -> Tensor:
        return torch.empty(size, *width, dtype=torch.int64)

    return Record(
        inputs=integers(interfaces.input_cells + len(interfaces.move_sizes)),
        symbol=integers(),
        cells=integers(interfaces.memory_window),
        entered=numbers(read + state),
        before=numbers(state),
        gates=numbers(len(like)),
        squashed=numbers(state),
        hidden=numbers(controller.hidden_size),
        out=numbers(len(controller.bias_out)),
        symbols=numbers(interfaces.outputs),
    )
