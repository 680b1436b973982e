"""Copying a family's state out of an environment and back."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_envs.arguments import shown
from memory_envs.core.rules import Array, BoolArray, Rules, StateT


def copy_state(state: StateT) -> StateT:
    """Returns a copy that shares no memory with `state`."""
    return type(state)(**{name: array.copy() for name, array in state._asdict().items()})


def overwrite_state(rules: Rules[StateT], present: StateT, given: Any) -> None:
    """Copies `given` into the arrays of `present`.

    Raises:
        TypeError: If `given` is not this family's state.
        ValueError: If a shape, dtype or value does not fit; `present` is then unchanged.
    """
    if type(given) is not type(present):
        allowed = f"{type(present).__name__}, from get_state()"
        raise TypeError(f"state is a {type(given).__name__}; allowed: {allowed}")
    arrays = given._asdict()
    for name, array in present._asdict().items():
        other = arrays[name]
        if not isinstance(other, np.ndarray):
            raise TypeError(f"state.{name} is {shown(other)}; allowed: an array")
        if other.shape != array.shape or other.dtype != array.dtype:
            raise ValueError(
                f"state.{name} has shape {other.shape} and dtype {other.dtype}; "
                f"allowed: {array.shape} and {array.dtype}"
            )
    rules.check_state(given)
    for name, array in present._asdict().items():
        array[...] = arrays[name]


def require(condition: BoolArray, field: str, values: Array, allowed: str) -> None:
    """Raises ValueError, for the first row that fails, unless `condition` holds for every row.

    Args:
        condition: Of shape ``(B,)`` or ``(B, ...)``.
        field: The state's field, as the message names it.
        values: The field itself, one entry for each of the B rows.
        allowed: What it may be.
    """
    fine = condition.reshape(len(values), -1).all(axis=1)
    if not fine.all():
        row = int(np.argmin(fine))
        given = f"state.{field} is {shown(values[row].tolist())} in row {row}"
        raise ValueError(f"{given}; allowed: {allowed}")


def require_ranges(
    rows: npt.NDArray[np.void], started: BoolArray, ranges: Iterable[tuple[str, Any, Any]]
) -> None:
    """Raises ValueError unless fields are in their ranges, and 0 in rows that never started.

    Args:
        rows: The records of the state.
        started: Of shape ``(B,)``, whether a row was reset before.
        ranges: For each field its name, and its lowest and highest value, numbers or ``(B,)``.
    """
    for name, low, high in ranges:
        values = rows[name]
        require((values == 0) | started, f"rows.{name}", values, "0 before the first reset")
        inside = (values >= low) & (values <= high) | ~started
        row = int(np.argmin(inside))
        lowest, highest = (np.broadcast_to(end, inside.shape)[row] for end in (low, high))
        require(inside, f"rows.{name}", values, f"{lowest} to {highest}")
