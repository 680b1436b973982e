"""Tuned settings, as data: one JSON file per family of environments.

A file maps an environment's id to its recipes, and ``"*"`` to those for the rest of the family:

    {"Tape-Copy-v0": {"default": "ppo/gru", "ppo/gru": {...}},
     "*":            {"default": "ppo/gru", "ppo/*": {...}}}

A recipe is called ``algorithm/memory``; the memory ``*`` stands for every cell. Its content is that
of `recipes.Recipe`. A recipe with ``"like": "*"`` only says what it changes in the family's
recipes of that name, or of that algorithm if it is called ``algorithm/*``. `any.json` serves all
other environments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import memory_envs
from agents.algorithms.settings import read_presets
from agents.training.recipes import ALGORITHMS, Recipe, RecipeError, memories, read_recipe

_EVERY = "*"


@dataclass(frozen=True)
class Preset:
    """A recipe, for whom, and where it comes from.

    Attributes:
        source: such as "tape.json, Tape-Copy-v0, ppo/gru".
        tuned: whether it was made for this very id rather than for its family.
        algorithm: a key of `agents.training.recipes.ALGORITHMS`.
        memory: the name of a cell.
        recipe: the settings.
    """

    source: str
    tuned: bool
    algorithm: str
    memory: str
    recipe: Recipe


def load_preset(env_id: str, algorithm: str | None = None, memory: str | None = None) -> Preset:
    """The settings to train with.

    Args:
        env_id: a registered id.
        algorithm: a key of `recipes.ALGORITHMS`; None leaves the choice to the preset.
        memory: the name of a cell; None leaves the choice to the preset.

    Raises:
        RecipeError: if there is no such recipe, or the file is not valid.
    """
    for file, entry_name, entry in _entries(env_id):
        best_algorithm, best_memory = entry["default"].split("/")
        if algorithm not in (None, best_algorithm):
            best_memory = ALGORITHMS[algorithm].best_memory or best_memory
        wish = f"{algorithm or best_algorithm}/{memory or best_memory}"
        for name in dict.fromkeys([wish, f"{wish.split('/')[0]}/{_EVERY}", *_names(entry)]):
            offered, cell = name.split("/")
            chosen = memory or (best_memory if cell == _EVERY else cell)
            fits = algorithm in (None, offered) and cell in (_EVERY, chosen)
            if name in entry and fits and chosen in memories(offered):
                source = f"{file}, {entry_name}, {name}"
                recipe = read_recipe(entry[name], offered, source)
                return Preset(source, entry_name == env_id, offered, chosen, recipe)
    wish = "/".join(name for name in (algorithm, memory) if name)
    families = [] if algorithm is None else _families(algorithm)
    hint = f"; {algorithm} has presets for the family {', '.join(families)}" if families else ""
    raise RecipeError(f"there is no preset for {wish} on {env_id}{hint}")


def _families(algorithm: str) -> list[str]:
    """The families of environments that an algorithm has a preset for; [] if it has one for any."""
    files = [
        file.removesuffix(".json")
        for file in preset_files()
        if any(f"{algorithm}/{_EVERY}" in entry for entry in read_file(file).values())
    ]
    return [] if "any" in files else files


def tuned_recipes(env_id: str) -> list[str]:
    """The names of the recipes made for this very id, the default first."""
    entries = (entry for _, name, entry in _entries(env_id) if name == env_id)
    return _names(next(entries, {"default": "/"}))


def _names(entry: dict[str, Any]) -> list[str]:
    """The recipes of an entry, the default first."""
    return sorted(entry.keys() - {"default"}, key=lambda name: (name != entry["default"], name))


def _entries(env_id: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """File, name and content of the entries that serve an id, the most specific first."""
    spec = memory_envs.ENVIRONMENTS.get(env_id)
    family_file = [] if spec is None else [f"{spec.family}.json"]
    for file in (*family_file, "any.json"):
        data = read_file(file)
        for name in (env_id, _EVERY):
            if name in data:
                yield file, name, data[name]


def preset_files() -> list[str]:
    """The names of all files."""
    names = (item.name for item in resources.files(__name__).iterdir())
    return sorted(name for name in names if name.endswith(".json"))


def read_file(name: str) -> dict[str, Any]:
    """One file, its outline checked, its recipes complete.

    Raises:
        RecipeError: if an entry has no valid default, or a recipe no valid name.
    """
    data = read_presets(name)
    for entry_name, entry in data.items():
        check_entry(f"{name}, {entry_name}", entry)
    return data


def check_entry(source: str, entry: dict[str, Any]) -> None:
    """Check the names in an entry; the recipes are checked when they are read.

    Raises:
        RecipeError: see `read_file`.
    """
    for name in entry.keys() - {"default"}:
        algorithm, slash, memory = name.partition("/")
        if algorithm not in ALGORITHMS or not slash or not memory:
            raise RecipeError(f"{source}: preset is {name!r}; allowed: algorithm/memory")
    default = entry.get("default", "")
    if default not in entry and f"{default.split('/')[0]}/{_EVERY}" not in entry:
        raise RecipeError(f"{source}: default {default!r} is not one of its recipes")
