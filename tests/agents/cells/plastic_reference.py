"""One step of a plastic network in NumPy, connection by connection (Miconi et al. 2018 and 2019).

It shares nothing with `agents.cells`: parameters come in as arrays. One batch row at a time, in
float64. Here a connection's first index is the unit before it, as in the papers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Reference(NamedTuple):
    """State of one row: units (H), Hebbian traces and eligibility traces (before, after)."""

    x: Array
    hebb: Array
    eligibility: Array


def clip(number: float) -> float:
    return min(max(number, -1.0), 1.0)


def step(inputs: Array, state: Reference, weights: dict[str, Array], rule: str) -> Reference:
    """One step: the units, then each trace."""
    units = len(state.x)
    x = np.zeros(units)
    for j in range(units):
        total = weights["input.weight"][j] @ inputs + weights["input.bias"][j]
        for i in range(units):
            w = weights["weight"][j, i]
            alpha = weights["alpha"] if weights["alpha"].ndim == 0 else weights["alpha"][j, i]
            total += w * state.x[i] + alpha * state.hebb[i, j] * state.x[i]
        x[j] = np.tanh(total)
    eta = 1 / (1 + np.exp(-weights["rate"])) if "rate" in weights else 0.0
    M = 0.0
    if "modulator.weight" in weights:
        M = np.tanh(weights["modulator.weight"][0] @ x + weights["modulator.bias"][0])
    hebb, eligibility = state.hebb.copy(), state.eligibility.copy()
    for i in range(units):
        for j in range(units):
            before, after, old = state.x[i], x[j], state.hebb[i, j]
            match rule:
                case "hebb":
                    hebb[i, j] = eta * before * after + (1 - eta) * old
                case "oja":
                    hebb[i, j] = old + eta * after * (before - after * old)
                case "clip":
                    hebb[i, j] = clip(old + eta * before * after)
                case "modulated":
                    hebb[i, j] = clip(old + M * before * after)
                case "retroactive":
                    hebb[i, j] = clip(old + M * state.eligibility[i, j])
                    waiting = (1 - eta) * state.eligibility[i, j]
                    eligibility[i, j] = waiting + eta * before * after
    return Reference(x, hebb, eligibility)
