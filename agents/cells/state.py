"""Memory states, and what is done to them.

A state holds tensors in (named) tuples, lists and dicts of any nesting. Tensors are batch first and
of any type: an integer counter ``(B,)`` is as good as a matrix. A state may be empty, as that of a
cell without memory is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import torch
from torch import Tensor

# A tensor; or a (named) tuple, a list, or a dict by strings, of states. Types cannot say this of a
# NamedTuple's fields, so that it is `Any` to the type checker.
State: TypeAlias = Any
S = TypeVar("S")


def map_state(fn: Callable[..., Tensor], state: S, *others: S) -> S:
    """Applies `fn` to every tensor of a state, together with the same tensor of the others.

    Args:
        fn: Takes one tensor from each state and returns one tensor.
        state: The state whose structure the result has.
        *others: States of the same structure.

    Raises:
        ValueError: If the states differ in their structure.
        TypeError: If there is anything but tensors in tuples, lists and dicts.
    """
    return cast(S, _map(fn, (state, *others)))


def _map(fn: Callable[..., Tensor], states: tuple[Any, ...]) -> Any:
    first = states[0]
    if isinstance(first, Tensor):
        return fn(*states)
    if isinstance(first, dict):
        if any(state.keys() != first.keys() for state in states):
            raise ValueError(f"states differ: one has the keys {list(first)}, another has not")
        return {key: _map(fn, tuple(state[key] for state in states)) for key in first}
    if isinstance(first, tuple | list):
        fields = [_map(fn, parts) for parts in zip(*states, strict=True)]
        return type(first)(*fields) if hasattr(first, "_fields") else type(first)(fields)
    raise TypeError(
        f"a memory state holds {type(first).__name__}; allowed: tensors in tuples, lists, dicts"
    )


def state_tensors(state: State) -> list[Tensor]:
    """Returns the tensors of a state, in the order in which `map_state` meets them."""
    found: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        found.append(x)
        return x

    map_state(keep, state)
    return found


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
