"""A policy's tensors: named for a model file, checked, and put back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

_OPTIMIZER_TENSOR = re.compile(r"optimizer\.(\d{1,9})\.(\w+)")


class NoOptimizer:
    """In place of an optimizer in a model that only predicts.

    Args:
        _parameters: not changed.
        lr: not used.
    """

    def __init__(self, _parameters: Any, lr: float) -> None:
        self.param_groups: list[dict[str, Any]] = []
        self.lr = lr

    def state_dict(self) -> dict[str, Any]:
        """Nothing, in the form of an optimizer's."""
        return {"state": {}}

    def zero_grad(self) -> None:
        """Is what training begins with.

        Raises:
            RuntimeError: always; says how to get a model that can be trained.
        """
        raise RuntimeError(
            "this model was loaded to predict, without an optimizer; save it, and "
            "agents.load(path, env) makes one that can be trained"
        )


def named_tensors(policy: BasePolicy, optimizer: bool) -> dict[str, Tensor]:
    """The tensors of the policy, and of the optimizer if it is wanted, by their names in a file."""
    tensors = {f"policy.{name}": value for name, value in policy.state_dict().items()}
    kept = policy.optimizer.state_dict()["state"] if optimizer else {}
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


def restore_tensors(policy: BasePolicy, tensors: Mapping[str, Tensor]) -> None:
    """Puts a file's tensors into a policy with the same names and shapes.

    Raises:
        ValueError: If the optimizer's tensors do not fit.
    """
    if not isinstance(policy.optimizer, NoOptimizer):
        _restore_optimizer(policy, tensors)
    policy.load_state_dict(
        {k.removeprefix("policy."): v for k, v in tensors.items() if k.startswith("policy.")}
    )


def _restore_optimizer(policy: BasePolicy, tensors: Mapping[str, Tensor]) -> None:
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


def _optimizer_keys(policy: BasePolicy) -> set[str]:
    """The names of the tensors that the optimizer keeps for a parameter, found by trying."""
    parameter = torch.zeros(1, requires_grad=True)
    parameter.grad = torch.zeros(1)
    optimizer_class: Any = policy.optimizer_class
    optimizer = optimizer_class([parameter], lr=1e-3, **policy.optimizer_kwargs)
    optimizer.step()
    kept = optimizer.state[parameter].items()
    return {key for key, value in kept if isinstance(value, Tensor)}
