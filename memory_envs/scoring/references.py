"""Random and optimal play, between which a score lies.

Both are played in the unwrapped environment, through its own actions and masks, on the seeds of
the agent. A wrapper that leaves out bad actions would otherwise raise the zero of the scale, and
an agent would score less for the same return: scores of two agents are compared, whatever each of
them needs to be wrapped in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from memory_envs.core.env import MemoryEnv
from memory_envs.core.rules import Rules
from memory_envs.core.vector import MemoryVectorEnv
from memory_envs.oracles import optimal_return, oracle
from memory_envs.scoring.play import play
from memory_envs.scoring.policy import CannotPlayError, MadePolicy, Turn
from memory_envs.scoring.random_play import random_policy
from memory_envs.scoring.rows import Rows

FloatArray = npt.NDArray[np.float64]
MAX_ROWS = 512  # more at a time gain nothing, and networks would take more memory


class References(NamedTuple):
    """What random and optimal play get, one entry per episode."""

    random: FloatArray
    optimum: FloatArray


def find_rules(env: Any) -> Rules[Any] | None:
    """Returns the rules of the unwrapped environment, if it is one of `memory_envs`.

    Args:
        env: A scalar or vector environment; the rows of a vector environment are taken for copies
            of one environment.
    """
    base = env.unwrapped
    if isinstance(base, MemoryEnv | MemoryVectorEnv):
        return base.rules
    if hasattr(base, "envs"):
        return find_rules(base.envs[0])
    if hasattr(base, "call") and all(base.call("has_wrapper_attr", "rules")):
        rules: Rules[Any] = base.get_attr("rules")[0]  # rows that are other processes
        return rules
    return None


def base_env(rules: Rules[Any], episodes: int) -> MemoryVectorEnv[Any]:
    """Returns rows of the unwrapped environment, as many as are good for `episodes` episodes."""
    return MemoryVectorEnv(rules, good_number_of_rows(episodes), AutoresetMode.SAME_STEP)


def good_number_of_rows(episodes: int) -> int:
    """Returns a number of rows, at most `MAX_ROWS`, of which few are idle in the last batch."""
    batches = -(-episodes // MAX_ROWS)
    return -(-episodes // batches)


def references(env: Any, episodes: int, seed: int) -> References | None:
    """Returns what random and optimal play get on episodes seeded `seed`, ``seed + 1``, ...

    Args:
        env: A scalar or vector environment; what it is wrapped in does not matter, and it is not
            played.
        episodes: Number of episodes.
        seed: Seed of the first episode.

    Returns:
        None where there is no oracle.
    """
    rules = find_rules(env)
    if rules is None:
        return None
    base = base_env(rules, episodes)
    optimum = optimal_returns(base, episodes, seed)
    if optimum is None:
        return None
    player = random_policy(base.single_action_space)
    return References(play(player, Rows(base), episodes, seed).returns, optimum)


def optimal_returns(
    env: gym.vector.VectorEnv[Any, Any, Any], episodes: int, seed: int
) -> FloatArray | None:
    """Returns what optimal play gets on episodes seeded `seed`, ``seed + 1``, ...

    Args:
        env: A vector environment; its episodes are cut off.
        episodes: Number of episodes.
        seed: Seed of the first episode.

    Returns:
        One return per episode, or None if `env` has no oracle.
    """
    batches = []
    for first in range(0, episodes, env.num_envs):
        env.reset(seed=seed + first)
        try:
            batches.append(np.asarray(optimal_return(env)))
        except TypeError:
            return None
    return np.concatenate(batches)[:episodes]


def oracle_policy(env: Any) -> MadePolicy:
    """Returns optimal play from the full state of an environment.

    Args:
        env: A scalar or vector environment of `memory_envs`, the one that is played; its actions
            are those of the unwrapped environment.

    Raises:
        CannotPlayError: If there is no oracle for it.
    """
    base = env.unwrapped
    try:
        optimal_return(base)
    except TypeError as error:
        raise CannotPlayError(f"there is no oracle for {base}") from error
    shape = base.action_space.shape
    scalar = isinstance(base, MemoryEnv)

    def act(_turn: Turn, state: Any) -> tuple[Any, Any]:
        return np.reshape(oracle(base), (1, *shape) if scalar else shape), state

    return MadePolicy(act, "oracle", deterministic=True)


def named_policy(name: str, env: Any) -> MadePolicy:
    """Returns one of `REFERENCES`, to play an environment.

    Args:
        name: Either "random" or "oracle".
        env: The scalar or vector environment.

    Raises:
        CannotPlayError: If there is no oracle for it.
    """
    if name == "oracle":
        return oracle_policy(env)
    space = env.single_action_space if hasattr(env, "single_action_space") else env.action_space
    return random_policy(space)
