"""A row of numbers shifted and scaled to mean 0 and variance 1, and the way back, compiled.

Scale and shift of a layer normalisation are part of the layer that comes after it.
"""

from __future__ import annotations

import numpy as np

from agents.cells.parts.kernels import ONE, ZERO, Floats, inlined

EPS = 1e-5  # PyTorch's
_EPS = np.float32(EPS)


@inlined
def standardise(numbers: Floats, found: Floats) -> None:
    """Writes the standardised numbers."""
    mean, share = _moments(numbers)
    for n in range(len(numbers)):
        found[n] = (numbers[n] - mean) * share


@inlined
def standardise_backward(numbers: Floats, gradient: Floats) -> None:
    """Goes back through `standardise`: the gradient becomes that by the numbers."""
    mean, share = _moments(numbers)
    count = np.float32(len(numbers))
    total, along = ZERO, ZERO
    for n in range(len(numbers)):
        total += gradient[n]
        along += gradient[n] * (numbers[n] - mean)
    total, along = total / count, along * share * share / count
    for n in range(len(numbers)):
        gradient[n] = share * (gradient[n] - total - (numbers[n] - mean) * along)


@inlined
def _moments(numbers: Floats) -> tuple[np.float32, np.float32]:
    """Returns the mean, and one over the standard deviation."""
    count, mean, square = np.float32(len(numbers)), ZERO, ZERO
    for n in range(len(numbers)):
        mean += numbers[n]
    mean /= count
    for n in range(len(numbers)):
        square += (numbers[n] - mean) * (numbers[n] - mean)
    return mean, ONE / np.sqrt(square / count + _EPS)
