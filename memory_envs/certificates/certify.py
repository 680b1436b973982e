"""Finds the method for an environment."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym

from memory_envs.arguments import check_integer, shown
from memory_envs.certificates.certificate import Certificate

WINDOWS = (1, 2, 4, 8)
LARGEST_WINDOW = 10  # with more, patterns and sampled windows are too many


def certify(env_id: str, windows: Sequence[int] = WINDOWS, **arguments: Any) -> Certificate:
    """Says how much of the best return can be had with how much memory.

    Args:
        env_id: A registered id of this package, or of a user's tape or stream task.
        windows: For how many observations, and actions, in view.
        **arguments: Arguments of the environment, in place of those that the id stands for.

    Raises:
        TypeError, ValueError: If the id is not of this package, or an argument is not allowed.
    """
    # Not above: what looks a certificate up does not wait for Numba.
    from memory_envs.algorithmic.rules import AlgorithmicRules
    from memory_envs.certificates.algorithmic import certify_algorithmic
    from memory_envs.certificates.maze import certify_maze
    from memory_envs.certificates.streams import certify_stream
    from memory_envs.certificates.tapes import certify_tape
    from memory_envs.core.env import MemoryEnv
    from memory_envs.maze.rules import MazeRules
    from memory_envs.stream.rules import StreamRules
    from memory_envs.tape.rules import TapeRules

    ks = [check_integer("windows", k, 1, LARGEST_WINDOW) for k in windows]
    env: Any = gym.make(env_id, disable_env_checker=True, **arguments).unwrapped
    rules = env.rules if isinstance(env, MemoryEnv) else None
    if isinstance(rules, StreamRules):
        return certify_stream(env_id, rules.settings, ks)
    if isinstance(rules, TapeRules):
        return certify_tape(env_id, rules, ks)
    if isinstance(rules, AlgorithmicRules):
        return certify_algorithmic(env_id, rules, ks)
    if isinstance(rules, MazeRules):
        return certify_maze(env_id, rules, ks)
    raise ValueError(f"env_id is {shown(env_id)}; allowed: ids of memory_envs, and of your tasks")


def bits_to_carry(env_id: str, **arguments: Any) -> float:
    """Returns how many bits have to be carried from what a stream shows to its question.

    When the question begins, what has to be known is the right answers to every question that may
    come. They are random, as the data are, and the bits are the entropy of them all together.

    Args:
        env_id: The id of a stream task with a question behind all that is to be remembered.
        **arguments: Arguments of the environment, in place of those that the id stands for.

    Raises:
        ValueError: If it is another, or a task of one's own that has too many streams to be listed.
    """
    from memory_envs.certificates.bits import carried
    from memory_envs.core.env import MemoryEnv
    from memory_envs.stream.rules import StreamRules

    env: Any = gym.make(env_id, disable_env_checker=True, **arguments).unwrapped
    rules = env.rules if isinstance(env, MemoryEnv) else None
    if not isinstance(rules, StreamRules):
        raise ValueError(f"env_id is {shown(env_id)}; allowed: ids of stream tasks")
    return carried(rules.settings)
