"""Policies from JAX functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from memory_envs.scoring.policy import MadePolicy, Turn, check_callable, name_of


def from_jax(
    step: Callable[..., Any], initial_state: Any = (), deterministic: bool | None = None
) -> MadePolicy:
    """Makes a policy of a function of one row; it is vectorised and compiled here.

    Args:
        step: ``step(observation, state) -> action, state``. If it has an argument `mask`, it is
            given the action mask; if it has an argument `key`, a random key, of every step.
        initial_state: A tree of arrays, with which an episode begins.
        deterministic: Whether it takes the most probable actions, for the result.
    """
    check_callable("step", step, "step(observation, state)")
    wanted = inspect.signature(step).parameters.keys() & {"mask", "key"}
    compiled: Any = None

    def act(turn: Turn, state: Any) -> tuple[Any, Any]:
        nonlocal compiled
        jax = import_module("jax")
        if compiled is None:
            compiled = jax.jit(jax.vmap(lambda seen, state, more: step(seen, state, **more)))
        if state is None:
            rows = len(turn.starts)
            spread = jax.numpy.broadcast_to
            state = jax.tree.map(lambda x: spread(x, (rows, *np.shape(x))), initial_state)
        elif turn.starts.any():
            state = jax.tree.map(partial(begun, jax.numpy, turn.starts), initial_state, state)
        short = (turn.seeds >> np.uint64(32)).astype(np.uint32)
        more = {"mask": turn.masks, "key": jax.vmap(jax.random.key)(short)}
        given = {name: more[name] for name in wanted}
        actions, state = compiled(turn.observations, state, given)
        return actions, state

    def begun(jnp: Any, starts: Any, first: Any, now: Any) -> Any:
        """Puts the first state into rows that begin an episode."""
        return jnp.where(starts.reshape(-1, *[1] * (now.ndim - 1)), first, now)

    return MadePolicy(act, name_of(step), deterministic)
