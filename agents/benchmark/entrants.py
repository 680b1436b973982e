"""From what the command line calls an agent to a function that is trained in a trial.

- ``random`` and ``oracle`` are played as they are.
- ``ppo/lstm``: one of this project's algorithms with a memory, with the preset that serves the
  task.
- ``stable_baselines3:PPO``, ``sb3_contrib:RecurrentPPO``: a class of Stable-Baselines3's kind, with
  its own defaults.
- ``module:function``: anybody's, see `agents.benchmark.trial`.

Settings may follow, as ``name=value``: ``stable_baselines3:PPO stack=4 n_envs=16``.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable
from functools import partial
from typing import Any

from agents.algorithms.table import ALGORITHMS, check_memory
from agents.benchmark.trial import Trial
from agents.training.recipes import read_assignments
from memory_envs.arguments import allowed_names
from memory_envs.scoring.policy import REFERENCES

Agent = Callable[[Trial], Any]


def find_agent(words: str) -> Agent:
    """Returns the agent that the command line means; nothing is trained yet.

    Args:
        words: Its name, and settings after it.

    Raises:
        ValueError: If there is no such agent, or a setting is no ``name=value``.
        TypeError: If ``module:name`` is nothing that can be called.
    """
    name, *assignments = shlex.split(words) or [""]
    settings = read_assignments(assignments, f"settings of agent {name!r}")
    if name in REFERENCES:
        if settings:
            raise ValueError(f"agent is {words!r}; allowed: {name} without settings")
        return partial(_play, name)
    algorithm, slash, memory = name.partition("/")
    if slash and algorithm in ALGORITHMS:
        from agents.benchmark.own import OwnAgent

        return OwnAgent(algorithm, check_memory(memory, algorithm), settings, words)
    module, colon, attribute = name.partition(":")
    if not colon:
        own = [f"{algorithm}/MEMORY" for algorithm in ALGORITHMS]
        others = ["module:name of a class of Stable-Baselines3 or a function"]
        known = [*REFERENCES, *own, *others]
        raise ValueError(f"agent is {words!r}; {allowed_names(name, known)}")
    return _imported(module, attribute, settings)


def _play(name: str, trial: Trial) -> str:
    """Plays one of the references: nothing is trained."""
    return name


def _imported(module: str, attribute: str, settings: dict[str, Any]) -> Agent:
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"agent is {f'{module}:{attribute}'!r}: {error}") from error
    if isinstance(found, type):
        from stable_baselines3.common.base_class import BaseAlgorithm

        if issubclass(found, BaseAlgorithm):
            from agents.benchmark.stable_baselines import SB3Agent

            return SB3Agent(found, settings)
    if not callable(found):
        name, kind = f"{module}:{attribute}", type(found).__name__
        raise TypeError(
            f"agent is {name!r}, a {kind}; allowed: functions of a trial that return a policy, and "
            "classes of Stable-Baselines3's kind"
        )
    return partial(found, **settings)
