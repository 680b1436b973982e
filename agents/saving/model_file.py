"""Saving and loading of algorithms without pickle.

A model file holds settings as JSON and tensors as safetensors (see `agents.saving.archive`).
Loading calls the constructor of a class that the caller names, with settings from the file; it runs
no code from the file.

A checkpoint is a model file that also says where its training stands; to load it as a model is to
leave that out.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from io import BufferedIOBase, TextIOBase
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import check_for_correct_spaces
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.saving.archive import ModelFileError, ModelSource, read_archive, write_archive
from agents.saving.model_tensors import (
    Trainable,
    check_policy_tensors,
    named_tensors,
    restore_tensors,
)
from agents.saving.registry import find_class, register
from agents.saving.spaces_json import (
    FrozenSchedule,
    decode,
    decode_space,
    encode,
    encode_schedule,
    encode_space,
)
from memory_envs.arguments import allowed_names, argument_names, shown

Algorithm = TypeVar("Algorithm", bound=BaseAlgorithm)
# Makes tensors with the names, shapes and dtypes of the policy that a model is to get.
PolicyState = Callable[[Algorithm], Mapping[str, Tensor]]

_FORMAT = 1
_SCHEDULES = ("learning_rate", "ent_coef", "clip_range", "clip_range_vf")
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
        return path if path.suffix else path.with_suffix(".zip")
    file: Any = path  # as a type checker cannot know what is really given
    if isinstance(file, TextIOBase) or not hasattr(file, "seek"):
        allowed = "a path, or a file that is open in binary mode"
        raise TypeError(f"path is {shown(file)}; allowed: {allowed}")
    return path


def _setting_names(cls: type[BaseAlgorithm]) -> list[str]:
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
    for name in _setting_names(type(model)):
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
    for name in _setting_names(type(model)):
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


def _policy_class(cls: type[BaseAlgorithm], metadata: Mapping[str, Any]) -> type[Any]:
    """The policy class that a file names.

    Raises:
        UnknownClassError: If it is a user's own that is not registered.
    """
    name = metadata["policy"]
    if name in cls.policy_aliases:
        return cls.policy_aliases[name]
    base = next(iter(cls.policy_aliases.values()))
    return find_class(name, base, metadata["policy_module"])


def read_model(
    path: ModelSource,
) -> tuple[Path | BufferedIOBase, dict[str, Any], dict[str, Tensor]]:
    """Reads a model file and checks the form of its metadata.

    Raises:
        ModelFileError: If it is not a model file.
        FileNotFoundError: If there is no such file.
    """
    source = model_source(path)
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


def load_model(
    cls: type[Algorithm],
    path: ModelSource,
    env: Any,
    device: torch.device | str,
    overrides: Mapping[str, Any],
    policy_state: PolicyState[Algorithm] | None,
) -> Algorithm:
    """Builds an algorithm from a model file.

    Args:
        cls: The class that saved it.
        path: The file, or its path; ``.zip`` is added to a name without a suffix.
        env: Environments to go on training with, or None if the model shall only predict.
        device: PyTorch device, or ``"auto"``.
        overrides: Constructor arguments that replace those of the file.
        policy_state: Makes what the file's tensors are compared with before any memory is taken
            for them. None if the file is our own: to compare imports seconds' worth of PyTorch.

    Raises:
        ModelFileError: If the file is not a valid model of this class.
        TypeError: If an override is not a constructor argument.
        ValueError: If an override or the environment does not fit the model.
    """
    source, metadata, tensors = read_model(path)
    if metadata["class"] != cls.__name__:
        found = metadata["class"][:100]
        raise ModelFileError(source, f"it holds a {found}, not a {cls.__name__}")
    _check_revision(cls, source, metadata)
    try:
        observation_space = decode_space(metadata["observation_space"])
        action_space = decode_space(metadata["action_space"])
    except Exception as error:  # whatever is wrong with it, it is the file
        raise ModelFileError(source, f"its spaces are damaged ({error})") from error
    _check_overrides(cls, overrides, metadata)
    trained = env is not None
    if trained:
        env = cls._wrap_env(env)
        check_for_correct_spaces(env, observation_space, action_space)

    def build(
        settings: Mapping[str, Any], env: VecEnv | None, device: torch.device | str
    ) -> Algorithm:
        model = cls(
            _policy_class(cls, metadata),
            env,
            device=device,
            **{**settings, "_init_setup_model": False},
        )
        if env is None:
            model.observation_space, model.action_space = observation_space, action_space
            model.n_envs = metadata["n_envs"]
        if policy_state is not None:
            check_policy_tensors(policy_state(model), tensors)
        model._setup_model()
        restore_tensors(cast(Trainable, model), tensors)
        if trained:  # better to fail now than at the first gradient step
            _ = cast(Trainable, model).optimizer
        return model

    try:
        settings = _decode_settings(cls, metadata)
        model = build({**settings, **overrides}, env, device)
    except Exception as error:
        # Nothing in the file is trusted: it is to blame unless it makes a model by itself.
        asked = overrides or trained or device != "auto"
        if asked and _succeeds(lambda: build(settings, None, "auto")):
            raise
        raise ModelFileError(source, f"it does not make a {cls.__name__} ({error})") from error
    for name, value in metadata["counters"].items():
        setattr(model, name, value)
    for name in settings.keys() - overrides.keys():
        if isinstance(settings[name], FrozenSchedule):
            warnings.warn(
                f"{name} was a function, which the file cannot hold: it is now "
                f"{settings[name].val}, as when it was saved, unless load is given {name}",
                stacklevel=3,
            )
    return model


def _succeeds(function: Callable[[], object]) -> bool:
    try:
        function()
    except Exception:
        return False
    return True


def _decode_settings(cls: type[BaseAlgorithm], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor arguments that a file holds.

    Raises:
        ValueError: If there is something else among them.
    """
    odd = sorted(set(metadata["settings"]) - set(_setting_names(cls)))
    if odd:
        raise ValueError(f"{odd[0][:100]} is no setting of it")
    return {name: decode(value) for name, value in metadata["settings"].items()}


def _check_overrides(
    cls: type[BaseAlgorithm], overrides: Mapping[str, Any], metadata: Mapping[str, Any]
) -> None:
    """Refuses constructor arguments that cannot replace those of a file.

    Raises:
        TypeError: If one is unknown.
        ValueError: If the policy would be another one.
    """
    allowed = [*_setting_names(cls), "tensorboard_log"]
    for name in overrides:
        if name not in allowed:
            raise TypeError(
                f"argument of {cls.__name__} is {name!r}; {allowed_names(name, allowed)}"
            )
    if "policy_kwargs" in overrides:
        given = encode(overrides["policy_kwargs"] or {}, "policy_kwargs")
        stored = metadata["settings"].get("policy_kwargs")
        others = [
            {key: value for key, value in kwargs.items() if not key.startswith("optimizer_")}
            for kwargs in (given, stored if isinstance(stored, dict) else {})
        ]
        if others[0] != others[1]:
            raise ValueError(
                f"policy_kwargs is {shown(overrides['policy_kwargs'])}; allowed: those of the "
                f"file, {shown(stored, 400)}, but for optimizer_class and optimizer_kwargs"
            )


def _check_revision(
    cls: type[BaseAlgorithm], path: Path | BufferedIOBase, metadata: Mapping[str, Any]
) -> None:
    """Refuses tensors that the policy of today would take for something else.

    Raises:
        ModelFileError: If the policy computed differently when the file was written.
    """
    try:
        policy = _policy_class(cls, metadata)
    except ValueError as error:
        raise ModelFileError(path, str(error)) from error
    found = metadata["revision"]
    if found != policy.revision:
        raise ModelFileError(
            path,
            f"its {metadata['policy']} is of revision {str(found)[:20]}, this version of "
            f"memory-envs has revision {policy.revision}: train the model again, or load it with "
            "the version that made it",
        )


def restore_from_file(model: BaseAlgorithm, path: ModelSource, state: Mapping[str, Tensor]) -> None:
    """Puts the tensors of a model file into a model of the same form.

    Args:
        model: The model.
        path: The file, or its path; ``.zip`` is added to a name without a suffix.
        state: What the file's tensors are compared with, see `check_policy_tensors`.

    Raises:
        ModelFileError: If the file is no model file, or its tensors do not fit; the model stays.
    """
    source, metadata, tensors = read_model(path)
    _check_revision(type(model), source, metadata)
    try:
        check_policy_tensors(state, tensors)
        restore_tensors(cast(Trainable, model), tensors)
    except ValueError as error:
        raise ModelFileError(source, f"it does not fit this model ({error})") from error
