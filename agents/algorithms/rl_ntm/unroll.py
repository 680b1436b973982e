"""The controller over whole episodes, step by step.

Episodes end at different times, and a row whose episode has ended is stepped no more. What steps
need and give is packed: rows that still run, and where steps are put together, one step after the
other. Only the scores are laid out over all rows at the end.

`PlainUnroll` lets PyTorch keep the graph: it runs on every device, and is what
`agents.algorithms.rl_ntm.fast.unroll` is tested against.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agents.algorithms.rl_ntm.controller import Controller, ControllerState, Scores

Ints = npt.NDArray[np.int64]


class Seen(NamedTuple):
    """What the controller saw in N steps of all rows together, by time and then by row.

    Attributes:
        inputs: How often each row of `weight_in` was added, ``(N, rows)``.
        read: Memory cells that were read, ``(N, read_window * vocabulary)``, detached.
    """

    inputs: Tensor
    read: Tensor


class Unroll(Protocol):
    """Steps B episodes from their start."""

    def step(self, symbols: Tensor, rows: Ints) -> Scores:
        """Takes one step; see `Controller.forward`.

        Args:
            symbols: Symbols in the input windows, ``(n, input_cells)`` int64.
            rows: Numbers of the n rows that still run, in ascending order; a row that is left out
                never comes back.
        """
        ...

    def move(self, moves: Tensor) -> None:
        """Applies the moves of the step, ``(n, moves)``."""
        ...

    def finish(self) -> tuple[Scores, Seen]:
        """Returns the scores of all T steps, with gradients, and what was seen.

        Scores are ``(T, B, ...)``, and 0 where a row ran no more.
        """
        ...


class PlainUnroll:
    """Steps with PyTorch's own graph.

    Args:
        controller: The controller.
        rows: B.
        max_steps: Not needed.
    """

    def __init__(self, controller: Controller, rows: int, max_steps: int) -> None:
        self.controller = controller
        self.state = controller.initial_state(rows)
        self._all_rows = rows
        self._rows: list[Ints] = [np.arange(rows)]
        self._scores: list[Scores] = []
        self._seen: list[Seen] = []

    def step(self, symbols: Tensor, rows: Ints) -> Scores:
        """See `Unroll`."""
        controller, before = self.controller, self._rows[-1]
        if len(rows) < len(before):
            still = torch.as_tensor(np.isin(before, rows), device=symbols.device)
            self.state = ControllerState(*(part[still] for part in self.state))
        self._rows.append(rows)
        state = self.state
        read = state.memory.flatten(0, 1)[controller.read_cells(state.head)]
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
        scores = Scores(*(torch.cat(parts) for parts in zip(*self._scores, strict=True)))
        device = scores.moves.device
        places = torch.as_tensor(places_of(self._rows[1:], self._all_rows), device=device)
        shape = len(self._scores), self._all_rows
        padded = Scores(*(laid_out(part, places, shape) for part in scores))
        return padded, Seen(*(torch.cat(parts) for parts in zip(*self._seen, strict=True)))


def places_of(rows: list[Ints], count: int) -> Ints:
    """Returns where packed steps lie in ``(T, B)`` arrays that are made flat, ``(N,)``.

    Args:
        rows: Numbers of the rows that ran, step by step.
        count: B.
    """
    return np.concatenate([each + t * count for t, each in enumerate(rows)])


def laid_out(packed: Tensor, places: Tensor, shape: tuple[int, int]) -> Tensor:
    """Returns packed steps ``(N, k)`` as ``(T, B, k)``, 0 where nothing is."""
    everywhere = packed.new_zeros(shape[0] * shape[1], packed.shape[1])
    return everywhere.index_copy(0, places, packed).view(*shape, -1)


def row_counts(controller: Controller, rows: Tensor) -> Tensor:
    """Returns how often each row of `weight_in` is among ``(N, n)`` rows, ``(N, rows)``."""
    counts = controller.bias.new_zeros(len(rows), len(controller.weight_in))
    return counts.scatter_add_(1, rows, torch.ones_like(rows, dtype=counts.dtype))
