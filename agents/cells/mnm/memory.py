"""A memory that is a network: keys go in, values come out, and its weights are the state.

Sections 3.2 to 3.4 of Munkhdalai et al. 2019. Each of B rows has a network of L square layers,
``(B, L, D, D)``; keys and values are ``(B, H, D)``, one for each of H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor

# What is added to the squared length by which steps are divided: a key much shorter than its root
# writes little, and the gradient of the quotient is bounded.
SMALL_SQUARE = 1e-3


def activations(memory: Tensor, keys: Tensor, linear_values: bool) -> Tensor:
    """Computes all layers, z^l = tanh(M^l z^(l-1)) (section 3.2); there are no biases.

    Args:
        memory: ``(B, L, D, D)``.
        keys: z^0, ``(B, H, D)``.
        linear_values: Whether the last layer has no tanh.

    Returns:
        z^0 to z^L, ``(B, L + 1, H, D)``.
    """
    layers = [keys]
    for depth, weight in enumerate(memory.unbind(1), start=1):
        product = torch.bmm(layers[-1], weight.transpose(1, 2))
        linear = linear_values and depth == memory.shape[1]
        layers.append(product if linear else product.tanh())
    return torch.stack(layers, dim=1)


def recall(memory: Tensor, keys: Tensor, linear_values: bool) -> Tensor:
    """Returns the values of some keys, z^L, ``(B, H, D)``; see `activations`."""
    return activations(memory, keys, linear_values)[:, -1]


def squared_error(values: Tensor, targets: Tensor) -> Tensor:
    """Returns each row's mean squared error, over heads and numbers, ``(B,)``.

    It is equation 2 divided by D: there the error of a head is a sum.

    Args:
        values: ``(B, H, D)``.
        targets: ``(B, H, D)``.
    """
    return (values - targets).square().mean(dim=(1, 2))


def gradient_errors(
    memory: Tensor, layers: Tensor, targets: Tensor, linear_values: bool, scale: float
) -> Tensor:
    """Returns what the gradient step makes of the error of the values (equation 3).

    With a scale of 2 / H, the gradient of equation 2 by M^l is the sum over heads of these errors
    times z^(l-1)T. It is
    written out and not taken by `torch.autograd`: a rollout then needs no graph, and in training
    the second derivatives are first derivatives of plain operations.

    Args:
        memory: ``(B, L, D, D)``.
        layers: z^0 to z^L of the keys, ``(B, L + 1, H, D)``.
        targets: What the keys are to be bound to, ``(B, H, D)``.
        linear_values: Whether the last layer has no tanh.
        scale: What the differences of values and targets are multiplied by.

    Returns:
        Errors before the tanh of layers 1 to L, ``(B, L, H, D)``.
    """
    *hidden, values = layers[:, 1:].unbind(1)
    error = (values - targets) * scale
    errors = [error if linear_values else error * (1 - values * values)]
    for z, above in zip(reversed(hidden), reversed(memory[:, 1:].unbind(1)), strict=True):
        errors.append(torch.bmm(errors[-1], above) * (1 - z * z))
    return torch.stack(errors[::-1], dim=1)


def write(
    memory: Tensor, layers: Tensor, errors: Tensor, rates: Tensor, normalized: bool
) -> Tensor:
    """Subtracts from every M^l its rate times the sum over heads of errors^l z^(l-1)T.

    The gradient step (equation 3) and the local one (equation 4) differ in the errors only.

    Args:
        memory: ``(B, L, D, D)``.
        layers: z^0 to z^L of the keys, ``(B, L + 1, H, D)``.
        errors: ``(B, L, H, D)``.
        rates: ``(B, L)``, or ``(B, 1)`` where layers share one.
        normalized: Whether a layer's step is divided by the sum over heads of |z^(l-1)|^2, plus
            `SMALL_SQUARE`.

    Returns:
        The new memory ``(B, L, D, D)``.
    """
    inputs = layers[:, :-1]
    if normalized:
        rates = rates / (SMALL_SQUARE + inputs.square().sum(dim=(2, 3)))
    steps = errors * -rates[..., None, None]
    return memory + steps.transpose(2, 3) @ inputs
