"""Checks arguments before anything is built from them.

Every complaint has one form, which names the argument, its value and what is allowed:
``symbols is 0; allowed: integers from 1 to 1000``.
"""

import difflib
import inspect
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def check_choice(name: str, value: Any, names: Iterable[str]) -> str:
    """Returns `value` if it is one of `names`.

    Raises:
        ValueError: If it is not, with the nearest of them.
    """
    known = list(names)
    if isinstance(value, str) and value in known:
        return value
    raise ValueError(f"{name} is {shown(value)}; {allowed_names(value, known)}")


def allowed_names(value: Any, names: Iterable[str], summary: str = "") -> str:
    """Returns the end of a message about an unknown name: those allowed, and the nearest of them.

    Args:
        value: What was given in place of a name.
        names: What is allowed.
        summary: What is said in place of all names where these are too many.
    """
    by_lower = {name.lower(): name for name in names}
    text = f"allowed: {summary or ', '.join(by_lower.values()) or 'nothing'}"
    given = shown(value).strip("'").lower()
    near = difflib.get_close_matches(given, by_lower, n=1, cutoff=0.5)
    return f"{text} (did you mean {by_lower[near[0]]!r}?)" if near else text


def check_integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Returns `value` as an int in ``[low, high]``; without `high` there is no upper end.

    Raises:
        TypeError: If it is not an integer (booleans are not).
        ValueError: If it is out of range.
    """
    ends = f"from {low} on" if high is None else f"from {low} to {high}"
    message = f"{name} is {shown(value)}; allowed: integers {ends}"
    if isinstance(value, bool | np.bool_):
        raise TypeError(message)
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(message) from None
    if number < low or (high is not None and number > high):
        raise ValueError(message)
    return number


def check_number(
    name: str, value: Any, low: float, high: float | None = None, above: bool = False
) -> float:
    """Returns `value` as a float from `low` to `high`.

    Args:
        name: The argument.
        value: What was given.
        low: The lower end.
        high: The upper end; without it there is none, and infinity is not allowed.
        above: Whether `low` itself is not allowed.

    Raises:
        TypeError: If it is not a number (booleans are not).
        ValueError: If it is out of range or NaN.
    """
    if high is None:
        ends = f"finite numbers {'above' if above else 'from'} {low:g}{'' if above else ' on'}"
    elif above:
        ends = f"numbers above {low:g}" + ("" if high == math.inf else f" up to {high:g}")
    else:
        ends = f"numbers from {low:g} to {high:g}"
    message = f"{name} is {shown(value)}; allowed: {ends}"
    if not _is_number(value):
        raise TypeError(message)
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        raise ValueError(message) from None
    below = number < math.inf if high is None else number <= high
    if not (low < number if above else low <= number) or not below:
        raise ValueError(message)
    return number


def check_or_none(
    check: Callable[..., T], name: str, value: Any, *allowed: Any, **ends: Any
) -> T | None:
    """Returns None as it is, and what a check returns of everything else.

    Args:
        check: One of these functions.
        name: The argument.
        value: What was given.
        *allowed: What `check` takes after name and value.
        **ends: The same, by name.

    Raises:
        TypeError, ValueError: If the check refuses it; says that None is allowed, too.
    """
    if value is None:
        return None
    try:
        return check(name, value, *allowed, **ends)
    except (TypeError, ValueError) as error:
        message = str(error).replace("; allowed: ", "; allowed: None, ", 1)
        raise type(error)(message) from None


def check_penalty(name: str, value: Any) -> float:
    """Returns `value` as a finite float that is not positive.

    A positive reward for a mistake would change what optimal play is.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is positive, infinite or NaN.
    """
    message = f"{name} is {shown(value)}; allowed: finite numbers up to 0"
    if not _is_number(value):
        raise TypeError(message)
    if not -math.inf < value <= 0:
        raise ValueError(message)
    return float(value)


def _is_number(value: Any) -> bool:
    kinds = int | float | np.integer | np.floating
    return isinstance(value, kinds) and not isinstance(value, bool)


def check_flag(name: str, value: Any) -> bool:
    """Returns `value` as a bool.

    Raises:
        TypeError: If it is not one.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {shown(value)}; allowed: False, True")
    return bool(value)


def check_instance(name: str, value: Any, kinds: type | tuple[type, ...], allowed: str) -> None:
    """Checks the type of an argument.

    Args:
        name: The argument.
        value: What was given.
        kinds: The types that it may have.
        allowed: The same in words.

    Raises:
        TypeError: If it has another.
    """
    if not isinstance(value, kinds):
        raise TypeError(f"{name} is {shown(value)}; allowed: {allowed}")


def keep_checked(settings: object, name: str, check: Callable[..., Any], *allowed: Any) -> None:
    """Checks a field of a frozen dataclass, and keeps what the check returns.

    Args:
        settings: The dataclass.
        name: The field.
        check: One of the functions above.
        *allowed: What `check` takes after name and value.
    """
    object.__setattr__(settings, name, check(name, getattr(settings, name), *allowed))


def argument_names(function: Callable[..., Any]) -> list[str]:
    """Returns the names of the arguments that a function or class takes, by its signature."""
    named = inspect.signature(function).parameters.values()
    return [p.name for p in named if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def shown(value: Any, limit: int = 80) -> str:
    """Returns the start of ``repr(value)``; a broken repr must not hide the complaint."""
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."
