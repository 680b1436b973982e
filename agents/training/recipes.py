"""A recipe: everything that a training run needs to know beside its environment and seed."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from agents.algorithms import settings
from memory_envs import Curriculum
from memory_envs.arguments import check_choice, check_flag, check_instance, check_integer

if TYPE_CHECKING:  # imported when something is built: `memory-envs list` needs no torch
    from agents.algorithms.base import MemoryAlgorithm
    from agents.environments.vec_env import GymnasiumVecEnv


@dataclass(frozen=True)
class AlgorithmSpec:
    """An algorithm, as the command line knows it.

    Attributes:
        name: of its class in `agents`.
        policy: of its policy's class in `agents`.
        memory: the policy's argument that ``--memory`` sets.
        best_memory: what it is without ``--memory``; None where the preset decides.
    """

    name: str
    policy: str = "MemoryPolicy"
    memory: str = "memory"
    best_memory: str | None = None


# What `--algo` takes.
ALGORITHMS = {
    "ppo": AlgorithmSpec("MemoryPPO"),
    "a2c": AlgorithmSpec("MemoryA2C"),
    "reinforce": AlgorithmSpec("Reinforce"),
    "rl_ntm": AlgorithmSpec("RLNTM", "RLNTMPolicy", "controller", "direct_access"),
    "rl_ntm-paper": AlgorithmSpec("RLNTM", "RLNTMPolicy", "controller", "direct_access"),
}
# Arguments of algorithms and policies that a recipe cannot hold, or holds elsewhere.
_DECIDED = {
    *("policy", "env", "policy_kwargs", "seed", "device"),
    *("verbose", "tensorboard_log", "stats_window_size"),
    *("observation_space", "action_space", "memory", "controller", "n_envs"),
}

# What `policy_kwargs` holds for the algorithm, as in SB3.
_OF_OPTIMIZER = {"optimizer_class", "optimizer_kwargs"}


class RecipeError(ValueError):
    """A recipe, a preset or a change to one is not valid."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run.

    Attributes:
        timesteps: environment steps, all rows together.
        n_envs: rows of the vector environment.
        env_kwargs: arguments of the environment.
        curriculum: arguments of `memory_envs.Curriculum`, or None to train without one. Its
            `max_level` is the environment's `max_length` unless given. And `error`, of
            `agents.algorithms.curriculum.CurriculumCallback`.
        algorithm: arguments of the algorithm. A number may be ``{"start": a, "end": b}``: it then
            changes linearly over the run.
        policy: arguments of the policy, but for the name of the memory. `optimizer_class` is the
            name of a class in `torch.optim`.
        deterministic: whether evaluations take the most probable action.
        evaluation_kwargs: arguments of the environment that evaluations change.
    """

    timesteps: int
    n_envs: int
    env_kwargs: dict[str, Any]
    curriculum: dict[str, Any] | None
    algorithm: dict[str, Any]
    policy: dict[str, Any]
    deterministic: bool = True
    evaluation_kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def evaluation_env_kwargs(self) -> dict[str, Any]:
        """Arguments of the environment in evaluations."""
        return {**self.env_kwargs, **self.evaluation_kwargs}

    def to_dict(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return asdict(self)


def read_recipe(data: Any, algorithm: str, source: str) -> Recipe:
    """Check a recipe.

    Args:
        data: the fields of `Recipe`, as read from JSON.
        algorithm: a key of `ALGORITHMS`, whose arguments are valid.
        source: where the data comes from, for messages.

    Raises:
        RecipeError: for a missing or unknown setting, naming it and the nearest known one.
    """
    known = {attribute.name for attribute in fields(Recipe)}
    _check_names(data, known, source, "")
    missing = known - data.keys() - {"deterministic", "evaluation_kwargs"}
    if missing:
        raise RecipeError(f"{source}: {', '.join(sorted(missing))} missing")
    recipe = Recipe(**data)
    for name in ("timesteps", "n_envs"):
        _check(source, check_integer, name, getattr(recipe, name), 1)
    _check(source, check_flag, "deterministic", recipe.deterministic)
    for name in ("env_kwargs", "evaluation_kwargs"):
        _check(source, check_instance, name, getattr(recipe, name), dict, "objects")
    if recipe.curriculum is not None:
        known = _parameters(Curriculum) | {"error"}
        _check_names(recipe.curriculum, known, source, "curriculum.")
    import agents

    spec = ALGORITHMS[algorithm]
    allowed = _parameters(getattr(agents, spec.name)) - _DECIDED
    _check_names(recipe.algorithm, allowed, source, "algorithm.")
    allowed = _parameters(getattr(agents, spec.policy)) - _DECIDED | _OF_OPTIMIZER
    _check_names(recipe.policy, allowed, source, "policy.")
    return recipe


def change(recipe: Recipe, assignments: Collection[str], algorithm: str) -> Recipe:
    """A recipe with single settings changed.

    Args:
        recipe: stays as it is.
        assignments: such as "n_envs=64" or "policy.memory_kwargs.hidden_size=32"; a value that is
            not JSON is a string.
        algorithm: whose arguments are valid.

    Raises:
        RecipeError: naming the assignment and what is allowed.
    """
    data = json.loads(json.dumps(recipe.to_dict()))
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise RecipeError(f"--set is {assignment!r}; allowed: name=value")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        *sections, name = path.split(".")
        place = data
        for section in sections:
            if place.get(section) is None:
                place[section] = {}
            place = place[section]
            if not isinstance(place, dict):
                raise RecipeError(f"--set {path}: {section} has no settings of its own")
        place[name] = value
    return read_recipe(data, algorithm, "--set")


def make_curriculum(recipe: Recipe, env_id: str) -> Curriculum | None:
    """The recipe's curriculum, for one environment.

    Raises:
        RecipeError: if an argument is not valid, or the highest level is not known.
    """
    if recipe.curriculum is None:
        return None
    try:
        return settings.make_curriculum(recipe.curriculum, env_id, recipe.env_kwargs)
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
    """An untrained model.

    Raises:
        RecipeError: if the algorithm or the policy refuses a setting.
    """
    import agents

    spec = ALGORITHMS[algorithm]
    constructor = getattr(agents, spec.name)
    try:
        model: MemoryAlgorithm = constructor(
            spec.policy,
            env,
            **{name: _schedule(name, value) for name, value in recipe.algorithm.items()},
            policy_kwargs={spec.memory: memory, **settings.policy_arguments(recipe.policy)},
            stats_window_size=max(100, 2 * recipe.n_envs),
            seed=seed,
            device=device,
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecipeError(f"{algorithm}/{memory}: {error}") from error
    return model


def memories(algorithm: str) -> list[str]:
    """What an algorithm can have for its memory: the names of cells, or RL-NTM's controllers."""
    if ALGORITHMS[algorithm].memory == "controller":
        from agents.algorithms.rl_ntm.controller import KINDS

        return list(KINDS)
    from agents.cells import CELLS

    return list(CELLS)


def _schedule(name: str, value: Any) -> Any:
    """The value, or the schedule that ``{"start": a, "end": b}`` stands for."""
    if not isinstance(value, dict):
        return value
    if value.keys() != {"start", "end"}:
        raise RecipeError(f"algorithm.{name} is {value}; allowed: a number, or start and end")
    from stable_baselines3.common.utils import LinearSchedule

    return LinearSchedule(value["start"], value["end"], 1.0)


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
    names = inspect.signature(function).parameters
    return {name for name in names if not name.startswith("_")}
