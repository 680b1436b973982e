"""From what a user calls an environment to rows that can be played."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from memory_envs.arguments import check_instance, shown
from memory_envs.scoring.references import good_number_of_rows
from memory_envs.scoring.rows import Rows
from memory_envs.spec import check_env, environment_spec
from memory_envs.vectorised import make_rows

_ALLOWED = (
    "an id, a gymnasium.Env, a gymnasium.vector.VectorEnv, a function without arguments that makes "
    "one of the two"
)


@contextmanager
def opened(env: Any, episodes: int, env_kwargs: Mapping[str, Any] | None = None) -> Iterator[Rows]:
    """Opens an environment, to play so many episodes; closes what was made for it.

    Args:
        env: An id, an environment, a vector environment, or a function that makes one of the two.
        episodes: How many episodes will be played.
        env_kwargs: Arguments of the environment, with an id alone.

    Raises:
        TypeError: If `env` is something else.
        ValueError: If an id is not registered.
    """
    made = isinstance(env, str) or not isinstance(env, gym.Env | VectorEnv)
    rows = open_rows(env, episodes, env_kwargs)
    try:
        yield rows
    finally:
        rows.close()
        if made:
            rows.env.close()


def open_rows(env: Any, episodes: int, env_kwargs: Mapping[str, Any] | None = None) -> Rows:
    """Returns the rows of `opened`, which the caller closes."""
    if isinstance(env, str):
        spec = environment_spec(check_env(env))
        return Rows(make_rows(env, good_number_of_rows(episodes), **(env_kwargs or {})), spec)
    if env_kwargs:
        raise TypeError(
            f"env_kwargs is {shown(env_kwargs)}; allowed: nothing, unless env is an id. Make the "
            "environment with them: lambda: gym.make(id, ...)"
        )
    if isinstance(env, VectorEnv):
        return Rows(env, _spec_of(env))
    if isinstance(env, gym.Env):
        # One row, which nothing resets but the next episode.
        lent = SyncVectorEnv([lambda: env], autoreset_mode=AutoresetMode.DISABLED)
        lent.closed = True  # before Gymnasium 1.3 it would close the user's when it is forgotten
        return Rows(lent, env.spec)
    if not callable(env):
        raise TypeError(f"env is {shown(env)}; allowed: {_ALLOWED}")
    return _from_factory(env, episodes)


def _from_factory(make: Callable[[], Any], episodes: int) -> Rows:
    first = make()
    check_instance("env()", first, (gym.Env, VectorEnv), _ALLOWED)
    if isinstance(first, VectorEnv):
        return Rows(first, _spec_of(first))
    makers = [lambda: first, *[make] * (good_number_of_rows(episodes) - 1)]
    return Rows(SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP), first.spec)


def _spec_of(env: Any) -> Any:
    """Returns what the registry knows of a vector environment, or of its rows."""
    base = env.unwrapped
    if env.spec is not None or not hasattr(base, "envs"):
        return env.spec
    return base.envs[0].spec
