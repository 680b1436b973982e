"""What the LSTM and the GRU do between their matrix products, compiled.

A kernel works on step t of a whole sequence of float32 arrays, row by row, and needs no temporary
memory: a handful of them takes the place of some twenty small operations a step. Forward kernels
also prepare what enters the next step, which is zero in the rows where an episode starts; backward
kernels let no gradient cross such a start.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

# Sums may be reordered and fused, so that they use vector instructions; NaN stays NaN. Other
# threads of Python may run meanwhile.
compiled = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}
)
inlined = njit(inline="always")

# Numba keeps the type of a global constant; a Python number would make its expression float64.
ZERO, HALF, ONE, TWO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0)
# The largest number, and the smallest, whose exponential is a normal float32.
_BOUND = np.float32(87.0)
_LOG2_E = np.float32(1.0 / math.log(2.0))
# The logarithm of 2 in two parts, the first with so few bits that its multiples are exact.
_LN_2_HIGH = np.float32(355 / 512)
_LN_2_LOW = np.float32(math.log(2.0) - 355 / 512)
_C2, _C3, _C4, _C5, _C6 = (np.float32(1.0 / math.factorial(k)) for k in range(2, 7))
_EXPONENT_BIAS, _MANTISSA_BITS = np.int32(127), np.int32(23)


@inlined
def exp(x: np.float32) -> np.float32:
    """Returns the exponential, with a relative error of at most 3e-7, of numbers up to 87.

    The library's is a call for each number. This one is arithmetic, which the compiler turns into
    vector instructions: ``exp(x)`` is ``2**n * exp(r)``, where r is at most half the logarithm of
    2, so that six terms of the series do; ``2**n`` is n in a float's exponent.
    """
    x = _BOUND if x > _BOUND else x
    x = -_BOUND if x < -_BOUND else x
    n = np.floor(HALF + x * _LOG2_E)
    r = x - n * _LN_2_HIGH - n * _LN_2_LOW
    series = ONE + r * (ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
    power = np.int32((np.int32(n) + _EXPONENT_BIAS) << _MANTISSA_BITS).view(np.float32)
    result: np.float32 = series * power
    return result


@inlined
def sigmoid(x: np.float32) -> np.float32:
    """Returns ``1 / (1 + exp(-x))`` with an error of at most 1e-7."""
    result: np.float32 = ONE / (ONE + exp(-x))
    return result


@inlined
def tanh(x: np.float32) -> np.float32:
    """Returns the hyperbolic tangent with an error of at most 2e-7."""
    return TWO * sigmoid(TWO * x) - ONE


@compiled
def lstm_row(gate: Floats, old: Floats, new: Floats, tanh_new: Floats, out: Floats) -> None:
    """Takes one step of one row of an LSTM.

    Args:
        gate: What enters the nonlinearities of i, f, g, o, ``(4 * H,)``; replaced by what leaves.
        old: The cell state before the step, ``(H,)``.
        new: Takes that after it.
        tanh_new: Takes the hyperbolic tangent of that.
        out: Takes the output.
    """
    H = len(out)
    i, f, g, o = gate[:H], gate[H : 2 * H], gate[2 * H : 3 * H], gate[3 * H :]
    for h in range(H):
        i[h], f[h], g[h], o[h] = sigmoid(i[h]), sigmoid(f[h]), tanh(g[h]), sigmoid(o[h])
        cell = f[h] * old[h] + i[h] * g[h]
        tanh_cell = tanh(cell)
        new[h], tanh_new[h], out[h] = cell, tanh_cell, o[h] * tanh_cell


@compiled
def lstm_row_backward(
    gate: Floats, old: Floats, tanh_new: Floats, by_out: Floats, by_cell: Floats, by_gate: Floats
) -> None:
    """Goes back through `lstm_row`.

    Args:
        gate: See `lstm_row`; so are the next two, as the forward pass left them.
        old: ``(H,)``.
        tanh_new: ``(H,)``.
        by_out: The gradient by the output, ``(H,)``.
        by_cell: That by the cell state after the step; is replaced by that by the one before it.
        by_gate: Takes that by what entered the nonlinearities, ``(4 * H,)``.
    """
    H = len(by_out)
    i, f, g, o = gate[:H], gate[H : 2 * H], gate[2 * H : 3 * H], gate[3 * H :]
    by_i, by_f = by_gate[:H], by_gate[H : 2 * H]
    by_g, by_o = by_gate[2 * H : 3 * H], by_gate[3 * H :]
    for h in range(H):
        to_cell = by_cell[h] + by_out[h] * o[h] * (ONE - tanh_new[h] * tanh_new[h])
        by_i[h] = to_cell * g[h] * i[h] * (ONE - i[h])
        by_f[h] = to_cell * old[h] * f[h] * (ONE - f[h])
        by_g[h] = to_cell * i[h] * (ONE - g[h] * g[h])
        by_o[h] = by_out[h] * tanh_new[h] * o[h] * (ONE - o[h])
        by_cell[h] = to_cell * f[h]


@compiled
def lstm_step(
    t: int,
    starts: Bools,
    gates: Floats,
    cells: Floats,
    squashed: Floats,
    outs: Floats,
    hiddens: Floats,
) -> None:
    """Takes step t of an LSTM.

    Args:
        t: The step, from 0 to T - 1.
        starts: Where episodes start, ``(T, B)``.
        gates: What enters the nonlinearities of i, f, g, o, ``(T, B, 4 * H)``; step t is replaced
            by what leaves them.
        cells: The cell states that enter the steps, ``(T + 1, B, H)``; step t + 1 is written.
        squashed: Takes the hyperbolic tangent of the cell state after step t, ``(T, B, H)``.
        outs: Takes the output of step t, ``(T, B, H)``.
        hiddens: The hidden states that enter the steps, like `cells`.
    """
    T, B, _ = outs.shape
    for b in range(B):
        cell, hidden = cells[t + 1, b], hiddens[t + 1, b]
        lstm_row(gates[t, b], cells[t, b], cell, squashed[t, b], outs[t, b])
        if t + 1 < T and starts[t + 1, b]:
            cell[:] = 0
            hidden[:] = 0
        else:
            hidden[:] = outs[t, b]


@compiled
def lstm_step_backward(
    t: int,
    starts: Bools,
    gates: Floats,
    cells: Floats,
    squashed: Floats,
    grad_outs: Floats,
    grad_hidden: Floats,
    grad_cell: Floats,
    grad_gates: Floats,
) -> None:
    """Goes back through step t of an LSTM, except for its matrix product.

    Args:
        t: See `lstm_step`; so are the next four, as the forward pass left them.
        starts: ``(T, B)``.
        gates: ``(T, B, 4 * H)``.
        cells: ``(T + 1, B, H)``.
        squashed: ``(T, B, H)``.
        grad_outs: The gradient by the outputs, ``(T, B, H)``.
        grad_hidden: That by the hidden state that enters step t + 1, ``(B, H)``; is overwritten.
        grad_cell: That by the cell state after step t, ``(B, H)``; is replaced by that by the cell
            state before it.
        grad_gates: Takes, at step t, that by what entered the nonlinearities, ``(T, B, 4 * H)``.
    """
    T, B, _ = squashed.shape
    for b in range(B):
        by_out, by_cell = grad_hidden[b], grad_cell[b]
        if t + 1 < T and starts[t + 1, b]:
            by_out[:] = 0
        by_out += grad_outs[t, b]
        gate, old, tanh_cell = gates[t, b], cells[t, b], squashed[t, b]
        lstm_row_backward(gate, old, tanh_cell, by_out, by_cell, grad_gates[t, b])
        if starts[t, b]:
            by_cell[:] = 0


@compiled
def gru_step(
    t: int, starts: Bools, projected: Floats, products: Floats, outs: Floats, hiddens: Floats
) -> None:
    """Takes step t of a GRU.

    Args:
        t: The step, from 0 to T - 1.
        starts: Where episodes start, ``(T, B)``.
        projected: The inputs' part of r, z, n, ``(T, B, 3 * H)``; step t is replaced by what leaves
            the nonlinearities.
        products: The hidden states' part of r, z, n, ``(T, B, 3 * H)``.
        outs: Takes the output of step t, ``(T, B, H)``.
        hiddens: The hidden states that enter the steps, ``(T + 1, B, H)``; step t + 1 is written.
    """
    T, B, H = outs.shape
    for b in range(B):
        gate, product, out = projected[t, b], products[t, b], outs[t, b]
        r, z, n = gate[:H], gate[H : 2 * H], gate[2 * H :]
        from_r, from_z, from_n = product[:H], product[H : 2 * H], product[2 * H :]
        old, hidden = hiddens[t, b], hiddens[t + 1, b]
        for h in range(H):
            r[h], z[h] = sigmoid(r[h] + from_r[h]), sigmoid(z[h] + from_z[h])
            n[h] = tanh(n[h] + r[h] * from_n[h])
            out[h] = n[h] + z[h] * (old[h] - n[h])
            hidden[h] = out[h]
        if t + 1 < T and starts[t + 1, b]:
            hidden[:] = 0


@compiled
def gru_step_backward(
    t: int,
    starts: Bools,
    projected: Floats,
    products: Floats,
    hiddens: Floats,
    grad_outs: Floats,
    grad_hidden: Floats,
    grad_projected: Floats,
    grad_products: Floats,
) -> None:
    """Goes back through step t of a GRU, except for its matrix product.

    Args:
        t: See `gru_step`; so are the next four, as the forward pass left them.
        starts: ``(T, B)``.
        projected: ``(T, B, 3 * H)``.
        products: ``(T, B, 3 * H)``.
        hiddens: ``(T + 1, B, H)``.
        grad_outs: The gradient by the outputs, ``(T, B, H)``.
        grad_hidden: That by the hidden state that enters step t + 1, ``(B, H)``; is replaced by
            that by the hidden state before step t, without what comes through the products.
        grad_projected: Takes, at step t, that by the inputs' part, ``(T, B, 3 * H)``.
        grad_products: Takes, at step t, that by the products, ``(T, B, 3 * H)``.
    """
    T, B, H = grad_outs.shape
    for b in range(B):
        by_hidden, by_out, old = grad_hidden[b], grad_outs[t, b], hiddens[t, b]
        gate, from_n = projected[t, b], products[t, b, 2 * H :]
        r, z, n = gate[:H], gate[H : 2 * H], gate[2 * H :]
        by_gate, by_product = grad_projected[t, b], grad_products[t, b]
        if t + 1 < T and starts[t + 1, b]:
            by_hidden[:] = 0
        for h in range(H):
            to_hidden = by_hidden[h] + by_out[h]
            to_n = to_hidden * (ONE - z[h]) * (ONE - n[h] * n[h])
            by_gate[2 * H + h] = to_n
            by_product[2 * H + h] = to_n * r[h]
            by_gate[h] = by_product[h] = to_n * from_n[h] * r[h] * (ONE - r[h])
            to_z = to_hidden * (old[h] - n[h]) * z[h] * (ONE - z[h])
            by_gate[H + h] = by_product[H + h] = to_z
            by_hidden[h] = to_hidden * z[h]
