"""One step of a differentiable neural computer in NumPy, from Graves et al. 2016, with plain loops.

The options are written from Csordas and Schmidhuber 2019 and Franke et al. 2018. It shares nothing
with `agents.cells`: parameters come in as arrays, and the interface is taken apart number by
number. One batch row at a time, in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tests.agents.cells.ntm_reference import Array, control, sigmoid, softmax, softplus


class Setting(NamedTuple):
    memory_size: int
    word_size: int
    num_read_heads: int
    masks: bool
    deallocation: bool
    sharpening: bool
    interface_norm: bool


class Reference(NamedTuple):
    """State of one row: M (N, W), u, p, L (N, N), weightings by head, reads (R, W), controller."""

    memory: Array
    usage: Array
    precedence: Array
    links: Array
    read_weights: Array
    write_weights: Array
    reads: Array
    controller: tuple[Array, ...]


class ReadHead(NamedTuple):
    key: Array
    strength: float
    free: float
    modes: Array
    mask: Array
    ahead: float
    back: float


class WriteHead(NamedTuple):
    key: Array
    strength: float
    erase: Array
    vector: Array
    allocate: float
    gate: float
    mask: Array


def oneplus(x: float) -> float:
    return 1 + softplus(x)


def gate(x: float) -> float:
    return float(sigmoid(np.array(x)))


def take(numbers: list[float], count: int) -> Array:
    return np.array([numbers.pop(0) for _ in range(count)])


def take_mask(numbers: list[float], setting: Setting) -> Array:
    """A mask from 0.1 to 1, or one that hides nothing."""
    W = setting.word_size
    return 0.1 + 0.9 * sigmoid(take(numbers, W)) if setting.masks else np.ones(W)


def take_read_head(numbers: list[float], setting: Setting) -> ReadHead:
    """Takes the parameters of one read head off the front of `numbers`."""
    return ReadHead(
        key=take(numbers, setting.word_size),
        strength=oneplus(numbers.pop(0)),
        free=gate(numbers.pop(0)),
        modes=softmax(take(numbers, 3)),
        mask=take_mask(numbers, setting),
        ahead=oneplus(numbers.pop(0)) if setting.sharpening else 1.0,
        back=oneplus(numbers.pop(0)) if setting.sharpening else 1.0,
    )


def take_write_head(numbers: list[float], setting: Setting) -> WriteHead:
    """Takes the parameters of the write head off the front of `numbers`."""
    return WriteHead(
        key=take(numbers, setting.word_size),
        strength=oneplus(numbers.pop(0)),
        erase=sigmoid(take(numbers, setting.word_size)),
        vector=take(numbers, setting.word_size),
        allocate=gate(numbers.pop(0)),
        gate=gate(numbers.pop(0)),
        mask=take_mask(numbers, setting),
    )


def cosine(u: Array, v: Array) -> float:
    """D, with lengths of at least 0.001."""
    length_u, length_v = np.sqrt((u**2).sum()), np.sqrt((v**2).sum())
    return float(u @ v / (max(length_u, 1e-3) * max(length_v, 1e-3)))


def content(memory: Array, head: ReadHead | WriteHead) -> Array:
    """C(M, k, beta), the content weighting, of key and slots under the mask."""
    key = head.key * head.mask
    return softmax(np.array([head.strength * cosine(key, slot * head.mask) for slot in memory]))


def allocation(usage: Array) -> Array:
    """a, from the free list: the slots in ascending order of usage, later ones a bit more."""
    step = 1e-3 / len(usage)
    free_list = sorted(range(len(usage)), key=lambda slot: usage[slot] * (1 + step * slot))
    weights = np.zeros(len(usage))
    product = 1.0
    for slot in free_list:
        weights[slot] = (1 - usage[slot]) * product
        product *= usage[slot]
    return weights


def sharp(weights: Array, exponent: float) -> Array:
    """S(d, s), with an epsilon of 1e-6."""
    powers = ((weights + 1e-6) / (weights + 1e-6).max()) ** exponent
    shares: Array = powers / powers.sum()
    return shares


def normed(numbers: Array, weights: dict[str, Array]) -> Array:
    """Layer normalisation, with PyTorch's epsilon."""
    deviation = numbers - numbers.mean()
    scaled = deviation / np.sqrt((deviation**2).mean() + 1e-5)
    result: Array = scaled * weights["interface_norm.weight"] + weights["interface_norm.bias"]
    return result


def step(
    x: Array, state: Reference, weights: dict[str, Array], setting: Setting
) -> tuple[Array, Reference]:
    """One step: the controller, freeing, the write, the links, the reads."""
    N, W, R = setting.memory_size, setting.word_size, setting.num_read_heads
    seen = np.concatenate([x, state.reads.flatten()])
    hidden, controller = control(seen, state.controller, weights)
    flat = weights["interface.weight"] @ hidden + weights["interface.bias"]
    if setting.interface_norm:
        flat = normed(flat, weights)
    numbers = flat.tolist()
    heads = [take_read_head(numbers, setting) for _ in range(R)]
    write = take_write_head(numbers, setting)
    assert numbers == []

    # Dynamic memory allocation.
    retained = np.ones(N)
    for head, before in zip(heads, state.read_weights, strict=True):
        for i in range(N):
            retained[i] *= 1 - head.free * before[i]
    u, w = state.usage, state.write_weights[0]
    usage = np.array([(u[i] + w[i] - u[i] * w[i]) * retained[i] for i in range(N)])
    # Write weighting.
    found, fresh = content(state.memory, write), allocation(usage)
    w = np.array(
        [
            write.gate * (write.allocate * fresh[i] + (1 - write.allocate) * found[i])
            for i in range(N)
        ]
    )
    # The write.
    memory = np.zeros((N, W))
    for i in range(N):
        kept = retained[i] if setting.deallocation else 1.0
        for k in range(W):
            memory[i, k] = state.memory[i, k] * kept * (1 - w[i] * write.erase[k])
            memory[i, k] += w[i] * write.vector[k]
    # Temporal memory linkage.
    links = np.zeros((N, N))
    for i in range(N):
        for j in range(N):
            if i != j:
                links[i, j] = (1 - w[i] - w[j]) * state.links[i, j] + w[i] * state.precedence[j]
    precedence = (1 - w.sum()) * state.precedence + w
    # Read weighting.
    read_weights, reads = np.zeros((R, N)), np.zeros((R, W))
    for r, (head, before) in enumerate(zip(heads, state.read_weights, strict=True)):
        forward = np.array([sum(links[i, j] * before[j] for j in range(N)) for i in range(N)])
        backward = np.array([sum(links[j, i] * before[j] for j in range(N)) for i in range(N)])
        if setting.sharpening:
            forward, backward = sharp(forward, head.ahead), sharp(backward, head.back)
        back, by_content, ahead = head.modes
        read_weights[r] = back * backward + by_content * content(memory, head) + ahead * forward
        for i in range(N):
            reads[r] += read_weights[r, i] * memory[i]

    out = np.concatenate([hidden, reads.flatten()])
    after = Reference(memory, usage, precedence, links, read_weights, w[None], reads, controller)
    return out, after
