"""Settings as JSON holds them, and what they stand for.

For recipes, which know all algorithms, and for an algorithm that knows a preset of its own: this
module knows none.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from memory_envs import Curriculum

if TYPE_CHECKING:  # `memory-envs list` needs no torch
    import torch


def read_presets(name: str) -> dict[str, Any]:
    """What a file of presets holds, its recipes complete but unchecked; see there.

    Raises:
        ValueError: if a recipe is like one that is not there.
    """
    file = resources.files("agents").joinpath("training", "presets", name)
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return {entry: _completed(f"{name}, {entry}", data, data[entry]) for entry in data}


def _completed(source: str, data: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of `data` with what its recipes take over from others."""
    complete: dict[str, Any] = {}
    for name, recipe in entry.items():
        if name == "default" or "like" not in recipe:
            complete[name] = recipe
            continue
        own = {key: value for key, value in recipe.items() if key != "like"}
        algorithm = name.split("/")[0]
        likes = {
            other: _merged(base, own)
            for other, base in data.get(recipe["like"], {}).items()
            if name in (other, f"{algorithm}/*") and other.startswith(f"{algorithm}/")
        }
        if not likes:
            raise ValueError(f"{source}: {name} is like {recipe['like']!r}, which has no such")
        complete.update(likes)
    return complete


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`, objects within objects merged likewise."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result


def environment_spec(env_id: str) -> EnvSpec:
    """The registered environment; ``module:id`` imports the module first, as `gym.make` does.

    Raises:
        ImportError: if there is no such module.
        gymnasium.error.Error: if there is no such id.
    """
    module, colon, name = env_id.rpartition(":")
    if colon:
        importlib.import_module(module)
    return gym.spec(name)


def make_curriculum(
    settings: Mapping[str, Any], env_id: str, env_kwargs: Mapping[str, Any]
) -> Curriculum:
    """A curriculum for one environment.

    Args:
        settings: arguments of `memory_envs.Curriculum`. Its `max_level` is the environment's
            `max_length` unless given. `error` is for `CurriculumCallback`.
        env_id: a registered id.
        env_kwargs: what changes its arguments.

    Raises:
        ValueError: if a setting is not valid, or the highest level is not known.
    """
    arguments = {**environment_spec(env_id).kwargs, **env_kwargs}
    complete = {"max_level": arguments.get("max_length"), **settings}
    complete.pop("error", None)
    if complete["max_level"] is None:
        raise ValueError(f"{env_id} has no max_length: set curriculum.max_level, or no curriculum")
    try:
        return Curriculum(**complete)
    except (TypeError, ValueError) as error:
        message = f"curriculum.{error}"
        if "max_level" not in settings:
            message = message.replace("curriculum.max_level", "env_kwargs.max_length")
        raise ValueError(message) from error


def policy_arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a policy.

    Args:
        settings: `optimizer_class`, where it is set, names a class in `torch.optim`.

    Raises:
        ValueError: if there is no such class.
    """
    if "optimizer_class" not in settings:
        return dict(settings)
    return {**settings, "optimizer_class": _optimizer_class(settings["optimizer_class"])}


def _optimizer_class(name: Any) -> type[torch.optim.Optimizer]:
    import torch

    found = getattr(torch.optim, name, None) if isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise ValueError(f"policy.optimizer_class is {name!r}; allowed: classes in torch.optim")
    return found
