"""One step of a gated Transformer-XL in NumPy, from Parisotto et al. 2020 and Dai et al. 2019.

It shares nothing with `agents.cells`: parameters come in as arrays, heads, places and numbers are
gone through one by one. One batch row at a time, in float64. The state is a list, for each layer,
of the inputs that it had in this episode, as far as it remembers them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def relu(x: Array) -> Array:
    return np.array([max(0.0, number) for number in x])


def norm(x: Array, weights: dict[str, Array], name: str) -> Array:
    """Layer normalisation (Ba et al. 2016), with PyTorch's 0.00001 beside the variance."""
    mean = sum(x) / len(x)
    variance = sum((number - mean) ** 2 for number in x) / len(x)
    standard = (x - mean) / np.sqrt(variance + 1e-5)
    return np.array(standard * weights[name + ".weight"] + weights[name + ".bias"])


def code(distance: int, size: int) -> Array:
    """The sinusoid encoding of a distance: sines, then cosines; stored in single precision."""
    frequencies = [1 / 10_000 ** (2 * k / size) for k in range((size + 1) // 2)]
    sines = [np.sin(distance * frequency) for frequency in frequencies]
    cosines = [np.cos(distance * frequency) for frequency in frequencies]
    return np.array((sines + cosines)[:size]).astype(np.float32).astype(np.float64)


def attend(steps: list[Array], weights: dict[str, Array], name: str, num_heads: int) -> Array:
    """What the last of some normalised steps makes of itself and of those before it."""
    size = len(steps[0])
    width = size // num_heads
    query = weights[name + ".query.weight"] @ steps[-1]
    read = np.zeros(size)
    for head in range(num_heads):
        part = slice(head * width, (head + 1) * width)
        u = weights[name + ".content_bias"][head, 0]
        v = weights[name + ".distance_bias"][head, 0]
        scores, values = [], []
        for j, step in enumerate(steps):
            key = (weights[name + ".key.weight"] @ step)[part]
            encoded = code(len(steps) - 1 - j, size)
            distance_key = (weights[name + ".distance_key.weight"] @ encoded)[part]
            # Terms (a) to (d) of the paper.
            terms = [query[part] @ key, query[part] @ distance_key, u @ key, v @ distance_key]
            scores.append(sum(terms) / np.sqrt(width))
            values.append((weights[name + ".value.weight"] @ step)[part])
        powers = [np.exp(score) for score in scores]
        for power, value in zip(powers, values, strict=True):
            read[part] += power / sum(powers) * value
    return np.array(weights[name + ".out.weight"] @ read)


def gate(x: Array, y: Array, weights: dict[str, Array], name: str) -> Array:
    """The gate of the GRU type."""
    W_r, W_z, W_g = np.split(weights[name + ".weight_y.weight"], 3)
    U_r, U_z = np.split(weights[name + ".weight_x.weight"], 2)
    U_g, b_g = weights[name + ".weight_reset.weight"], weights[name + ".bias"]
    r = sigmoid(W_r @ y + U_r @ x)
    z = sigmoid(W_z @ y + U_z @ x - b_g)
    h = np.tanh(W_g @ y + U_g @ (r * x))
    return np.array((1 - z) * x + z * h)


def step(
    x: Array, state: list[list[Array]], weights: dict[str, Array], num_heads: int, memory_size: int
) -> tuple[Array, list[list[Array]]]:
    """One step of all layers."""
    embedding = weights["embedding.weight"] @ x + weights["embedding.bias"]
    after = []
    for layer, kept in enumerate(state):
        name = f"layers.{layer}."
        steps = [*kept, embedding]
        after.append(steps[-memory_size:])
        normed = [norm(some, weights, name + "attention_norm") for some in steps]
        attended = attend(normed, weights, name + "attention", num_heads)
        y = gate(embedding, relu(attended), weights, name + "attention_gate")
        hidden = weights[name + "mlp.0.weight"] @ norm(y, weights, name + "mlp_norm")
        hidden = relu(hidden + weights[name + "mlp.0.bias"])
        new = weights[name + "mlp.2.weight"] @ hidden + weights[name + "mlp.2.bias"]
        embedding = gate(y, relu(new), weights, name + "mlp_gate")
    return embedding, after
