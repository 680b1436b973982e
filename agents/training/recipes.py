"""A recipe: everything that a training run needs to know beside its environment and seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from agents.algorithms.table import ALGORITHMS
from memory_envs import Curriculum
from memory_envs.arguments import (
    argument_names,
    check_choice,
    check_flag,
    check_instance,
    check_integer,
)

if TYPE_CHECKING:  # imported when something is built: `memory-envs list` needs no torch
    from agents.algorithms.base import MemoryAlgorithm
    from agents.algorithms.curriculum import CurriculumCallback
    from agents.environments.vec_env import GymnasiumVecEnv

# Arguments of algorithms and policies that a recipe cannot hold, or holds elsewhere.
_DECIDED = {
    *("policy", "env", "policy_kwargs", "seed", "device"),
    *("verbose", "tensorboard_log", "stats_window_size"),
    *("observation_space", "action_space", "memory", "controller", "memory_net", "n_envs"),
}

# What `policy_kwargs` holds for the algorithm, as in SB3.
_OF_OPTIMIZER = {"optimizer_class", "optimizer_kwargs"}


class RecipeError(ValueError):
    """A recipe, a preset or a change to one is not valid."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run; those that are left out are the algorithm's own.

    Attributes:
        timesteps: Environment steps, all rows together.
        n_envs: Rows of the vector environment.
        env_kwargs: Arguments of the environment.
        curriculum: Arguments of `agents.algorithms.curriculum.make_curriculum_callback`, or None to
            train without a curriculum.
        algorithm: Arguments of the algorithm. A number may be ``{"start": a, "end": b}``: it then
            changes linearly over the run; with ``"hold": c`` besides it stays at the start for that
            share of the run.
        policy: Arguments of the policy, but for the name of the memory. `optimizer_class` is the
            name of a class of `torch.optim`, `activation_fn` of one of `torch.nn`.
        deterministic: Whether evaluations take the most probable action.
        evaluation_kwargs: Arguments of the environment that evaluations change.
    """

    timesteps: int = 500_000
    n_envs: int = 16
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    curriculum: dict[str, Any] | None = None
    algorithm: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    deterministic: bool = True
    evaluation_kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def evaluation_env_kwargs(self) -> dict[str, Any]:
        """The arguments of the environment in evaluations."""
        return {**self.env_kwargs, **self.evaluation_kwargs}

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields, ready for JSON."""
        return asdict(self)


def linear(start: float, end: float) -> dict[str, float]:
    """Returns what stands in a recipe for a number that changes linearly over the run."""
    return {"start": start, "end": end}


def read_recipe(data: Any, algorithm: str, source: str) -> Recipe:
    """Checks a recipe.

    Args:
        data: The fields of `Recipe`, as read from JSON.
        algorithm: A name in `ALGORITHMS`, whose arguments are valid.
        source: Where the data comes from, for messages.

    Raises:
        RecipeError: For a missing or unknown setting, naming it and the nearest known one.
    """
    known = {attribute.name for attribute in fields(Recipe)}
    _check_names(data, known, source, "")
    if missing := known - data.keys():
        raise RecipeError(f"{source}: {', '.join(sorted(missing))} missing")
    recipe = Recipe(**data)
    check_recipe(recipe, algorithm, source)
    return recipe


def check_recipe(recipe: Recipe, algorithm: str, source: str) -> None:
    """Checks the settings of a recipe, down to the names of the algorithm's own.

    Raises:
        RecipeError: For the first wrong one.
    """
    for name in ("timesteps", "n_envs"):
        _check(source, check_integer, name, getattr(recipe, name), 1)
    _check(source, check_flag, "deterministic", recipe.deterministic)
    for name in ("env_kwargs", "evaluation_kwargs"):
        _check(source, check_instance, name, getattr(recipe, name), dict, "objects")
    if recipe.curriculum is not None:
        known = _parameters(Curriculum) | {"error"}
        _check_names(recipe.curriculum, known, source, "curriculum.")
    spec = ALGORITHMS[algorithm]
    known = _parameters(spec.load_class()) - _DECIDED
    _check_names(recipe.algorithm, known, source, "algorithm.")
    known = _parameters(spec.load_policy_class()) - _DECIDED | _OF_OPTIMIZER
    _check_names(recipe.policy, known, source, "policy.")


def read_assignments(assignments: Iterable[str], source: str) -> dict[str, Any]:
    """Returns what texts such as "algorithm.ent_coef=0.02" assign; a value not in JSON is a string.

    Raises:
        RecipeError: For a text without "=".
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise RecipeError(f"{source} is {assignment!r}; allowed: name=value")
        try:
            changes[name] = json.loads(text, parse_float=_read_float)
        except ValueError:
            changes[name] = text
    return changes


def _read_float(text: str) -> int | float:
    """Reads 1e5 as a whole number, so that it can be a count."""
    number = float(text)
    return int(number) if "." not in text and number.is_integer() else number


def change(
    recipe: Recipe, changes: Mapping[str, Any], algorithm: str, source: str = "settings"
) -> Recipe:
    """Returns a recipe with single settings changed.

    Args:
        recipe: Stays as it is.
        changes: Values by names such as "n_envs" or "policy.memory_kwargs.hidden_size".
        algorithm: The one whose arguments are valid.
        source: Where the changes come from, for messages.

    Raises:
        RecipeError: Naming the setting and what is allowed.
    """
    try:
        data = json.loads(json.dumps(recipe.to_dict()))
        values = json.loads(json.dumps(dict(changes)))
    except TypeError as error:
        raise RecipeError(f"{source}: {error}; allowed: what JSON can hold") from None
    for path, value in values.items():
        *sections, name = path.split(".")
        place = data
        for section in sections:
            if place.get(section) is None:
                place[section] = {}
            place = place[section]
            if not isinstance(place, dict):
                raise RecipeError(f"{source}: {path}: {section} has no settings of its own")
        place[name] = value
    return read_recipe(data, algorithm, source)


def make_curriculum(recipe: Recipe, env_id: str) -> CurriculumCallback | None:
    """Makes what advances the recipe's curriculum for one environment; it holds the curriculum.

    Raises:
        RecipeError: If an argument is not valid, or the highest level is not known.
    """
    if recipe.curriculum is None:
        return None
    from agents.algorithms.curriculum import make_curriculum_callback

    try:
        return make_curriculum_callback(recipe.curriculum, env_id, recipe.env_kwargs)
    except ValueError as error:
        raise RecipeError(error) from error


def make_model(
    recipe: Recipe,
    algorithm: str,
    memory: str,
    env: GymnasiumVecEnv,
    seed: int,
    device: str = "auto",
) -> MemoryAlgorithm:
    """Makes an untrained model.

    Raises:
        RecipeError: If the algorithm or the policy refuses a setting.
    """
    from agents.algorithms.torch_classes import with_torch_classes

    spec = ALGORITHMS[algorithm]
    try:
        constructor: Any = spec.load_class()  # each algorithm has arguments of its own
        model: MemoryAlgorithm = constructor(
            spec.load_policy_class(),
            env,
            **algorithm_arguments(recipe),
            policy_kwargs={spec.memory: memory, **with_torch_classes(recipe.policy)},
            stats_window_size=max(100, 2 * recipe.n_envs),
            seed=seed,
            device=device,
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecipeError(f"{algorithm}/{memory}: {error}") from error
    return model


def algorithm_arguments(recipe: Recipe) -> dict[str, Any]:
    """Returns the recipe's arguments of the algorithm, as its constructor takes them.

    Raises:
        RecipeError: If one is an object, but no schedule.
    """
    return {name: _schedule(name, value) for name, value in recipe.algorithm.items()}


def _schedule(name: str, value: Any) -> Any:
    """Returns the value, or the schedule that an object with ``"start"`` and ``"end"`` is."""
    if not isinstance(value, dict):
        return value
    if value.keys() - {"hold"} != {"start", "end"}:
        raise RecipeError(
            f"algorithm.{name} is {value}; allowed: a number, or start and end, and perhaps hold"
        )
    from stable_baselines3.common.utils import LinearSchedule

    from agents.saving.schedules import HeldSchedule

    if "hold" not in value:
        return LinearSchedule(value["start"], value["end"], 1.0)
    try:
        return HeldSchedule(**value)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"algorithm.{name}: {error}") from None


def _check_names(data: Any, known: Collection[str], source: str, prefix: str) -> None:
    where = prefix.rstrip(".") or "recipe"
    _check(source, check_instance, where, data, dict, "objects")
    for name in data:
        _check(source, check_choice, f"{where} setting", name, sorted(known))


def _check(source: str, check: Callable[..., Any], *arguments: Any) -> None:
    try:
        check(*arguments)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{source}: {error}") from None


def _parameters(function: Any) -> set[str]:
    return {name for name in argument_names(function) if not name.startswith("_")}
