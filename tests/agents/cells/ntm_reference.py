"""One step of a neural Turing machine in NumPy, written from Graves et al. 2014 with plain loops.

It shares nothing with `agents.cells`: parameters come in as arrays, and the interface is taken
apart number by number. One batch row at a time, in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Sizes(NamedTuple):
    num_read_heads: int
    num_write_heads: int
    memory_size: int
    word_size: int
    shift_range: int


class Reference(NamedTuple):
    """State of one row: memory (N, W), a weighting per head, reads (heads, W), controller."""

    memory: Array
    read_weights: Array
    write_weights: Array
    reads: Array
    controller: tuple[Array, ...]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softplus(x: float) -> float:
    return float(np.log(1 + np.exp(x)))


def softmax(x: Array) -> Array:
    powers = np.exp(x)
    shares: Array = powers / powers.sum()
    return shares


def control(
    x: Array, state: tuple[Array, ...], weights: dict[str, Array]
) -> tuple[Array, tuple[Array, ...]]:
    """The controller: an LSTM if the state has two parts, else one layer of tanh units."""
    if not state:
        return np.tanh(
            weights["controller.layer.weight"] @ x + weights["controller.layer.bias"]
        ), ()
    hidden, cell = state
    gates = weights["controller.weight_ih"] @ x + weights["controller.bias_ih"]
    gates = gates + weights["controller.weight_hh"] @ hidden + weights["controller.bias_hh"]
    i, f, g, o = np.split(gates, 4)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    hidden = sigmoid(o) * np.tanh(cell)
    return hidden, (hidden, cell)


def cosine(u: Array, v: Array) -> float:
    """Equation 6, with lengths of at least 0.001."""
    length_u, length_v = np.sqrt((u**2).sum()), np.sqrt((v**2).sum())
    return float(u @ v / (max(length_u, 1e-3) * max(length_v, 1e-3)))


class Head(NamedTuple):
    key: Array
    strength: float
    gate: float
    shift: dict[int, float]
    exponent: float


def take_head(numbers: list[float], sizes: Sizes) -> Head:
    """Takes the parameters of one head off the front of `numbers`."""
    key = np.array([numbers.pop(0) for _ in range(sizes.word_size)])
    strength = softplus(numbers.pop(0))
    gate = float(sigmoid(np.array(numbers.pop(0))))
    offsets = range(-sizes.shift_range, sizes.shift_range + 1)
    shift = dict(zip(offsets, softmax(np.array([numbers.pop(0) for _ in offsets])), strict=True))
    exponent = 1 + softplus(numbers.pop(0))
    return Head(key, strength, gate, shift, exponent)


def address(head: Head, memory: Array, previous: Array, sizes: Sizes) -> Array:
    """The weighting of one head."""
    N = sizes.memory_size
    key, strength, gate, shift, exponent = head
    # Equation 5.
    likeness = [np.exp(strength * cosine(key, memory[i])) for i in range(N)]
    content = [likeness[i] / sum(likeness) for i in range(N)]
    # Equation 7.
    gated = [gate * content[i] + (1 - gate) * previous[i] for i in range(N)]
    # Equation 8; its s(i - j) is the share of the offset from j to i, modulo N.
    shifted = [0.0] * N
    for i in range(N):
        for j in range(N):
            for offset, share in shift.items():
                if (i - j - offset) % N == 0:
                    shifted[i] += gated[j] * share
    # Equation 9.
    powers = [shifted[i] ** exponent for i in range(N)]
    return np.array([powers[i] / sum(powers) for i in range(N)])


def step(
    x: Array, state: Reference, weights: dict[str, Array], sizes: Sizes
) -> tuple[Array, Reference]:
    """One step: the controller, the writes to the memory as found, the reads of what it became."""
    N, W = sizes.memory_size, sizes.word_size
    seen = np.concatenate([x, state.reads.flatten()])
    hidden, controller = control(seen, state.controller, weights)
    numbers = (weights["interface.weight"] @ hidden + weights["interface.bias"]).tolist()
    read_heads = [take_head(numbers, sizes) for _ in range(sizes.num_read_heads)]
    write_heads = [take_head(numbers, sizes) for _ in range(sizes.num_write_heads)]
    write_weights = np.array(
        [
            address(head, state.memory, previous, sizes)
            for head, previous in zip(write_heads, state.write_weights, strict=True)
        ]
    )
    erases, adds = [], []
    for _ in range(sizes.num_write_heads):
        erases.append([float(sigmoid(np.array(numbers.pop(0)))) for _ in range(W)])
        adds.append([float(np.tanh(numbers.pop(0))) for _ in range(W)])
    assert numbers == []

    memory = state.memory.copy()
    # Equation 3, for every head.
    for head in range(sizes.num_write_heads):
        for i in range(N):
            for k in range(W):
                memory[i, k] *= 1 - write_weights[head, i] * erases[head][k]
    # Equation 4, for every head.
    for head in range(sizes.num_write_heads):
        for i in range(N):
            for k in range(W):
                memory[i, k] += write_weights[head, i] * adds[head][k]
    read_weights = np.array(
        [
            address(head, memory, previous, sizes)
            for head, previous in zip(read_heads, state.read_weights, strict=True)
        ]
    )
    # Equation 2.
    reads = np.zeros((sizes.num_read_heads, W))
    for head in range(sizes.num_read_heads):
        for i in range(N):
            reads[head] += read_weights[head, i] * memory[i]

    out = np.concatenate([hidden, reads.flatten()])
    return out, Reference(memory, read_weights, write_weights, reads, controller)
