"""Policies from functions without a memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from memory_envs.scoring.policy import MadePolicy, Turn, check_callable, name_of


def from_function(function: Callable[..., Any], deterministic: bool | None = None) -> MadePolicy:
    """Makes a policy of a function that knows the present observations alone.

    Args:
        function: Takes observations ``(B, ...)``, and action masks ``(B, choices)`` if it has a
            second argument, `masks`; returns actions ``(B, ...)``.
        deterministic: Whether it takes the most probable actions, for the result.
    """
    check_callable("function", function, "function(observations)")
    takes_masks = "masks" in inspect.signature(function).parameters

    def act(turn: Turn, state: Any) -> tuple[Any, Any]:
        masks = {"masks": turn.masks} if takes_masks else {}
        return function(turn.observations, **masks), state

    return MadePolicy(act, name_of(function), deterministic)
