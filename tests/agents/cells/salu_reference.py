"""One step of an LSTM with a look-up table in NumPy, from Munkhdalai et al. 2019 with plain loops.

It shares nothing with `agents.cells`: parameters come in as arrays, and the table is a list that
grows. One batch row at a time, in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Sizes(NamedTuple):
    memory_size: int
    key_size: int
    value_size: int
    num_heads: int


class Reference(NamedTuple):
    """State of one row: what each step has written, as pairs by head; last read; LSTM."""

    written: list[list[tuple[Array, Array]]]
    read: Array
    hidden: Array
    cell: Array


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def step(
    x: Array, state: Reference, weights: dict[str, Array], sizes: Sizes
) -> tuple[Array, Reference]:
    """One step: the LSTM, then the write, then the read, then the output."""
    seen = np.concatenate([x, state.read])
    gates = weights["controller.weight_ih"] @ seen + weights["controller.bias_ih"]
    gates = gates + weights["controller.weight_hh"] @ state.hidden + weights["controller.bias_hh"]
    i, f, g, o = np.split(gates, 4)
    cell = sigmoid(f) * state.cell + sigmoid(i) * np.tanh(g)
    hidden = sigmoid(o) * np.tanh(cell)
    # Equation 1, without the rate.
    vectors = np.tanh(weights["interaction.weight"] @ hidden + weights["interaction.bias"])
    numbers = vectors.tolist()
    read_in, pairs = [], []
    for _ in range(sizes.num_heads):
        read_in.append(np.array([numbers.pop(0) for _ in range(sizes.key_size)]))
        write_in = np.array([numbers.pop(0) for _ in range(sizes.key_size)])
        pairs.append((write_in, np.array([numbers.pop(0) for _ in range(sizes.value_size)])))
    assert numbers == []
    written = [*state.written, pairs][-sizes.memory_size :]
    read = np.zeros(sizes.value_size)
    for key in read_in:
        entries = [entry for step_s in written for entry in step_s]
        powers = [np.exp(key @ entry_key) for entry_key, _ in entries]
        for power, (_, value) in zip(powers, entries, strict=True):
            read += power / sum(powers) * value / sizes.num_heads
    out = weights["out.weight"] @ np.concatenate([hidden, read]) + weights["out.bias"]
    return np.array(out), Reference(written, read, hidden, cell)
