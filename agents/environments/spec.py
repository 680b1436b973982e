"""What Gymnasium's registry knows of an environment."""

from __future__ import annotations

from importlib import import_module

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec


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
