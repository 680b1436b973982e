"""Optimal play from the full state, and what it is worth, for every environment of the package."""

import importlib
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
from gymnasium.error import ResetNeeded

from memory_envs.arguments import shown
from memory_envs.core.env import MemoryEnv
from memory_envs.core.rules import Rules
from memory_envs.core.vector import MemoryVectorEnv


class _Oracle(Protocol):
    """What a family's module here holds."""

    def best_action(self, rules: Any, state: Any, row: int) -> Any:
        """Returns the action of optimal play in one row, whose episode is under way."""
        ...

    def optimal_return(self, rules: Any, state: Any, row: int) -> float:
        """Returns what optimal play still gets in one row, whose episode is under way."""
        ...


_FAMILIES = ("algorithmic", "maze", "stream", "tape")


def oracle(env: Any) -> Any:
    """Returns the best action for the present full state.

    Args:
        env: A scalar or vector environment of this package, wrapped or not.

    Returns:
        An action in the format of ``env.unwrapped``. For a vector environment, one per row; a row
        whose episode is over gets zeros, which NEXT_STEP mode ignores.

    Raises:
        TypeError: For an environment that is not of this package.
        ResetNeeded: If no episode is under way in a scalar environment.
    """
    base = _unwrap(env)
    module, state = _module(base.rules), base.get_state()
    running = state.rows["running"]
    if isinstance(base, MemoryEnv):
        if not running[0]:
            raise ResetNeeded("no episode is under way: call reset() before oracle()")
        return module.best_action(base.rules, state, 0)
    shape = base.action_space.shape
    assert shape is not None
    actions = np.zeros(shape, np.int64)
    for row in np.flatnonzero(running).tolist():
        actions[row] = module.best_action(base.rules, state, row)
    return actions


def optimal_return(env: Any) -> float | npt.NDArray[np.float64]:
    """Returns what optimal play still gets from the present full state, undiscounted.

    Args:
        env: A scalar or vector environment of this package, wrapped or not.

    Returns:
        A float, or for a vector environment an array of shape ``(B,)``; 0 where no episode is
        under way.

    Raises:
        TypeError: For an environment that is not of this package.
    """
    base = _unwrap(env)
    module, state = _module(base.rules), base.get_state()
    returns = np.zeros(len(state.rows))
    for row in np.flatnonzero(state.rows["running"]).tolist():
        returns[row] = module.optimal_return(base.rules, state, row)
    return float(returns[0]) if isinstance(base, MemoryEnv) else returns


def _unwrap(env: Any) -> MemoryEnv[Any] | MemoryVectorEnv[Any]:
    base = getattr(env, "unwrapped", None)
    if not isinstance(base, MemoryEnv | MemoryVectorEnv):
        raise TypeError(f"env is {shown(env)}; allowed: environments of memory_envs")
    return base


def _module(rules: Rules[Any]) -> _Oracle:
    """Returns the family's oracle, imported when it is first needed."""
    for ancestor in type(rules).__mro__:
        package, _, rest = ancestor.__module__.partition(".")
        family = rest.partition(".")[0]
        if package == "memory_envs" and family in _FAMILIES:
            return cast(_Oracle, importlib.import_module(f"{__name__}.{family}"))
    raise TypeError(f"env has rules of type {type(rules).__name__}; allowed: those of memory_envs")
