"""The layers of a policy's heads."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from memory_envs.arguments import check_choice

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}

# The most hidden layers of a head.
_DEEPEST = 100


def find_activation(name: str) -> type[nn.Module]:
    """The activation of that name.

    Raises:
        ValueError: If there is none; says which there are.
    """
    return ACTIVATIONS[check_choice("activation", name, ACTIVATIONS)]


def check_sizes(**sizes: Sequence[int]) -> None:
    """Refuses sizes of layers that no network can have.

    Args:
        **sizes: By the name of the argument that they come from.

    Raises:
        ValueError: If an argument has too many, or one below 1.
    """
    for name, given in sizes.items():
        if len(given) > _DEEPEST or any(size < 1 for size in given):
            raise ValueError(
                f"{name} is {given}; allowed: integers from 1 on, at most {_DEEPEST} of them"
            )


def make_mlp(
    inputs: int, net_arch: Sequence[int], outputs: int, activation: type[nn.Module], gain: float
) -> nn.Sequential:
    """Linear layers with an activation after each but the last; the weights are orthogonal.

    Args:
        inputs: Size of the input.
        net_arch: Widths of the hidden layers.
        outputs: Size of the output.
        activation: Made anew for each hidden layer.
        gain: Scale of the last layer's first weights.
    """
    layers: list[nn.Module] = []
    for width in net_arch:
        layers += [_linear(inputs, width, math.sqrt(2.0)), activation()]
        inputs = width
    return nn.Sequential(*layers, _linear(inputs, outputs, gain))


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain=gain)
    nn.init.zeros_(layer.bias)
    return layer
