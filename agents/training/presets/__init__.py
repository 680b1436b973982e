"""Tuned settings: one module per family of environments, and `general` for all others.

`RECIPES` of a module maps an environment's id to its recipes, and ``"*"`` to those for the rest of
the family. A recipe is called ``algorithm/memory``; the memory ``*`` stands for every one. The
first recipe of an environment is the one to take where the user names neither.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.algorithms.table import ALGORITHMS
from agents.training.presets import algorithmic, general, maze, stream, tape
from agents.training.recipes import Recipe, RecipeError, check_recipe
from memory_envs import family_of

EVERY = "*"
GENERAL = "general"
MODULES: dict[str, dict[str, dict[str, Recipe]]] = {
    "tape": tape.RECIPES,
    "algorithmic": algorithmic.RECIPES,
    "maze": maze.RECIPES,
    "stream": stream.RECIPES,
    GENERAL: general.RECIPES,
}


@dataclass(frozen=True)
class Preset:
    """A recipe, for whom, and where it comes from.

    Attributes:
        source: Where it comes from, such as "preset presets/tape.py, Tape-Copy-v0, ppo/lstm".
        tuned: Whether it was made for this very id rather than for its family.
        algorithm: A name in `agents.algorithms.table.ALGORITHMS`.
        memory: The name of a memory of that algorithm.
        recipe: The settings.
    """

    source: str
    tuned: bool
    algorithm: str
    memory: str
    recipe: Recipe


def find_preset(env_id: str, algorithm: str | None = None, memory: str | None = None) -> Preset:
    """Finds the settings to train with: the most specific ones that there are.

    An algorithm without a recipe that serves the environment is trained with its own defaults.

    Args:
        env_id: A registered id.
        algorithm: A name in `ALGORITHMS`; None leaves the choice to the presets.
        memory: The name of a memory; None leaves the choice to the presets.

    Raises:
        RecipeError: If no algorithm has that memory, or the algorithm cannot play there.
    """
    places = _places(env_id)
    offered = [name.split("/") for _, _, recipes in places for name in recipes]
    if algorithm is None:
        able = (name for name, _ in offered if memory in (None, *ALGORITHMS[name].memory_names()))
        algorithm = next(able, None)
        if algorithm is None:
            raise RecipeError(f"there is no preset for {memory} on {env_id}")
    spec = ALGORITHMS[algorithm]
    known = spec.memory_names()
    if memory is None:
        memory = spec.best_memory or next((cell for _, cell in offered if cell in known), known[0])
    elif memory not in known:
        raise RecipeError(f"memory is {memory!r}; allowed with {algorithm}: {', '.join(known)}")
    for module, entry, recipes in places:
        for name in (f"{algorithm}/{memory}", f"{algorithm}/{EVERY}"):
            if name in recipes:
                tuned = entry == env_id
                kind = "preset" if tuned else "untuned preset"
                source = f"{kind} presets/{module}.py, {entry}, {name}"
                check_recipe(recipes[name], algorithm, source)
                return Preset(source, tuned, algorithm, memory, recipes[name])
    if spec.families:
        raise RecipeError(
            f"there is no preset for {algorithm} on {env_id}; "
            f"it plays the family {', '.join(spec.families)}"
        )
    source = f"no preset, the defaults of {spec.class_name}"
    return Preset(source, False, algorithm, memory, Recipe())


def _places(env_id: str) -> list[tuple[str, str, dict[str, Recipe]]]:
    """Returns module, entry and content of what serves an id, the most specific first."""
    family = family_of(env_id)
    modules = [family, GENERAL] if family else [GENERAL]
    return [
        (module, entry, MODULES[module][entry])
        for module in modules
        for entry in (env_id, EVERY)
        if entry in MODULES[module]
    ]
