"""Checks of arguments: what they keep, what they refuse, and what they say of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from memory_envs.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_penalty,
    shown,
)

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("check", "allowed", "value", "kept"),
    [
        (check_integer, (0, 5), 0, 0),
        (check_integer, (0, 5), np.int16(5), 5),
        (check_integer, (1,), 10**30, 10**30),
        (check_number, (0.0, 1.0), 1, 1.0),
        (check_number, (0.0, 1.0), np.float32(0.5), 0.5),
        (check_penalty, (), 0, 0.0),
        (check_penalty, (), np.float64(-2.5), -2.5),
        (check_flag, (), np.bool_(True), True),
        (check_choice, (("a", "b"),), "b", "b"),
    ],
)
def test_what_is_kept_is_of_python_s_own_type(
    check: Callable[..., Any], allowed: tuple[Any, ...], value: Any, kept: Any
) -> None:
    found = check("x", value, *allowed)
    assert (type(found), found) == (type(kept), kept)


@pytest.mark.parametrize(
    ("check", "limits", "values", "error", "allowed"),
    [
        (check_integer, (0, 5), (-1, 6), ValueError, "integers from 0 to 5"),
        (check_integer, (1,), (0,), ValueError, "integers from 1 on"),
        (check_integer, (0, 5), (True, np.bool_(True), 1.0, "1", None), TypeError, "integers from"),
        (check_number, (0.0, 0.5), (-0.1, 0.6, INF, NAN), ValueError, "numbers from 0 to 0.5"),
        (check_number, (0.0, 0.5), (False, np.bool_(False), "0"), TypeError, "numbers from 0 to"),
        (check_penalty, (), (0.1, INF, -INF, NAN), ValueError, "finite numbers up to 0"),
        (check_penalty, (), (False, None), TypeError, "finite numbers up to 0"),
        (check_flag, (), (0, 1, None, "True"), TypeError, "False, True"),
        (check_choice, (("on", "off"),), ("oof", 1, []), ValueError, "on, off"),
    ],
)
def test_what_is_refused_is_named_with_its_value(
    check: Callable[..., Any],
    limits: tuple[Any, ...],
    values: tuple[Any, ...],
    error: type[Exception],
    allowed: str,
) -> None:
    for value in values:
        with pytest.raises(error) as refused:
            check("x", value, *limits)
        assert str(refused.value).startswith(f"x is {value!r}; allowed: {allowed}")


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


def test_values_are_shown_in_short_whatever_they_are() -> None:
    assert shown("a" * 100) == "'" + "a" * 76 + "..."
    assert shown(Broken()) == "<Broken>"
