"""A second model with the same settings, for a check to play with."""

from __future__ import annotations

from typing import Any, TypeVar

from stable_baselines3.common.base_class import BaseAlgorithm

from agents.evaluation.gradcheck.environment import OneEpisodeVecEnv
from memory_envs.arguments import argument_names

Algorithm = TypeVar("Algorithm", bound=BaseAlgorithm)
# Arguments of constructors that belong to the place where a model works.
_PLACE = ("policy", "env", "tensorboard_log", "verbose", "device", "_init_setup_model")


def make_twin(model: Algorithm, env: OneEpisodeVecEnv, **changes: Any) -> Algorithm:
    """Returns a new model with the settings of another, on the CPU.

    Args:
        model: The other model; every argument of its constructor is an attribute of it.
        env: The environment of the new one.
        **changes: Arguments of the constructor in place of the other's; those that it does not
            have are left out.
    """
    names = set(argument_names(type(model))) - set(_PLACE)
    settings = {name: getattr(model, name) for name in names}
    settings.update({name: value for name, value in changes.items() if name in names})
    constructor: Any = type(model)
    twin: Algorithm = constructor(model.policy_class, env, device="cpu", **settings)
    return twin
