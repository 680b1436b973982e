"""Products of matrices, compiled: for few rows, and for kernels that call no library.

Rows are contiguous float32 and are taken three at a time, so that what is loaded serves several
times. What comes of a row depends neither on the others nor, moved by a multiple of three, on where
it stands.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from agents.cells.kernels import Floats, tanh

# Without Python's lock, as threads work at the same time. On sums see `agents.cells.kernels`.
compiled = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}
)
ZERO, ONE, TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)


@compiled
def add_product(left: Floats, right: Floats, out: Floats) -> None:
    """Adds to `out` the product of two matrices, three rows by four inputs at a time.

    Args:
        left: ``(R, K)``, of any strides.
        right: ``(K, N)``.
        out: ``(R, N)``.
    """
    R, K = left.shape
    threes, fours = R - R % 3, K - K % 4
    for k in range(0, fours, 4):
        w0, w1, w2, w3 = right[k], right[k + 1], right[k + 2], right[k + 3]
        for r in range(0, threes, 3):
            a0, a1, a2, a3 = left[r, k], left[r, k + 1], left[r, k + 2], left[r, k + 3]
            b0, b1, b2, b3 = (
                left[r + 1, k],
                left[r + 1, k + 1],
                left[r + 1, k + 2],
                left[r + 1, k + 3],
            )
            c0, c1, c2, c3 = (
                left[r + 2, k],
                left[r + 2, k + 1],
                left[r + 2, k + 2],
                left[r + 2, k + 3],
            )
            o0, o1, o2 = out[r], out[r + 1], out[r + 2]
            for n in range(len(o0)):
                p, q, s, t = w0[n], w1[n], w2[n], w3[n]
                o0[n] += a0 * p + a1 * q + a2 * s + a3 * t
                o1[n] += b0 * p + b1 * q + b2 * s + b3 * t
                o2[n] += c0 * p + c1 * q + c2 * s + c3 * t
        for r in range(threes, R):
            a0, a1, a2, a3 = left[r, k], left[r, k + 1], left[r, k + 2], left[r, k + 3]
            o0 = out[r]
            for n in range(len(o0)):
                o0[n] += a0 * w0[n] + a1 * w1[n] + a2 * w2[n] + a3 * w3[n]
    for k in range(fours, K):
        w0 = right[k]
        for r in range(R):
            a0, o0 = left[r, k], out[r]
            for n in range(len(o0)):
                o0[n] += a0 * w0[n]


@compiled
def add_outer(left: Floats, right: Floats, out: Floats) -> None:
    """Adds to `out` the first matrix, transposed, times the second, three rows by three inputs.

    Args:
        left: ``(R, K)``.
        right: ``(R, N)``.
        out: ``(K, N)``.
    """
    R, K = left.shape
    inner, outer = R - R % 3, K - K % 3
    for r in range(0, inner, 3):
        w0, w1, w2 = right[r], right[r + 1], right[r + 2]
        x, y, z = left[r], left[r + 1], left[r + 2]
        for k in range(0, outer, 3):
            a0, a1, a2 = x[k], y[k], z[k]
            b0, b1, b2 = x[k + 1], y[k + 1], z[k + 1]
            c0, c1, c2 = x[k + 2], y[k + 2], z[k + 2]
            o0, o1, o2 = out[k], out[k + 1], out[k + 2]
            for n in range(len(o0)):
                p, q, s = w0[n], w1[n], w2[n]
                o0[n] += a0 * p + a1 * q + a2 * s
                o1[n] += b0 * p + b1 * q + b2 * s
                o2[n] += c0 * p + c1 * q + c2 * s
        for k in range(outer, K):
            a0, a1, a2, o0 = x[k], y[k], z[k], out[k]
            for n in range(len(o0)):
                o0[n] += a0 * w0[n] + a1 * w1[n] + a2 * w2[n]
    for r in range(inner, R):
        w0 = right[r]
        for k in range(K):
            a0, o0 = left[r, k], out[k]
            for n in range(len(o0)):
                o0[n] += a0 * w0[n]


@compiled
def dots(left: Floats, right: Floats, out: Floats) -> None:
    """Writes to `out` the product of the first matrix and the second one transposed.

    Args:
        left: ``(R, N)``.
        right: ``(K, N)``.
        out: ``(R, K)``.
    """
    R, K = len(left), len(right)
    threes, fours = R - R % 3, K - K % 4
    for k in range(0, fours, 4):
        w0, w1, w2, w3 = right[k], right[k + 1], right[k + 2], right[k + 3]
        for r in range(0, threes, 3):
            x0, x1, x2 = left[r], left[r + 1], left[r + 2]
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = c0 = c1 = c2 = c3 = ZERO
            for n in range(len(x0)):
                p, q, s, t = w0[n], w1[n], w2[n], w3[n]
                u, v, y = x0[n], x1[n], x2[n]
                a0 += u * p
                a1 += u * q
                a2 += u * s
                a3 += u * t
                b0 += v * p
                b1 += v * q
                b2 += v * s
                b3 += v * t
                c0 += y * p
                c1 += y * q
                c2 += y * s
                c3 += y * t
            out[r, k], out[r, k + 1], out[r, k + 2], out[r, k + 3] = a0, a1, a2, a3
            out[r + 1, k], out[r + 1, k + 1], out[r + 1, k + 2], out[r + 1, k + 3] = b0, b1, b2, b3
            out[r + 2, k], out[r + 2, k + 1], out[r + 2, k + 2], out[r + 2, k + 3] = c0, c1, c2, c3
        for r in range(threes, R):
            x0 = left[r]
            a0 = a1 = a2 = a3 = ZERO
            for n in range(len(x0)):
                a0 += x0[n] * w0[n]
                a1 += x0[n] * w1[n]
                a2 += x0[n] * w2[n]
                a3 += x0[n] * w3[n]
            out[r, k], out[r, k + 1], out[r, k + 2], out[r, k + 3] = a0, a1, a2, a3
    for k in range(fours, K):
        w0 = right[k]
        for r in range(R):
            x0 = left[r]
            a0 = ZERO
            for n in range(len(x0)):
                a0 += x0[n] * w0[n]
            out[r, k] = a0


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
