"""Products of matrices, compiled: for few rows, and for kernels that call no library.

Rows are contiguous float32. Results are made sixteen columns at a time, which stay in registers
until they are done, and for six rows at a time if there are so many, so that what is loaded serves
several times. What comes of a row depends neither on the others nor, moved by a multiple of six, on
where it stands.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.cells.parts.kernels import ZERO, Floats, compiled, inlined
from agents.cells.parts.lanes import LANES, keep_last, load, spread, store


@compiled
def add_product(left: Floats, right: Floats, out: Floats) -> None:
    """Adds to `out` the product of two matrices.

    Args:
        left: ``(R, K)``, of any strides.
        right: ``(K, N)``.
        out: ``(R, N)``.
    """
    R, K = left.shape
    N = right.shape[1]
    if N < LANES:
        for r in range(R):
            for k in range(K):
                number, row, total = left[r, k], right[k], out[r]
                for n in range(N):
                    total[n] += number * row[n]
        return
    for start in range(0, N, LANES):
        n, new = min(start, N - LANES), min(N - start, LANES)
        _add_columns(left, right, n, new, out, n)


@compiled
def add_packed_product(left: Floats, right: Floats, out: Floats) -> None:
    """Does what `add_product` does; the second matrix is the ``(P, K, 16)`` that `pack` returns."""
    N = out.shape[1]
    if N < LANES:
        add_product(left, right[0], out)
        return
    for p in range(len(right)):
        start = p * LANES
        n, new = min(start, N - LANES), min(N - start, LANES)
        _add_columns(left, right[p], 0, new, out, n)


def pack(matrix: Tensor) -> Tensor:
    """Returns the columns of a matrix that many rows are to be multiplied with, sixteen by sixteen.

    What then is read one after the other lies so. In a wide matrix it lies far apart, and where the
    width is a power of two, a processor's cache has few places for it.

    Args:
        matrix: ``(K, N)``.

    Returns:
        ``(P, K, 16)``; the last sixteen columns may have some of those before them. If N is less,
        ``(1, K, N)``.
    """
    N = matrix.shape[1]
    width = min(N, LANES)
    columns = matrix.unfold(1, width, LANES)
    if N > LANES and N % LANES > 0:
        columns = torch.cat((columns, matrix[:, None, -width:]), dim=1)
    return columns.transpose(0, 1).contiguous()


@compiled
def _add_columns(left: Floats, right: Floats, place: int, new: int, out: Floats, n: int) -> None:
    """Adds a product to sixteen columns of `out` from n on.

    The second matrix has its columns from a place on. Only the last ones may be new, and what is
    not new is added nowhere: so columns are made that are fewer than sixteen.
    """
    R, K = left.shape
    r = 0
    while r + 6 <= R:
        a = b = c = d = e = f = spread(ZERO)
        for k in range(K):
            x = load(right[k], place)
            a += left[r, k] * x
            b += left[r + 1, k] * x
            c += left[r + 2, k] * x
            d += left[r + 3, k] * x
            e += left[r + 4, k] * x
            f += left[r + 5, k] * x
        _add_last(a, new, out[r], n)
        _add_last(b, new, out[r + 1], n)
        _add_last(c, new, out[r + 2], n)
        _add_last(d, new, out[r + 3], n)
        _add_last(e, new, out[r + 4], n)
        _add_last(f, new, out[r + 5], n)
        r += 6
    while r + 3 <= R:
        a = b = c = spread(ZERO)
        for k in range(K):
            x = load(right[k], place)
            a += left[r, k] * x
            b += left[r + 1, k] * x
            c += left[r + 2, k] * x
        _add_last(a, new, out[r], n)
        _add_last(b, new, out[r + 1], n)
        _add_last(c, new, out[r + 2], n)
        r += 3
    # Four sums a row, since each number that is added waits for the one before.
    fours = K - K % 4
    while r + 2 <= R:
        a = b = c = d = e = f = g = h = spread(ZERO)
        for k in range(0, fours, 4):
            x, y = load(right[k], place), load(right[k + 1], place)
            a += left[r, k] * x
            e += left[r + 1, k] * x
            b += left[r, k + 1] * y
            f += left[r + 1, k + 1] * y
            x, y = load(right[k + 2], place), load(right[k + 3], place)
            c += left[r, k + 2] * x
            g += left[r + 1, k + 2] * x
            d += left[r, k + 3] * y
            h += left[r + 1, k + 3] * y
        for k in range(fours, K):
            x = load(right[k], place)
            a += left[r, k] * x
            e += left[r + 1, k] * x
        _add_last((a + b) + (c + d), new, out[r], n)
        _add_last((e + f) + (g + h), new, out[r + 1], n)
        r += 2
    while r < R:
        a = b = c = d = spread(ZERO)
        for k in range(0, fours, 4):
            a += left[r, k] * load(right[k], place)
            b += left[r, k + 1] * load(right[k + 1], place)
            c += left[r, k + 2] * load(right[k + 2], place)
            d += left[r, k + 3] * load(right[k + 3], place)
        for k in range(fours, K):
            a += left[r, k] * load(right[k], place)
        _add_last((a + b) + (c + d), new, out[r], n)
        r += 1


@inlined
def _add_last(x: Any, count: int, row: Floats, n: int) -> None:
    """Adds the last numbers of a vector to a row, in which the vector's place is n."""
    store(row, n, load(row, n) + keep_last(x, count))


@inlined
def _last(count: int, row: Floats, n: int) -> Any:
    """Returns the vector at n in a row, with zero for all but its last numbers."""
    return keep_last(load(row, n), count)


@compiled
def add_outer(left: Floats, right: Floats, out: Floats) -> None:
    """Adds to `out` the first matrix, transposed, times the second.

    Args:
        left: ``(R, K)``.
        right: ``(R, N)``.
        out: ``(K, N)``.
    """
    R, K = left.shape
    N = right.shape[1]
    if N < LANES:
        for r in range(R):
            for k in range(K):
                number, row, total = left[r, k], right[r], out[k]
                for n in range(N):
                    total[n] += number * row[n]
        return
    for start in range(0, N, LANES):
        n, new = min(start, N - LANES), min(N - start, LANES)
        r = 0
        while r + 6 <= R:
            a, b, c = (
                _last(new, right[r], n),
                _last(new, right[r + 1], n),
                _last(new, right[r + 2], n),
            )
            d, e, f = (
                _last(new, right[r + 3], n),
                _last(new, right[r + 4], n),
                _last(new, right[r + 5], n),
            )
            for k in range(K):
                x = load(out[k], n)
                x += left[r, k] * a
                x += left[r + 1, k] * b
                x += left[r + 2, k] * c
                x += left[r + 3, k] * d
                x += left[r + 4, k] * e
                x += left[r + 5, k] * f
                store(out[k], n, x)
            r += 6
        while r + 3 <= R:
            a, b, c = (
                _last(new, right[r], n),
                _last(new, right[r + 1], n),
                _last(new, right[r + 2], n),
            )
            for k in range(K):
                x = load(out[k], n)
                x += left[r, k] * a
                x += left[r + 1, k] * b
                x += left[r + 2, k] * c
                store(out[k], n, x)
            r += 3
        while r + 2 <= R:
            a, b = _last(new, right[r], n), _last(new, right[r + 1], n)
            for k in range(K):
                x = load(out[k], n)
                x += left[r, k] * a
                x += left[r + 1, k] * b
                store(out[k], n, x)
            r += 2
        while r < R:
            a = _last(new, right[r], n)
            for k in range(K):
                store(out[k], n, load(out[k], n) + left[r, k] * a)
            r += 1


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
