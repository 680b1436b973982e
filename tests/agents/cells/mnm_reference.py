"""One step of a metalearned neural memory in NumPy, written from Munkhdalai et al. 2019.

It shares nothing with `agents.cells`: parameters come in as arrays. One batch row at a time, in
float64, with plain loops over heads, layers and units.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Options(NamedTuple):
    num_heads: int
    linear_values: bool
    normalized_writes: bool
    recall_decay: float


class Reference(NamedTuple):
    """State of one row: a matrix per layer, the last read, hidden and cell state, old pairs.

    Old pairs are lists with an entry for each step, the last step first; an entry has a key and a
    value for each head. The list ends where the episode began.
    """

    memory: list[Array]
    read: Array
    hidden: Array
    cell: Array
    written: list[list[tuple[Array, Array]]]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def function(memory: list[Array], key: Array, linear_values: bool) -> list[Array]:
    """Section 3.2: what every layer makes of a key, the key first."""
    layers = [key]
    for depth, matrix in enumerate(memory):
        z = np.zeros(len(matrix))
        for i in range(len(matrix)):
            for j in range(len(key)):
                z[i] += matrix[i, j] * layers[-1][j]
        last = depth == len(memory) - 1
        layers.append(z if last and linear_values else np.tanh(z))
    return layers


def objective(memory: list[Array], pairs: list[tuple[Array, Array]], linear_values: bool) -> float:
    """Equation 2."""
    total = 0.0
    for key, value in pairs:
        predicted = function(memory, key, linear_values)[-1]
        for i in range(len(value)):
            total += (predicted[i] - value[i]) ** 2
    return total / len(pairs)


def divisors(
    memory: list[Array], pairs: list[tuple[Array, Array]], options: Options
) -> list[float]:
    """What each layer's step is divided by; not in the paper."""
    if not options.normalized_writes:
        return [1.0] * len(memory)
    seen = [function(memory, key, options.linear_values) for key, _ in pairs]
    return [1e-3 + sum(float(z[depth] @ z[depth]) for z in seen) for depth in range(len(memory))]


def gradient_write(
    memory: list[Array], pairs: list[tuple[Array, Array]], rates: Array, options: Options
) -> list[Array]:
    """Equation 3, with the gradient by central differences of the fourth order."""
    written = []
    rates = rates / divisors(memory, pairs, options)
    for depth, matrix in enumerate(memory):
        new = matrix.copy()
        for i in range(len(matrix)):
            for j in range(len(matrix)):
                slope, step = 0.0, 1e-3
                for factor, offset in ((8, 1), (-8, -1), (-1, 2), (1, -2)):
                    moved = [m.copy() for m in memory]
                    moved[depth][i, j] += offset * step
                    slope += factor * objective(moved, pairs, options.linear_values)
                slope /= 12 * step
                if options.normalized_writes:  # half the sum over heads; a share for each layer
                    slope *= len(pairs) / 2 / len(memory)
                new[i, j] -= rates[depth] * slope
        written.append(new)
    return written


def local_write(
    memory: list[Array],
    pairs: list[tuple[Array, Array]],
    rates: Array,
    weights: dict[str, Array],
    options: Options,
) -> list[Array]:
    """Equation 4, summed over heads; the last layer's target is the value."""
    written = []
    rates = rates / divisors(memory, pairs, options)
    for depth, matrix in enumerate(memory):
        new = matrix.copy()
        for key, value in pairs:
            layers = function(memory, key, options.linear_values)
            target = value
            if depth < len(memory) - 1:
                name = f"backward_functions.{depth}"
                target = np.tanh(weights[f"{name}.weight"] @ value + weights[f"{name}.bias"])
            for i in range(len(matrix)):
                for j in range(len(matrix)):
                    error = layers[depth + 1][i] - target[i]
                    new[i, j] -= rates[depth] * error * layers[depth][j]
        written.append(new)
    return written


def step(
    x: Array, state: Reference, weights: dict[str, Array], options: Options, local: bool
) -> tuple[Array, Reference, float]:
    """One step: the controller, the write, the read; and the step's part of equation 5."""
    seen = np.concatenate([x, state.read])
    gates = weights["controller.weight_ih"] @ seen + weights["controller.bias_ih"]
    gates = gates + weights["controller.weight_hh"] @ state.hidden + weights["controller.bias_hh"]
    i, f, g, o = np.split(gates, 4)
    cell = sigmoid(f) * state.cell + sigmoid(i) * np.tanh(g)
    hidden = sigmoid(o) * np.tanh(cell)

    # Equation 1.
    H = options.num_heads
    vectors = np.tanh(weights["interface.weight"] @ hidden + weights["interface.bias"])
    *vectors, rate = np.split(vectors, 3 * H + 1)
    read_keys, write_keys, values = vectors[:H], vectors[H : 2 * H], vectors[2 * H :]
    rates = sigmoid(weights["rate.weight"] @ rate + weights["rate.bias"])
    rates = np.broadcast_to(rates, len(state.memory))
    pairs = list(zip(write_keys, values, strict=True))

    if local:
        memory = local_write(state.memory, pairs, rates, weights, options)
    else:
        memory = gradient_write(state.memory, pairs, rates, options)
    read = np.zeros(len(state.read))
    for key in read_keys:
        read += function(memory, key, options.linear_values)[-1] / H
    out = weights["output.weight"] @ np.concatenate([hidden, read]) + weights["output.bias"]

    # Equation 5 by d_v, whose mean over steps is left to whoever trains.
    written = [pairs, *state.written]
    loss = 0.0
    for delay, old in enumerate(written):
        loss += options.recall_decay**delay * objective(memory, old, options.linear_values)
    return out, Reference(memory, read, hidden, cell, written), loss / len(read)


class SparseDistributedMemory:
    """Kanerva's memory as Appendix C has it: fixed addresses, contents that add up.

    Args:
        addresses: A, of ones and minus ones, ``(N, d)``.
        threshold: delta, at most how many of an address's numbers may differ from a key's.
        contents: C, ``(d_v, N)``.
    """

    def __init__(self, addresses: Array, threshold: float, contents: Array) -> None:
        self.addresses, self.threshold = addresses, threshold
        self.contents = contents.copy()

    def activation(self, key: Array) -> Array:
        """Equation 7, whose width is that of the key: m is the width less twice the distance."""
        width = self.addresses.shape[1]
        distances = [(width - float(address @ key)) / 2 for address in self.addresses]
        return np.array([1.0 if distance <= self.threshold else 0.0 for distance in distances])

    def read(self, key: Array) -> Array:
        contents: Array = self.contents @ self.activation(key)
        return contents

    def write(self, key: Array, value: Array) -> None:
        """Equation 8."""
        self.contents = self.contents + np.outer(value, self.activation(key))
