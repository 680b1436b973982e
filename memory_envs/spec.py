"""What Gymnasium's registry knows of an environment."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from memory_envs.arguments import allowed_names

_ALLOWED = (
    "registered ids, as in `memory-envs list`, and module:id for an id that a module registers "
    "when it is imported"
)


def environment_spec(env_id: str) -> EnvSpec:
    """Returns the registered environment; ``module:id`` imports the module first.

    Raises:
        ImportError: If there is no such module.
        gymnasium.error.Error: If there is no such id.
    """
    module, colon, name = env_id.rpartition(":")
    if colon:
        import_module(module)
    return gym.spec(name)


def check_env(env_id: str) -> str:
    """Returns `env_id` if it is registered; ``module:id`` imports the module first.

    Ours are registered already, so that ``memory_envs:id`` is just the id.

    Raises:
        ValueError: If it is not, naming the nearest id.
    """
    module, colon, name = env_id.rpartition(":")
    if module == __package__:
        env_id, colon = name, ""
    try:
        if colon and (not module or find_spec(module) is None):
            raise ValueError(f"there is no module {module} for the environment {env_id}")
        environment_spec(env_id)
    except gym.error.Error:
        hint = allowed_names(name, gym.registry, _ALLOWED)
        raise ValueError(f"env is {env_id!r}; {hint}") from None
    except ImportError as error:
        raise ValueError(f"{module} cannot be imported: {error}") from error
    return env_id


def episode_success(
    info: Mapping[str, Any], episode_return: float, spec: EnvSpec | None
) -> bool | None:
    """Says whether an episode was a success.

    The last info says so under ``"success"``. Where it has no such word, an episode is one if its
    return comes to the `reward_threshold` with which the environment was registered.

    Args:
        info: The last info of the episode.
        episode_return: The sum of its rewards.
        spec: What Gymnasium's registry knows of the environment, if anything.

    Returns:
        None if there is neither.
    """
    if "success" in info:
        return bool(info["success"])
    threshold = None if spec is None else spec.reward_threshold
    return None if threshold is None else episode_return >= threshold
