"""The hyperbolic tangent of the rows of a matrix, and the way back, compiled."""

from __future__ import annotations

from agents.cells.parts.kernels import ONE, Floats, compiled, tanh


@compiled
def squash(x: Floats) -> None:
    """Replaces the rows of a matrix by their hyperbolic tangent."""
    for r in range(len(x)):
        row = x[r]
        for n in range(len(row)):
            row[n] = tanh(row[n])


@compiled
def unsquash(x: Floats, gradient: Floats) -> None:
    """Multiplies a gradient by the derivative of the hyperbolic tangent whose values are `x`."""
    for r in range(len(x)):
        row, by_row = x[r], gradient[r]
        for n in range(len(row)):
            by_row[n] *= ONE - row[n] * row[n]
