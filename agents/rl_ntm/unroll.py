"""The controller over whole episodes, step by step.

`PlainUnroll` lets PyTorch keep the graph: it runs on every device, and is what
`agents.rl_ntm.fast_unroll` is tested against.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from agents.rl_ntm.controller import Controller, Scores


class Seen(NamedTuple):
    """What the controller saw in T steps.

    Attributes:
        inputs: how often each row of `weight_in` was added, ``(T, B, rows)``.
        read: the memory cells in the window, ``(T, B, memory_window * vocabulary)``, detached.
    """

    inputs: Tensor
    read: Tensor


class Unroll(Protocol):
    """Steps B episodes from their start."""

    def step(self, symbols: Tensor) -> Scores:
        """Take one step; see `Controller.forward`."""
        ...

    def move(self, moves: Tensor) -> None:
        """Apply the moves of the step, ``(B, moves)``."""
        ...

    def finish(self) -> tuple[Scores, Seen]:
        """The scores of all T steps, with gradients, and what was seen."""
        ...


class PlainUnroll:
    """Step by step, with PyTorch's own graph.

    Args:
        controller: steps.
        rows: B.
        max_steps: not needed.
    """

    def __init__(self, controller: Controller, rows: int, max_steps: int) -> None:
        self.controller = controller
        self.state = controller.initial_state(rows)
        self._scores: list[Scores] = []
        self._seen: list[Seen] = []

    def step(self, symbols: Tensor) -> Scores:
        """See `Unroll`."""
        controller, state = self.controller, self.state
        cells = controller.read_cells(state.head)
        read = state.memory.flatten(0, 1)[cells] if cells.numel() else state.memory
        inputs = row_counts(controller, controller.input_rows(symbols, state))
        self._seen.append(Seen(inputs, read.detach().flatten(1)))
        scores: Scores
        scores, self.state = controller(symbols, state)
        self._scores.append(scores)
        return scores

    def move(self, moves: Tensor) -> None:
        """See `Unroll`."""
        self.state = self.controller.moved(self.state, moves)

    def finish(self) -> tuple[Scores, Seen]:
        """See `Unroll`."""
        scores = Scores(*(torch.stack(parts) for parts in zip(*self._scores, strict=True)))
        return scores, Seen(*(torch.stack(parts) for parts in zip(*self._seen, strict=True)))


def row_counts(controller: Controller, rows: Tensor) -> Tensor:
    """How often each row of `weight_in` is among ``(..., n)`` rows, as a sum of one-hot vectors."""
    counts = controller.bias.new_zeros(*rows.shape[:-1], len(controller.weight_in))
    return counts.scatter_add_(-1, rows, torch.ones_like(rows, dtype=counts.dtype))
