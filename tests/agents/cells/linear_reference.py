"""Steps of minGRU, LRU and FFM in plain Python, number by number, from the papers' equations.

They share nothing with `agents.cells`: parameters come in as arrays of float64. One row at a time.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = dict[str, Array]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def linear(weights: Weights, name: str, x: Sequence[float]) -> list[float]:
    matrix, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return [
        float(sum(w * v for w, v in zip(row, x, strict=True)) + b)
        for row, b in zip(matrix, bias, strict=True)
    ]


def normalised(x: Sequence[float]) -> list[float]:
    """A layer norm without parameters, with PyTorch's 0.00001 beside the variance."""
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / len(x)
    return [(v - mean) / math.sqrt(variance + 1e-5) for v in x]


def mingru(x: Array, hidden: list[float], weights: Weights) -> tuple[list[float], list[float]]:
    """Section 3.1 of Feng et al. 2024."""
    gates, candidates = (
        linear(weights, "gate", x.tolist()),
        linear(weights, "candidate", x.tolist()),
    )
    hidden = [
        (1 - sigmoid(gate)) * before + sigmoid(gate) * candidate
        for gate, candidate, before in zip(gates, candidates, hidden, strict=True)
    ]
    return hidden, hidden


def lru(x: Array, state: list[complex], weights: Weights) -> tuple[list[float], list[complex]]:
    """Section 3.4 of Orvieto et al. 2023, within a block of norm, GELU, GLU and skip connection."""
    skip = linear(weights, "encoder", x.tolist())
    scaled = zip(weights["norm.weight"], normalised(skip), weights["norm.bias"], strict=True)
    u = [float(gain * v + offset) for gain, v, offset in scaled]
    N, H = len(state), len(u)
    B, C = weights["B"], weights["C"]
    after = []
    for n in range(N):
        eigenvalue = cmath.exp(
            complex(-math.exp(weights["nu_log"][n]), math.exp(weights["theta_log"][n]))
        )
        driven = sum(complex(B[n, h], B[N + n, h]) * u[h] for h in range(H))
        after.append(eigenvalue * state[n] + math.exp(weights["gamma_log"][n]) * driven)
    outs = []
    for h in range(H):
        # The imaginary part of C is kept with its sign turned.
        read = sum(complex(C[h, n], -C[h, N + n]) * after[n] for n in range(N))
        y = complex(read).real + weights["D"][h] * u[h]
        outs.append(float(y * 0.5 * (1 + math.erf(y / math.sqrt(2)))))
    gated = linear(weights, "glu", outs)
    return [skip[h] + gated[h] * sigmoid(gated[H + h]) for h in range(H)], after


def ffm(
    x: Array, state: list[list[complex]], weights: Weights
) -> tuple[list[float], list[list[complex]]]:
    """The cell of Morad et al. 2023."""
    m, c = len(state), len(state[0])
    parts = linear(weights, "inputs", x.tolist())
    H = (len(parts) - 2 * m) // 2
    values, keeping, passed, gates = (
        parts[:m],
        parts[m : 2 * m],
        parts[2 * m : 2 * m + H],
        parts[-H:],
    )
    after = [
        [
            cmath.exp(complex(-abs(weights["alpha"][j]), -weights["omega"][k])) * state[j][k]
            + values[j] * sigmoid(keeping[j])
            for k in range(c)
        ]
        for j in range(m)
    ]
    flat = [s.real for row in after for s in row] + [s.imag for row in after for s in row]
    z = normalised(linear(weights, "mix", flat))
    outs = [z[h] * sigmoid(gates[h]) + passed[h] * (1 - sigmoid(gates[h])) for h in range(H)]
    return outs, after
