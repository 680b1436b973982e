"""An algorithm made from a model file.

Loading calls the constructor of a class that the caller names, with settings from the file; it runs
no code from the file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import check_for_correct_spaces
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.saving.archive import ModelFileError, ModelSource
from agents.saving.model_file import read_model, setting_names
from agents.saving.model_tensors import Trainable, check_policy_tensors, restore_tensors
from agents.saving.registry import find_class
from agents.saving.spaces_json import FrozenSchedule, decode, decode_space, encode
from memory_envs.arguments import allowed_names, shown

Algorithm = TypeVar("Algorithm", bound=BaseAlgorithm)
# Makes tensors with the names, shapes and dtypes of the policy that a model is to get.
PolicyState = Callable[[Algorithm], Mapping[str, Tensor]]


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
    odd = sorted(set(metadata["settings"]) - set(setting_names(cls)))
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
    allowed = [*setting_names(cls), "tensorboard_log"]
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
