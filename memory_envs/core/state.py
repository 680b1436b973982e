"""Copying a family's state out of an environment and back."""

from typing import Any

import numpy as np

from memory_envs.core.rules import Rules, StateT


def copy_state(state: StateT) -> StateT:
    """A copy that shares no memory with `state`."""
    return type(state)(**{name: array.copy() for name, array in state._asdict().items()})


def overwrite_state(rules: Rules[StateT], present: StateT, given: Any) -> None:
    """Copy `given` into the arrays of `present`.

    Raises:
        TypeError: if `given` is not this family's state.
        ValueError: if a shape, dtype or value does not fit; `present` is then unchanged.
    """
    if type(given) is not type(present):
        raise TypeError(
            f"state must be a {type(present).__name__} from get_state(), got {type(given).__name__}"
        )
    arrays = given._asdict()
    for name, array in present._asdict().items():
        other = arrays[name]
        if not isinstance(other, np.ndarray):
            raise TypeError(f"state.{name} must be an array, got {type(other).__name__}")
        if other.shape != array.shape or other.dtype != array.dtype:
            raise ValueError(
                f"state.{name} must have shape {array.shape} and dtype {array.dtype}, "
                f"got {other.shape} and {other.dtype}"
            )
    rules.check_state(given)
    for name, array in present._asdict().items():
        array[...] = arrays[name]


def require(condition: Any, field: str, allowed: str) -> None:
    """Raise ValueError unless `condition` holds for every row.

    Args:
        condition: an array of bools.
        field: the state's field, as the message names it.
        allowed: what it may be.
    """
    if not np.all(condition):
        raise ValueError(f"state.{field} must be {allowed}")
