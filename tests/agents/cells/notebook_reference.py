"""One step of the notebook's machine in NumPy, with plain loops; see `agents.cells.ntm`.

It shares nothing with `agents.cells`. One batch row at a time, in float64, with one read head and
one write head, as the notebook has.
"""

from __future__ import annotations

import numpy as np

from tests.agents.cells.ntm_reference import Array, Reference, control, sigmoid, softmax, softplus


def normalize(matrix: Array) -> Array:
    """What `torch.nn.functional.normalize` does to a batch of matrices with ``dim=1``."""
    result = np.zeros_like(matrix)
    for k in range(matrix.shape[1]):
        length = np.sqrt(sum(matrix[i, k] ** 2 for i in range(len(matrix))))
        for i in range(len(matrix)):
            result[i, k] = matrix[i, k] / max(length, 1e-12)
    return result


def weigh(memory: Array, key: Array, beta: float) -> Array:
    """The weighting of a head, as its `forward` computes it."""
    norm_memory, norm_key = normalize(memory), normalize(key[None])
    similarity = [sum(slot[k] * norm_key[0, k] for k in range(len(key))) for slot in norm_memory]
    return softmax(beta * np.array(similarity))


def step(x: Array, state: Reference, weights: dict[str, Array]) -> tuple[Array, Reference]:
    """One step: the controller, the read, the write."""
    N, W = state.memory.shape
    hidden, controller = control(
        np.concatenate([x, state.reads.flatten()]), state.controller, weights
    )
    numbers = (weights["interface.weight"] @ hidden + weights["interface.bias"]).tolist()
    read_key, read_beta = np.tanh(numbers[:W]), softplus(numbers[W])
    del numbers[: W + 1]
    write_key, write_beta = np.tanh(numbers[:W]), softplus(numbers[W])
    erase, add = sigmoid(np.array(numbers[W + 1 : 2 * W + 1])), np.tanh(numbers[2 * W + 1 :])
    assert len(add) == W

    read_weights = weigh(state.memory, read_key, read_beta)
    read = sum(read_weights[i] * state.memory[i] for i in range(N))
    write_weights = weigh(state.memory, write_key, write_beta)
    memory = np.array(
        [
            [
                state.memory[i, k] * (1 - write_weights[i] * erase[k]) + write_weights[i] * add[k]
                for k in range(W)
            ]
            for i in range(N)
        ]
    )
    after = Reference(memory, read_weights[None], write_weights[None], read[None], controller)
    return np.concatenate([hidden, read]), after
