"""Agents and environments that are not ours, as the command line names them.

Both run code of the user's: ``module:function`` imports the module, and a file of
Stable-Baselines3's holds pickles. So neither is ever loaded without being told to be.
"""

from __future__ import annotations

import os
import sys
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agents.cli.common import UsageError
from memory_envs.arguments import allowed_names

_MARK = "_stable_baselines3_version"  # a member of every file of SB3's
_CLASSES = {
    **dict.fromkeys(("A2C", "DDPG", "DQN", "PPO", "SAC", "TD3"), "stable_baselines3"),
    **dict.fromkeys(
        ("ARS", "CrossQ", "MaskablePPO", "QRDQN", "RecurrentPPO", "TQC", "TRPO"), "sb3_contrib"
    ),
}


def is_sb3_file(path: Path) -> bool:
    """Says whether a file is one that Stable-Baselines3 wrote; runs nothing of it."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return _MARK in archive.namelist()


def load_sb3(path: Path, class_name: str | None) -> Any:
    """Loads a file of Stable-Baselines3's, which runs code from it.

    Args:
        path: The file.
        class_name: The model's class: a name in SB3 or sb3-contrib, or ``module:Class``.

    Raises:
        UsageError: If it is not named, not known or cannot be loaded.
    """
    if class_name is None:
        raise UsageError(
            f"{path} is a file of Stable-Baselines3, which holds pickles and says no class: to "
            "load it runs code from the file. If you trust it, say what it is: --class PPO"
        )
    if ":" in class_name:
        found = find_named("--class", class_name)
    elif class_name in _CLASSES:
        found = find_named("--class", f"{_CLASSES[class_name]}:{class_name}")
    else:
        hint = allowed_names(class_name, _CLASSES)
        raise UsageError(f"--class is {class_name!r}; {hint}, module:Class")
    try:
        return found.load(path, device="cpu")
    except Exception as error:  # whatever a file of another class leads to
        raise UsageError(f"{path} cannot be loaded as {class_name}: {error}") from error


def find_modules_here() -> None:
    """Lets modules of the working directory be found, as ``python -m`` does."""
    if (folder := os.getcwd()) not in sys.path:
        sys.path.insert(0, folder)


def find_named(argument: str, name: str) -> Any:
    """Returns what ``module:name`` is; modules in the working directory are found, too.

    Args:
        argument: What the user gave it as, for messages.
        name: The text.

    Raises:
        UsageError: If there is no such thing.
    """
    module_name, _, attribute = name.partition(":")
    find_modules_here()
    try:
        if not module_name or find_spec(module_name) is None:
            raise UsageError(f"{argument} is {name!r}: there is no module {module_name!r}")
        module = import_module(module_name)
    except ImportError as error:
        raise UsageError(
            f"{argument} is {name!r}: {module_name} cannot be imported: {error}"
        ) from error
    if not hasattr(module, attribute):
        hint = allowed_names(attribute, [known for known in vars(module) if known[0] != "_"])
        raise UsageError(f"{argument} is {name!r}: {module_name} has no {attribute!r}; {hint}")
    return getattr(module, attribute)


def make_named(argument: str, name: str) -> Any:
    """Returns what the function ``module:function`` makes.

    Raises:
        UsageError: If there is no such function.
    """
    function = find_named(argument, name)
    if not callable(function):
        raise UsageError(f"{argument} is {name!r}, a {type(function).__name__}; allowed: functions")
    return function()
