"""What a run trains: from an id, or from a run to continue, to a checked plan.

Like the presets it imports no PyTorch before something is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.algorithms.table import check_algorithm, check_memory
from agents.training.presets import find_preset
from agents.training.recipes import Recipe, RecipeError, change, read_recipe
from agents.training.run_directory import RunDirectory
from memory_envs.arguments import check_integer, check_number
from memory_envs.spec import check_env

LARGEST_SEED = 2**32 - 1  # of NumPy's and PyTorch's global generators, which SB3 seeds


@dataclass(frozen=True)
class Plan:
    """What to train.

    Attributes:
        env: A registered id.
        algorithm: A name in `agents.algorithms.table.ALGORITHMS`.
        memory: The name of a memory of that algorithm.
        recipe: The settings.
        preset: Where the recipe comes from.
        seed: Seed of everything random.
        device: PyTorch device, or ``"auto"``.
        stop_at_success: See `EvaluationCallback`.
        part: How many runs this one continues.
    """

    env: str
    algorithm: str
    memory: str
    recipe: Recipe
    preset: str
    seed: int = 0
    device: str = "auto"
    stop_at_success: float | None = None
    part: int = 0

    @property
    def title(self) -> str:
        """What and with what, in a few words."""
        return f"{self.env}  {self.algorithm}/{self.memory}  seed {self.seed}"


class FinishedError(RecipeError):
    """A run that is to be continued has nothing left to do."""


def first_plan(
    env: str,
    algorithm: str | None = None,
    memory: str | None = None,
    changes: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "auto",
    stop_at_success: float | None = None,
    source: str = "settings",
) -> Plan:
    """Plans a run with the preset that serves it best.

    Args:
        env: A registered id; ``module:id`` imports the module first.
        algorithm: A name in `ALGORITHMS`; None leaves the choice to the presets.
        memory: The name of a memory; None leaves the choice to the presets.
        changes: Settings in place of the preset's, see `agents.training.recipes.change`.
        seed: Seed of everything random.
        device: PyTorch device, or ``"auto"``.
        stop_at_success: See `EvaluationCallback`.
        source: What errors call `changes`.

    Raises:
        TypeError, ValueError: Naming the argument, its value and what is allowed.
    """
    env = check_env(env)
    if algorithm is not None:
        check_algorithm(algorithm)
    if memory is not None:
        check_memory(memory, algorithm)
    check_integer("seed", seed, 0, LARGEST_SEED)
    preset = find_preset(env, algorithm, memory)
    changes = dict(changes or {})
    listed = " ".join(f"{name}={value}" for name, value in changes.items())
    return Plan(
        env,
        preset.algorithm,
        preset.memory,
        change(preset.recipe, changes, preset.algorithm, source),
        preset.source + (f", and {listed}" if listed else ""),
        seed,
        device,
        check_share("stop_at_success", stop_at_success),
    )


def next_plan(
    run: RunDirectory,
    changes: Mapping[str, Any] | None = None,
    device: str = "auto",
    stop_at_success: float | None = None,
    source: str = "settings",
) -> Plan:
    """Plans what is left of another run.

    A run that was killed before its first checkpoint is done again from its beginning.

    Args:
        run: The run to continue.
        changes: Settings in place of those that it had, see `agents.training.recipes.change`.
        device: PyTorch device, or ``"auto"``.
        stop_at_success: In place of the one that it had, see `EvaluationCallback`.
        source: What errors call `changes`.

    Raises:
        FinishedError: If nothing is left.
        TypeError, ValueError: Naming what is wrong.
    """
    if not run.path.is_dir():
        raise RecipeError(f"{run.path} is no folder of a run")
    settings = run.read_settings()
    try:
        algorithm = check_algorithm(settings["algorithm"])
        recipe = read_recipe(settings["recipe"], algorithm, "settings.json")
        env = check_env(settings["env"])
        memory = check_memory(settings["memory"], algorithm)
        seed, part, before = settings["seed"], settings["part"], settings["stop_at_success"]
    except (KeyError, ValueError) as error:
        raise RecipeError(f"{run.path} cannot be continued: {error}") from error
    wished = before if stop_at_success is None else check_share("stop_at_success", stop_at_success)
    policy, recipe = recipe.policy, change(recipe, dict(changes or {}), algorithm, source)
    begun = run.latest.exists()
    if not begun and run.model.exists():
        raise RecipeError(
            f"{run.path} holds a model, but no {run.latest.relative_to(run.path)} to go on from"
        )
    if begun:
        if recipe.policy != policy:
            raise RecipeError(f"{source}: policy is decided by the run to continue: {policy}")
        _check_unfinished(run, recipe.timesteps, wished)
    preset = f"those of {run.path}"
    return Plan(env, algorithm, memory, recipe, preset, seed, device, wished, part + int(begun))


def _check_unfinished(run: RunDirectory, timesteps: int, stop_at_success: float | None) -> None:
    """Raises FinishedError if a run's newest checkpoint is its end, and was evaluated."""
    if not run.evaluation.exists():  # killed after its last step, or before: something is left
        return
    from agents.saving.model_file import read_model, read_training

    steps = read_model(run.latest)[1]["counters"]["num_timesteps"]
    if steps >= timesteps:
        raise FinishedError(
            f"{run.path} is finished: it has done {steps:,} of {timesteps:,} steps; to go on, give "
            "it more timesteps"
        )
    counters = read_training(run.latest).values["counters"]
    reached = counters["evaluation"]["stopped_at"]
    if reached is not None and stop_at_success is not None and reached >= stop_at_success:
        raise FinishedError(
            f"{run.path} is finished: it stopped at success {reached:g}; to go on, give it a "
            "higher one to stop at"
        )


def check_share(name: str, value: float | None) -> float | None:
    """Returns `value` if it is None, or above 0 and up to 1.

    Raises:
        TypeError, ValueError: If it is not.
    """
    return None if value is None else check_number(name, value, 0.0, 1.0, above=True)
