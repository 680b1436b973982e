"""Arguments are checked here, before anything is built from them."""

import difflib
import math
import operator
from collections.abc import Collection
from typing import Any

import numpy as np


def check_choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """Return `value` if it is one of `allowed`.

    Raises:
        ValueError: naming the argument, the value, what is allowed and the nearest of them.
    """
    if isinstance(value, str) and value in allowed:
        return value
    near = difflib.get_close_matches(shown(value).strip("'"), allowed, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {sorted(allowed)}, got {shown(value)}.{hint}")


def check_keywords(given: Collection[str], allowed: Collection[str]) -> None:
    """Check the names of keyword arguments.

    Raises:
        TypeError: naming the first one that is not allowed, and the nearest that is.
    """
    for name in given:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(allowed)}"
            raise TypeError(f"there is no argument {name!r}; {hint}")


def check_integer(name: str, value: Any, low: int, high: int) -> int:
    """Return `value` as an int in ``[low, high]``.

    Raises:
        TypeError: if it is not an integer (booleans are not).
        ValueError: if it is out of range.
    """
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer, got {shown(value)}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {shown(value)}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must be in [{low}, {high}], got {number}")
    return number


def check_penalty(name: str, value: Any) -> float:
    """Return `value` as a finite float that is not positive.

    A positive reward for a mistake would change what optimal play is.

    Raises:
        TypeError: if it is not a number.
        ValueError: if it is positive, infinite or NaN.
    """
    if not check_number(name, value, -math.inf, 0.0) > -math.inf:
        raise ValueError(f"{name} must be finite, got {shown(value)}")
    return float(value)


def check_flag(name: str, value: Any) -> bool:
    """Return `value` as a bool.

    Raises:
        TypeError: if it is not one.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def check_number(name: str, value: Any, low: float, high: float) -> float:
    """Return `value` as a float in ``[low, high]``.

    Raises:
        TypeError: if it is not a number.
        ValueError: if it is out of range or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be in [{low}, {high}], got {shown(value)}")
    return float(value)


def shown(value: Any, limit: int = 80) -> str:
    """The start of ``repr(value)``, for messages; a broken repr must not hide the complaint."""
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."
