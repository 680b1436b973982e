"""The layers of a policy's heads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from torch import nn

from agents.saving.registry import register
from memory_envs.arguments import shown

# Widths of the hidden layers of both heads, or of the actor's (pi) and the critic's (vf).
NetArch: TypeAlias = Sequence[int] | Mapping[str, Sequence[int]]

# The most hidden layers of a head.
_DEEPEST = 100
_PARTS = ("pi", "vf")


def read_net_arch(net_arch: NetArch) -> tuple[Sequence[int], Sequence[int]]:
    """Returns the widths of the hidden layers of the actor's and of the critic's head.

    Args:
        net_arch: Widths for both, or ``dict(pi=[...], vf=[...])``, where a part that is left out
            has no hidden layer, as in SB3.

    Raises:
        ValueError: If it is neither.
    """
    given: Any = net_arch  # as a type checker cannot know what is really given
    parts = given if isinstance(given, Mapping) else dict.fromkeys(_PARTS, given)
    if not set(parts) <= set(_PARTS) or not all(_are_widths(part) for part in parts.values()):
        raise ValueError(
            f"net_arch is {shown(net_arch)}; allowed: integers from 1 on, at most {_DEEPEST} of "
            "them, or dict(pi=[...], vf=[...]) of these"
        )
    return parts.get("pi", ()), parts.get("vf", ())


def _are_widths(widths: Any) -> bool:
    return (
        isinstance(widths, list | tuple)
        and len(widths) <= _DEEPEST
        and all(type(width) is int and width >= 1 for width in widths)
    )


def check_activation(activation_fn: type[nn.Module]) -> type[nn.Module]:
    """Returns the class of an activation; one of the user's own is registered.

    Raises:
        TypeError: If it is no module class, or cannot be made without arguments.
    """
    allowed = "classes such as torch.nn.ReLU, made without arguments"
    given: Any = activation_fn
    if not (isinstance(given, type) and issubclass(given, nn.Module)):
        raise TypeError(f"activation_fn is {shown(given)}; allowed: {allowed}")
    try:
        activation_fn()
    except TypeError as error:
        message = f"activation_fn is {activation_fn.__name__}; allowed: {allowed} ({error})"
        raise TypeError(message) from error
    if getattr(nn, activation_fn.__name__, None) is not activation_fn:
        register(activation_fn)
    return activation_fn


def make_mlp(
    inputs: int, net_arch: Sequence[int], outputs: int, activation_fn: type[nn.Module], gain: float
) -> nn.Sequential:
    """Linear layers with an activation after each but the last; the weights are orthogonal.

    Args:
        inputs: Size of the input.
        net_arch: Widths of the hidden layers.
        outputs: Size of the output.
        activation_fn: Made anew for each hidden layer.
        gain: Scale of the last layer's first weights.
    """
    layers: list[nn.Module] = []
    for width in net_arch:
        layers += [_linear(inputs, width, math.sqrt(2.0)), activation_fn()]
        inputs = width
    return nn.Sequential(*layers, _linear(inputs, outputs, gain))


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain=gain)
    nn.init.zeros_(layer.bias)
    return layer
