"""One step of each cell of fast weights in NumPy, written from the papers with plain loops.

It shares nothing with `agents.cells`: parameters come in as arrays. Fast weights are the papers' W
or S, ``(V, K)`` for each head, and the sums z of linear attention are apart from them. One batch
row at a time, in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = dict[str, Array]


class Sizes(NamedTuple):
    num_heads: int
    key_size: int
    value_size: int
    conv_size: int


class Reference(NamedTuple):
    """State of one row: a matrix and a sum for each head, the last projections, newest first."""

    matrices: list[Array]
    sums: list[Array]
    recent: list[Array]


class Entered(NamedTuple):
    embedded: Array
    normed: Array
    projected: Array
    heads: list[tuple[Array, Array, Array]]


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def silu(x: Array) -> Array:
    return np.array([number * sigmoid(number) for number in x])


def softplus(x: float) -> float:
    return float(np.log(1 + np.exp(x)))


def rms_norm(x: Array, weight: Array) -> Array:
    size = np.sqrt(sum(number**2 for number in x) / len(x))
    return np.array([number / max(size, 1e-3) * w for number, w in zip(x, weight, strict=True)])


def unit_length(x: Array) -> Array:
    return x / max(float(np.sqrt((x**2).sum())), 1e-3)


def elu_plus_one(x: Array) -> Array:
    return np.array([number + 1 if number > 0 else np.exp(number) for number in x])


def dpfp(x: Array) -> Array:
    """Schlag et al. 2021, equation 37, with nu = 1."""
    rectified = [max(number, 0.0) for number in (*x, *-x)]
    size = len(rectified)
    return np.array([rectified[i] * rectified[(i + 1) % size] for i in range(size)])


def dpfp_shares(x: Array) -> Array:
    """Equation 29."""
    features = dpfp(x)
    shares: Array = features / max(float(features.sum()), 1e-3)
    return shares


def enter(x: Array, recent: list[Array], weights: Weights, sizes: Sizes, active: bool) -> Entered:
    """Embeds and normalises an input, and takes queries, keys and values off its projection."""
    embedded = weights["layer.embed.weight"] @ x + weights["layer.embed.bias"]
    normed = rms_norm(embedded, weights["layer.norm.weight"])
    projected = weights["layer.project.weight"] @ normed
    mixed = projected.copy()
    if sizes.conv_size > 1:
        kernel, taps = weights["layer.conv_weight"], [projected, *recent]
        for channel in range(len(mixed)):
            mixed[channel] = sum(
                kernel[lag, channel] * taps[lag][channel] for lag in range(sizes.conv_size)
            )
    if active:
        mixed = silu(mixed)
    numbers = mixed.tolist()
    heads = []
    for _ in range(sizes.num_heads):
        query, key, value = (
            np.array([numbers.pop(0) for _ in range(size)])
            for size in (sizes.key_size, sizes.key_size, sizes.value_size)
        )
        heads.append((query, key, value))
    assert numbers == []
    return Entered(embedded, normed, projected, heads)


def leave(entered: Entered, reads: list[Array], weights: Weights) -> Array:
    """Normalises, gates and projects what was read, as far as there are weights for it."""
    norm = weights.get("layer.output_norm.weight")
    found = np.concatenate(reads if norm is None else [rms_norm(read, norm) for read in reads])
    gate = weights.get("layer.gate.weight")
    if gate is not None:
        found = found * silu(gate @ entered.normed)
    out: Array = entered.embedded + weights["layer.output.weight"] @ found
    return out


def recent_after(entered: Entered, recent: list[Array]) -> list[Array]:
    """The last projections that the next step sees."""
    return [entered.projected, *recent][: len(recent)]


def fwp_step(
    x: Array, state: Reference, weights: Weights, sizes: Sizes, feature_map: str
) -> tuple[Array, Reference]:
    """Schlag et al. 2021, equations 17 to 19."""
    features = {"elu": elu_plus_one, "dpfp": dpfp}[feature_map]
    entered = enter(x, state.recent, weights, sizes, active=False)
    matrices, sums, reads = [], [], []
    for head, (query, key, value) in enumerate(entered.heads):
        matrix = state.matrices[head] + np.outer(value, features(key))
        total = state.sums[head] + features(key)
        matrices.append(matrix)
        sums.append(total)
        reads.append(matrix @ features(query) / max(float(total @ features(query)), 1e-6))
    after = Reference(matrices, sums, recent_after(entered, state.recent))
    return leave(entered, reads, weights), after


def delta_step(
    x: Array, state: Reference, weights: Weights, sizes: Sizes, feature_map: str
) -> tuple[Array, Reference]:
    """Schlag et al. 2021, equations 20 to 25."""
    features = {"silu": unit_length, "dpfp": dpfp_shares}[feature_map]
    entered = enter(x, state.recent, weights, sizes, active=feature_map == "silu")
    strengths = weights["strength.weight"] @ entered.normed
    matrices, reads = [], []
    for head, (query, key, value) in enumerate(entered.heads):
        matrix, phi = state.matrices[head], features(key)
        strength = sigmoid(strengths[head])
        old = matrix @ phi
        new = strength * value + (1 - strength) * old
        matrix = matrix + np.outer(new, phi) - np.outer(old, phi)
        matrices.append(matrix)
        reads.append(matrix @ features(query))
    after = Reference(matrices, [], recent_after(entered, state.recent))
    return leave(entered, reads, weights), after


def gated_delta_step(
    x: Array, state: Reference, weights: Weights, sizes: Sizes
) -> tuple[Array, Reference]:
    """Yang et al. 2025, equation 10."""
    entered = enter(x, state.recent, weights, sizes, active=True)
    strengths = weights["strength.weight"] @ entered.normed
    steps = weights["decay.weight"] @ entered.normed + weights["decay.bias"]
    matrices, reads = [], []
    for head, (query, key, value) in enumerate(entered.heads):
        k, q = unit_length(key), unit_length(query)
        beta = sigmoid(strengths[head])
        alpha = np.exp(-np.exp(weights["log_rate"][head]) * softplus(steps[head]))
        erased = alpha * (np.eye(len(k)) - beta * np.outer(k, k))
        matrix = state.matrices[head] @ erased + beta * np.outer(value, k)
        matrices.append(matrix)
        reads.append(matrix @ q)
    after = Reference(matrices, [], recent_after(entered, state.recent))
    return leave(entered, reads, weights), after
