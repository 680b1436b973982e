"""A model's tensors: named for a model file, checked, and put back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

_OPTIMIZER_TENSOR = re.compile(r"optimizer\.(\d{1,9})\.(\w+)")


class Trainable(Protocol):
    """What a model file takes tensors from and puts them back into.

    Attributes:
        policy: The policy.
    """

    policy: BasePolicy

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer of the policy's parameters, made when it is first asked for."""
        ...

    def optimizer_settings(self) -> tuple[Any, dict[str, Any]]:
        """Returns the optimizer's class, and its arguments other than the learning rate."""
        ...


def named_tensors(model: Trainable, optimizer: bool) -> dict[str, Tensor]:
    """Returns the tensors of the policy, and of the optimizer if it is wanted, by name."""
    tensors = {f"policy.{name}": value for name, value in model.policy.state_dict().items()}
    # An optimizer that was never asked for has no state; making one here would cost seconds.
    kept = model.optimizer.state_dict()["state"] if optimizer and "optimizer" in vars(model) else {}
    for index, state in kept.items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
    return tensors


def check_policy_tensors(state: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Compares names, shapes and dtypes of a file's tensors with those of a policy.

    Args:
        state: The policy's `state_dict`; its numbers are not looked at.
        tensors: The file's.

    Raises:
        ValueError: If they differ.
    """
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


def restore_tensors(model: Trainable, tensors: Mapping[str, Tensor]) -> None:
    """Puts a file's tensors into a model with the same names and shapes.

    Raises:
        ValueError: If the optimizer's tensors do not fit.
    """
    policy = {k.removeprefix("policy."): v for k, v in tensors.items() if k.startswith("policy.")}
    others = {name: value for name, value in tensors.items() if not name.startswith("policy.")}
    if others:
        _restore_optimizer(model, others)
    elif "optimizer" in vars(model):
        model.optimizer.load_state_dict({**model.optimizer.state_dict(), "state": {}})
    model.policy.load_state_dict(policy)


def _restore_optimizer(model: Trainable, tensors: Mapping[str, Tensor]) -> None:
    parameters = list(model.policy.parameters())
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        match = _OPTIMIZER_TENSOR.fullmatch(name)
        if match is None or int(match[1]) >= len(parameters):
            raise ValueError(f"tensor {name[:100]} is unknown")
        index, key = int(match[1]), match[2]
        if value.shape not in ((), parameters[index].shape):
            raise ValueError(f"tensor {name} has shape {tuple(value.shape)}")
        state.setdefault(index, {})[key] = value
    keys = _optimizer_keys(model)
    if any(set(entry) != keys for entry in state.values()):
        raise ValueError(f"the optimizer's tensors are not {sorted(keys)} for each parameter")
    optimizer = model.optimizer
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _optimizer_keys(model: Trainable) -> set[str]:
    """The names of the tensors that the optimizer keeps for a parameter, found by trying."""
    parameter = torch.zeros(1, requires_grad=True)
    parameter.grad = torch.zeros(1)
    make, kwargs = model.optimizer_settings()
    optimizer = make([parameter], lr=1e-3, **kwargs)
    optimizer.step()
    kept = optimizer.state[parameter].items()
    return {key for key, value in kept if isinstance(value, Tensor)}
