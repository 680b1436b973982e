"""Model files: what they hold, written and read without pickle.

A model file holds settings as JSON and tensors as safetensors (see `agents.saving.archive`).
A checkpoint is a model file that also says where its training stands; to read it as a model is to
leave that out.
"""

from __future__ import annotations

import os
from io import BufferedIOBase, TextIOBase
from pathlib import Path
from typing import Any, NamedTuple, cast

from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from agents.saving.archive import ModelFileError, ModelSource, read_archive, write_archive
from agents.saving.model_tensors import (
    Trainable,
    named_tensors,
)
from agents.saving.registry import register
from agents.saving.spaces_json import (
    encode,
    encode_schedule,
    encode_space,
)
from memory_envs.arguments import argument_names, shown

_FORMAT = 1
_SCHEDULES = ("learning_rate", "memory_learning_rate", "ent_coef", "clip_range", "clip_range_vf")
# Where training stands: attribute names, all integers.
_COUNTERS = ("num_timesteps", "_n_updates", "_total_timesteps", "_episode_num")
# Constructor arguments that do not belong to the model: they are given anew when it is loaded.
_NOT_SETTINGS = ("policy", "env", "device", "tensorboard_log", "_init_setup_model")
# In a checkpoint: the key of the metadata, and what the names of its tensors begin with.
_TRAINING = "training"


class TrainingState(NamedTuple):
    """Where a training stands, beside its model.

    Attributes:
        values: What JSON can hold.
        tensors: Tensors by name.
    """

    values: dict[str, Any]
    tensors: dict[str, Tensor]


def model_source(path: ModelSource) -> Path | BufferedIOBase:
    """Returns an open file as it is, and a path with ``.zip`` if it has no suffix, as SB3 does.

    Raises:
        TypeError: If it is neither a path nor a file that is open in binary mode.
    """
    if isinstance(path, str | os.PathLike):
        path = Path(path)
        # The present folder has no name to which a suffix could be added.
        return path if path.suffix or not path.name else path.with_suffix(".zip")
    file: Any = path  # as a type checker cannot know what is really given
    if isinstance(file, TextIOBase) or not hasattr(file, "seek"):
        allowed = "a path, or a file that is open in binary mode"
        raise TypeError(f"path is {shown(file)}; allowed: {allowed}")
    return path


def setting_names(cls: type[BaseAlgorithm]) -> list[str]:
    """Returns the constructor arguments that a model file keeps."""
    return [name for name in argument_names(cls) if name not in _NOT_SETTINGS]


def save_model(
    model: BaseAlgorithm,
    path: ModelSource,
    optimizer: bool = True,
    training: TrainingState | None = None,
) -> Path | BufferedIOBase:
    """Writes the policy, the optimizer's state and the settings to one file.

    Args:
        model: The model.
        path: The file, or its path; ``.zip`` is added to a name without a suffix.
        optimizer: Whether the optimizer's state is written too; to predict it is not needed.
        training: Where the training stands, which makes a checkpoint of the file.

    Returns:
        What `model_source` makes of the path.

    Raises:
        TypeError: If a setting cannot be stored; nothing is written.
        ValueError: If a tensor is not finite; nothing is written.
    """
    target = model_source(path)
    policy_class: Any = model.policy_class
    settings = {}
    for name in setting_names(type(model)):
        value = getattr(model, name)
        if name in _SCHEDULES:
            settings[name] = encode_schedule(value, name, model._current_progress_remaining)
        else:
            settings[name] = encode(value, name)
    metadata = {
        "format": _FORMAT,
        "class": type(model).__name__,
        "policy": _policy_name(model),
        "policy_module": policy_class.__module__,
        "revision": policy_class.revision,
        "settings": settings,
        "observation_space": encode_space(model.observation_space),
        "action_space": encode_space(model.action_space),
        "n_envs": model.n_envs,
        "counters": {name: getattr(model, name) for name in _COUNTERS},
    }
    tensors = named_tensors(cast(Trainable, model), optimizer)
    if training is not None:
        metadata[_TRAINING] = training.values
        tensors |= {f"{_TRAINING}.{name}": value for name, value in training.tensors.items()}
    write_archive(target, metadata, tensors)
    return target


def check_saveable(model: BaseAlgorithm) -> None:
    """Refuses a new model that could not be saved; a policy class of the user's own is registered.

    Raises:
        TypeError: If an argument cannot be stored.
        ValueError: If another class has the name of the policy's.
    """
    policy: type[Any] = model.policy_class
    if policy not in model.policy_aliases.values():
        if policy.__name__ in model.policy_aliases:
            raise ValueError(
                f"policy is {policy.__module__}.{policy.__name__}; allowed: a class of another "
                "name, as model files know ours by it"
            )
        register(policy)
    for name in setting_names(type(model)):
        if not hasattr(model, name):
            raise TypeError(
                f"{type(model).__name__} takes {name}, but keeps no attribute of that name, from "
                "which a model file would be written"
            )
        if name not in _SCHEDULES:
            encode(getattr(model, name), name)


def _policy_name(model: BaseAlgorithm) -> str:
    names = [name for name, cls in model.policy_aliases.items() if cls is model.policy_class]
    return names[0] if names else model.policy_class.__name__


def read_model(
    path: ModelSource,
) -> tuple[Path | BufferedIOBase, dict[str, Any], dict[str, Tensor]]:
    """Reads a model file and checks the form of its metadata.

    Raises:
        ModelFileError: If it is not a model file.
        FileNotFoundError: If there is no such file; like the other for a folder, it names a model
            nearby.
    """
    source = model_source(path)
    if isinstance(source, Path):
        _check_path(Path(cast(str | Path, path)), source)
    metadata, tensors = read_archive(source)
    if metadata.get("format") != _FORMAT:
        found = str(metadata.get("format"))[:50]
        raise ModelFileError(source, f"its format is {found}; allowed: {_FORMAT}")
    expected: dict[str, type] = {
        "class": str,
        "policy": str,
        "policy_module": str,
        "revision": int,
        "settings": dict,
        "observation_space": dict,
        "action_space": dict,
        "n_envs": int,
        "counters": dict,
    }
    for name, kind in expected.items():
        if type(metadata.get(name)) is not kind:
            raise ModelFileError(source, f"its metadata has no {kind.__name__} {name!r}")
    counters = metadata["counters"]
    if set(counters) != set(_COUNTERS) or any(type(n) is not int for n in counters.values()):
        raise ModelFileError(source, f"its counters are not the integers {', '.join(_COUNTERS)}")
    tensors = {k: v for k, v in tensors.items() if not k.startswith(f"{_TRAINING}.")}
    return source, metadata, tensors


def _check_path(given: Path, path: Path) -> None:
    """Refuses a path at which there is no file, and names a model that may have been meant.

    Args:
        given: The path as the user gave it.
        path: The same with a suffix.

    Raises:
        ModelFileError: If it is a folder.
        FileNotFoundError: If it is nothing.
    """
    found = path if path.exists() else given
    if found.exists() and not found.is_dir():
        return
    folder = found if found.is_dir() else found.parent
    # A run has its model in its folder, its checkpoints in one below.
    near = _newest(folder, "*.zip") or _newest(folder, "*/*.zip")
    allowed = "allowed: a model file" + (f", such as {near}" if near else "")
    if found.is_dir():
        raise ModelFileError(found, f"it is a folder; {allowed}")
    raise FileNotFoundError(f"path is {str(given)!r}, where there is nothing; {allowed}")


def _newest(folder: Path, pattern: str) -> Path | None:
    """Returns the newest of the files in a folder whose names match, if there is one."""
    files = (path for path in folder.glob(pattern) if path.is_file())
    return max(files, key=lambda path: path.stat().st_mtime, default=None)


def read_training(path: Path) -> TrainingState:
    """Reads from a checkpoint where its training stood.

    Raises:
        ModelFileError: If the file is no checkpoint.
        FileNotFoundError: If there is no such file.
    """
    metadata, tensors = read_archive(path)
    values = metadata.get(_TRAINING)
    if not isinstance(values, dict):
        raise ModelFileError(path, "it is a model, not a checkpoint: no training can go on from it")
    prefix = f"{_TRAINING}."
    return TrainingState(
        values, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    )
