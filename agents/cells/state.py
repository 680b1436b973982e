"""Memory states: (nested) named tuples of tensors, batch first, and what is done to them.

A state may be empty: a cell without memory has a named tuple without fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

State: TypeAlias = tuple[Any, ...]
S = TypeVar("S", bound=State)


def map_state(fn: Callable[..., Tensor], state: S, *others: S) -> S:
    """Applies `fn` to every tensor of a state, together with the same tensor of the others.

    Args:
        fn: Takes one tensor from each state and returns one tensor.
        state: The state whose structure the result has.
        *others: States of the same structure.

    Raises:
        ValueError: If the states differ in their number of fields.
    """
    fields = (
        map_state(fn, *parts) if isinstance(parts[0], tuple) else fn(*parts)
        for parts in zip(state, *others, strict=True)
    )
    return type(state)(*fields)


def where_state(mask: Tensor, a: S, b: S) -> S:
    """Takes row i from `a` where `mask[i]` is True and from `b` elsewhere; `mask` is ``(B,)``."""

    def pick(x: Tensor, y: Tensor) -> Tensor:
        return torch.where(mask.view(-1, *(1,) * (x.dim() - 1)), x, y)

    return map_state(pick, a, b)


def detach_state(state: S) -> S:
    """Cuts a state off from the graph that made it."""
    return map_state(Tensor.detach, state)


def index_state(state: S, rows: Tensor | slice) -> S:
    """Selects rows by a slice, a tensor of row numbers or a ``(B,)`` bool mask."""
    return map_state(lambda x: x[rows], state)


def cat_states(states: Sequence[S]) -> S:
    """Joins states of the same structure along their rows."""
    return map_state(lambda *parts: torch.cat(parts), *states)
