"""What the fast unroll writes down for its backward pass."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from agents.algorithms.rl_ntm.controller import Controller


class Record(NamedTuple):
    """What N steps write down, packed, as tensors or as arrays that share their memory.

    Attributes:
        inputs: Rows of `weight_in` that were added up, ``(N, input_cells + moves)``.
        symbol: Symbol under the input head, ``(N,)``.
        cells: Memory cells around the head, ``(N, reach)``: as many as the largest window has.
        entered: Contents of the cells that were read before the step, flat, and the hidden state
            before the step, ``(N, read_window * V + H)``.
        beside: Contents of the two cells beside the head before the step, flat, ``(N, 2 * V)``;
            ``(N, 0)`` where nothing is added to them.
        before: Cell state of the LSTM before the step, ``(N, H)``.
        gates: Gates of the LSTM in the order o, i, f, g, after their nonlinearities,
            ``(N, 4 * H)``; without an LSTM what enters the nonlinearity, ``(N, H)``.
        squashed: Hyperbolic tangent of the LSTM's cell state after the step, ``(N, H)``.
        hidden: Hidden state after the step, ``(N, H)``.
        out: Output layer, ``(N, ...)``; the gates of shortcuts after their nonlinearity.
        symbols: Scores of the symbols, ``(N, outputs)``.
    """

    inputs: Any
    symbol: Any
    cells: Any
    entered: Any
    beside: Any
    before: Any
    gates: Any
    squashed: Any
    hidden: Any
    out: Any
    symbols: Any

    def part(self, start: int, stop: int) -> Record:
        """Returns some of the N entries."""
        return Record(*(entries[start:stop] for entries in self))

    def arrays(self) -> Record:
        """Returns the same as NumPy arrays."""
        return Record(*(tensor.numpy() for tensor in self))


def new_record(controller: Controller, size: int) -> Record:
    """Returns room for `size` entries; what no step touches costs nothing."""
    interfaces, like = controller.interfaces, controller.bias.detach()
    state = controller.hidden_size if controller.recurrent else 0
    read = interfaces.read_window * interfaces.vocabulary
    reach = max(interfaces.read_window, interfaces.write_window, 3 * controller.spreads)

    def numbers(width: int) -> Tensor:
        return like.new_empty(size, width)

    def integers(*width: int) -> Tensor:
        return torch.empty(size, *width, dtype=torch.int64)

    return Record(
        inputs=integers(interfaces.input_cells + len(interfaces.move_sizes)),
        symbol=integers(),
        cells=integers(reach),
        entered=numbers(read + state),
        beside=numbers(2 * interfaces.vocabulary * controller.spreads),
        before=numbers(state),
        gates=numbers(len(like)),
        squashed=numbers(state),
        hidden=numbers(controller.hidden_size),
        out=numbers(len(controller.bias_out)),
        symbols=numbers(interfaces.outputs),
    )
