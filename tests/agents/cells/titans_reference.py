"""One step of the memory of Titans in NumPy, written from Behrouz et al. 2025 with plain loops.

Gradients are taken weight by weight, by a complex step: where f is analytic, f(x + ih) / h has the
derivative of f at x as its imaginary part, without a difference that could lose digits. So nothing
here knows how a gradient goes back through layers. One batch row at a time, in float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tests.agents.cells.fast_weights_reference import (
    Array,
    Sizes,
    Weights,
    enter,
    leave,
    recent_after,
    sigmoid,
    unit_length,
)

Complex = npt.NDArray[np.complex128]
STEP = 1e-30


class Reference(NamedTuple):
    """State of one row: the memory's weights ``(inputs, outputs)``, past surprise, projections."""

    memory: list[Array]
    surprise: list[Array]
    recent: list[Array]


def recall(memory: list[Any], key: Array) -> Any:
    """M(k): layers without biases, SiLU units between them."""
    numbers: Any = key
    for depth, weight in enumerate(memory):
        if depth > 0:
            numbers = numbers / (1 + np.exp(-numbers))
        numbers = numbers @ weight
    return numbers


def gradient(memory: list[Array], key: Array, value: Array) -> list[Array]:
    """The derivative of equation 12 by each weight."""
    found = [np.zeros_like(weight) for weight in memory]
    for depth, weight in enumerate(memory):
        for place in np.ndindex(*weight.shape):
            moved: list[Complex] = [w.astype(np.complex128) for w in memory]
            moved[depth][place] += 1j * STEP
            found[depth][place] = ((recall(moved, key) - value) ** 2).sum().imag / STEP
    return found


def step(
    x: Array, state: Reference, weights: Weights, sizes: Sizes, longest: float
) -> tuple[Array, Reference]:
    """Equations 12 to 15, with gradients no longer than `longest`."""
    entered = enter(x, state.recent, weights, sizes, active=True)
    ((query, key, value),) = entered.heads
    numbers = weights["gates.weight"] @ entered.normed + weights["gates.bias"]
    eta, theta, alpha = (sigmoid(number) for number in numbers)
    momentary = gradient(state.memory, unit_length(key), value)
    length = np.sqrt(sum((part**2).sum() for part in momentary))
    share = longest / length if length > longest else 1.0
    surprise = [
        eta * past - theta * share * now
        for past, now in zip(state.surprise, momentary, strict=True)
    ]
    memory = [(1 - alpha) * old + news for old, news in zip(state.memory, surprise, strict=True)]
    read = recall(memory, unit_length(query))
    after = Reference(memory, surprise, recent_after(entered, state.recent))
    return leave(entered, [read], weights), after
