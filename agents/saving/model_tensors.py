"""A model's tensors: named for a model file, checked, and put back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from memory_envs.arguments import argument_names

_OPTIMIZER_TENSOR = re.compile(r"optimizer\.(\d{1,9})\.(\w+)")


class Trainable(Protocol):
    """What a model file takes tensors from and puts them back into.

    Attributes:
        policy: The policy.
        optimizer_tensors: What a file holds for the optimizer, until it is made.
    """

    policy: BasePolicy

    optimizer_tensors: Mapping[str, Tensor]

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer of the policy's parameters, made when it is first asked for."""
        ...


def named_tensors(model: Trainable, optimizer: bool) -> dict[str, Tensor]:
    """Returns the tensors of the policy, and of the optimizer if it is wanted, by name."""
    tensors = {f"policy.{name}": value for name, value in model.policy.state_dict().items()}
    if not optimizer:
        return tensors
    if "optimizer" not in vars(model):  # making one here would cost seconds
        return {**tensors, **model.optimizer_tensors}
    for index, state in model.optimizer.state_dict()["state"].items():
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

    An optimizer that was not made yet gets its own when it is made.

    Raises:
        ValueError: If the optimizer's tensors do not fit.
    """
    policy = {k.removeprefix("policy."): v for k, v in tensors.items() if k.startswith("policy.")}
    others = {name: value for name, value in tensors.items() if not name.startswith("policy.")}
    _by_parameter(list(model.policy.parameters()), others)
    if "optimizer" in vars(model):
        fill_optimizer(model.optimizer, others)
    else:
        model.optimizer_tensors = others
    model.policy.load_state_dict(policy)


def fill_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Gives an optimizer a file's tensors in place of its own.

    Raises:
        ValueError: If they do not fit; the optimizer stays as it is.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state = _by_parameter(parameters, tensors)
    expected = {dims: _keys(optimizer, dims) for dims in {p.dim() for p in parameters}}
    for index, entry in state.items():
        keys = expected[parameters[index].dim()]
        if set(entry) != keys:
            raise ValueError(
                f"the optimizer's tensors are {sorted(entry)}; allowed with "
                f"{type(optimizer).__name__}: {sorted(keys)} for each parameter, or none at all"
            )
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _by_parameter(
    parameters: Sequence[Tensor], tensors: Mapping[str, Tensor]
) -> dict[int, dict[str, Tensor]]:
    """The tensors of an optimizer, by the number of the parameter that they belong to.

    Raises:
        ValueError: If a name is unknown, or a shape not made of the parameter's sizes and ones.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        match = _OPTIMIZER_TENSOR.fullmatch(name)
        if match is None or int(match[1]) >= len(parameters):
            raise ValueError(f"tensor {name[:100]} is unknown")
        index, key = int(match[1]), match[2]
        shape, whole = value.shape, parameters[index].shape
        fits = len(shape) == len(whole) and all(
            own in (1, size) for own, size in zip(shape, whole, strict=True)
        )
        if shape and not fits:
            raise ValueError(f"tensor {name} has shape {tuple(shape)}")
        state.setdefault(index, {})[key] = value
    return state


def _keys(optimizer: torch.optim.Optimizer, dims: int) -> set[str]:
    """The names of the tensors that an optimizer keeps for a parameter, found by trying."""
    parameter = torch.zeros([1] * dims, requires_grad=True)
    parameter.grad = torch.zeros_like(parameter)
    make: Any = type(optimizer)
    kwargs = {k: v for k, v in optimizer.defaults.items() if k in argument_names(make)}
    trial = make([parameter], **kwargs)
    trial.step()
    kept = trial.state[parameter].items()
    return {key for key, value in kept if isinstance(value, Tensor)}
