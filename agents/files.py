"""Saving and loading of algorithms without pickle.

A model file holds settings as JSON and tensors as safetensors (see `agents.archive`). Loading calls
the constructor of a class that the caller names, with settings from the file; it runs no code from
the file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import check_for_correct_spaces
from torch import Tensor

from agents.archive import ModelFileError, read_archive, write_archive
from agents.spaces_json import decode, decode_space, encode, encode_schedule, encode_space

if TYPE_CHECKING:
    from agents.algorithm import MemoryAlgorithm
    from agents.policies import MemoryPolicy

Algorithm = TypeVar("Algorithm", bound="MemoryAlgorithm")

_FORMAT = 1
_SCHEDULES = ("learning_rate", "ent_coef", "clip_range", "clip_range_vf")
# Where training stands: attribute names, all integers.
_COUNTERS = ("num_timesteps", "_n_updates", "_total_timesteps", "_episode_num")
# Constructor arguments that do not belong to the model: they are given anew when it is loaded.
_NOT_SETTINGS = ("policy", "env", "device", "tensorboard_log", "_init_setup_model")
_OPTIMIZER_TENSOR = re.compile(r"optimizer\.(\d{1,9})\.(\w+)")


def model_path(path: str | Path) -> Path:
    """Adds ``.zip`` to a name without a suffix, as SB3 does."""
    path = Path(path)
    return path if path.suffix else path.with_suffix(".zip")


def _setting_names(cls: type[MemoryAlgorithm]) -> list[str]:
    return [name for name in inspect.signature(cls).parameters if name not in _NOT_SETTINGS]


def save_model(model: MemoryAlgorithm, path: str | Path) -> Path:
    """Writes the policy, the optimizer's state and the settings to one file.

    Returns:
        The path written, with its suffix.

    Raises:
        TypeError: If a setting cannot be stored; nothing is written.
        ValueError: If a tensor is not finite; nothing is written.
    """
    path = model_path(path)
    names = [name for name, cls in model.policy_aliases.items() if cls is model.policy_class]
    if not names:
        raise TypeError(
            f"policy {model.policy_class} has no name in {type(model).__name__}.policy_aliases, "
            "without which it could not be loaded"
        )
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
        "policy": names[0],
        "settings": settings,
        "observation_space": encode_space(model.observation_space),
        "action_space": encode_space(model.action_space),
        "n_envs": model.n_envs,
        "counters": {name: getattr(model, name) for name in _COUNTERS},
    }
    tensors = {f"policy.{name}": value for name, value in model.policy.state_dict().items()}
    for index, state in model.policy.optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
    write_archive(path, metadata, tensors)
    return path


def read_model(path: str | Path) -> tuple[Path, dict[str, Any], dict[str, Tensor]]:
    """Reads a model file and checks the form of its metadata.

    Raises:
        ModelFileError: If it is not a model file.
        FileNotFoundError: If there is no such file.
    """
    path = model_path(path)
    metadata, tensors = read_archive(path)
    if metadata.get("format") != _FORMAT:
        found = str(metadata.get("format"))[:50]
        raise ModelFileError(path, f"its format is {found}; allowed: {_FORMAT}")
    expected: dict[str, type] = {
        "class": str,
        "policy": str,
        "settings": dict,
        "observation_space": dict,
        "action_space": dict,
        "n_envs": int,
        "counters": dict,
    }
    for name, kind in expected.items():
        if type(metadata.get(name)) is not kind:
            raise ModelFileError(path, f"its metadata has no {kind.__name__} {name!r}")
    counters = metadata["counters"]
    if set(counters) != set(_COUNTERS) or any(type(n) is not int for n in counters.values()):
        raise ModelFileError(path, f"its counters are not the integers {', '.join(_COUNTERS)}")
    return path, metadata, tensors


def load_model(
    cls: type[Algorithm],
    path: str | Path,
    env: GymEnv | None,
    device: torch.device | str,
    overrides: Mapping[str, Any],
) -> Algorithm:
    """Builds an algorithm from a model file.

    Args:
        cls: The class that saved it.
        path: The file; ``.zip`` is added to a name without a suffix.
        env: Environments to go on training with, or None if the model shall only predict.
        device: PyTorch device, or ``"auto"``.
        overrides: Constructor arguments that replace those of the file.

    Raises:
        ModelFileError: If the file is not a valid model of this class.
        TypeError: If an override is not a constructor argument.
        ValueError: If the environment's spaces are not those of the model.
    """
    path, metadata, tensors = read_model(path)
    if metadata["class"] != cls.__name__:
        found = metadata["class"][:100]
        raise ModelFileError(path, f"it holds a {found}, not a {cls.__name__}")
    allowed = [*_setting_names(cls), "tensorboard_log"]
    unknown = sorted(set(overrides) - set(allowed))
    if unknown:
        raise TypeError(f"{unknown[0]} is no argument of {cls.__name__}; allowed: {allowed}")
    try:
        observation_space = decode_space(metadata["observation_space"])
        action_space = decode_space(metadata["action_space"])
    except Exception as error:  # whatever is wrong with it, it is the file
        raise ModelFileError(path, f"its spaces are damaged ({error})") from error
    if env is not None:
        env = cls._wrap_env(env)
        check_for_correct_spaces(env, observation_space, action_space)
    try:
        odd = sorted(set(metadata["settings"]) - set(_setting_names(cls)))
        if odd:
            raise ValueError(f"{odd[0][:100]} is no setting of it")
        settings = {name: decode(value) for name, value in metadata["settings"].items()}
        model = cls(
            metadata["policy"],
            env,
            device=device,
            **{**settings, **overrides, "_init_setup_model": False},
        )
        if env is None:
            model.observation_space, model.action_space = observation_space, action_space
            model.n_envs = metadata["n_envs"]
        _check_policy_tensors(model, tensors)
        model._setup_model()
        _restore(model, tensors)
    except Exception as error:  # the same: no setting is trusted
        raise ModelFileError(path, f"it does not make a {cls.__name__} ({error})") from error
    for name, value in metadata["counters"].items():
        setattr(model, name, value)
    model.last_checkpoint = str(path)
    return model


def restore_from_file(model: MemoryAlgorithm, path: str | Path) -> None:
    """Puts the tensors of a model file into a model of the same form.

    Raises:
        ModelFileError: If the file is no model file, or its tensors do not fit; the model stays.
    """
    path, _, tensors = read_model(path)
    try:
        _check_policy_tensors(model, tensors)
        _restore(model, tensors)
    except ValueError as error:
        raise ModelFileError(path, f"it does not fit this model ({error})") from error


def _check_policy_tensors(model: MemoryAlgorithm, tensors: Mapping[str, Tensor]) -> None:
    """Compares names, shapes and dtypes before any memory is taken for them.

    Raises:
        ValueError: If they are not those of the model's policy.
    """
    with torch.device("meta"):
        state = model._make_policy(lambda _: 0.0, optimizer=False).state_dict()
    expected = {f"policy.{name}": value for name, value in state.items()}
    found = {name: value for name, value in tensors.items() if not name.startswith("optimizer.")}
    if set(found) != set(expected):
        odd = sorted(set(found) ^ set(expected))
        raise ValueError(f"tensors {str(odd)[:200]} are missing or unknown")
    for name, value in expected.items():
        if found[name].shape != value.shape or found[name].dtype != value.dtype:
            raise ValueError(
                f"tensor {name} is {found[name].dtype} {tuple(found[name].shape)}, "
                f"not {value.dtype} {tuple(value.shape)}"
            )


def _restore(model: MemoryAlgorithm, tensors: Mapping[str, Tensor]) -> None:
    """Puts a file's tensors into a model whose policy has the same names and shapes.

    Raises:
        ValueError: If the optimizer's tensors do not fit.
    """
    _restore_optimizer(model.policy, tensors)
    model.policy.load_state_dict(
        {k.removeprefix("policy."): v for k, v in tensors.items() if k.startswith("policy.")}
    )


def _restore_optimizer(policy: MemoryPolicy, tensors: Mapping[str, Tensor]) -> None:
    parameters = [p for group in policy.optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("policy."):
            continue
        match = _OPTIMIZER_TENSOR.fullmatch(name)
        if match is None or int(match[1]) >= len(parameters):
            raise ValueError(f"tensor {name[:100]} is unknown")
        index, key = int(match[1]), match[2]
        if value.shape not in ((), parameters[index].shape):
            raise ValueError(f"tensor {name} has shape {tuple(value.shape)}")
        state.setdefault(index, {})[key] = value
    keys = _optimizer_keys(policy)
    if any(set(entry) != keys for entry in state.values()):
        raise ValueError(f"the optimizer's tensors are not {sorted(keys)} for each parameter")
    policy.optimizer.load_state_dict({**policy.optimizer.state_dict(), "state": state})


def _optimizer_keys(policy: MemoryPolicy) -> set[str]:
    """The names of the tensors that the optimizer keeps for a parameter, found by trying."""
    parameter = torch.zeros(1, requires_grad=True)
    parameter.grad = torch.zeros(1)
    optimizer_class: Any = policy.optimizer_class
    optimizer = optimizer_class([parameter], lr=1e-3, **policy.optimizer_kwargs)
    optimizer.step()
    kept = optimizer.state[parameter].items()
    return {key for key, value in kept if isinstance(value, Tensor)}
