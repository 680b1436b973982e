"""What MNM-p does to one row's fast weights in a step, and the way back, compiled.

Forward, the weights of a layer are held transposed, ``(inputs, units)``; backward they are held as
``(units, inputs)``: `add_product` wants them so. A write adds a matrix to the weights, and the
way back takes it off again: it finds them as every step found them, but for rounding, and none are
kept.

Shapes: L layers of D units; H heads; Q queries, which are the read keys and, where the meta
objective is computed, the write keys after them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.cells.mnm.fast.squash import squash, unsquash
from agents.cells.mnm.memory import SMALL_SQUARE
from agents.cells.parts.kernels import ONE, TWO, ZERO, Floats, inlined
from agents.cells.parts.products import add_outer, add_product, dots

_SMALL_SQUARE = np.float32(SMALL_SQUARE)


class Switches(NamedTuple):
    """Options of the cell that change what a step does."""

    linear_values: bool
    normalized_writes: bool


class Traces(NamedTuple):
    """What one row's step leaves behind.

    Attributes:
        vectors: The interaction vectors, ``(3 * H + 1, D)``: read keys, write keys, values, rate.
        targets: What the backward functions of all layers but the last say, ``(H, L - 1, D)``.
        rates: ``(L,)``, or ``(1,)`` where layers share one.
        written: What the write keys bring forth before the write, ``(L, H, D)``.
        queried: What the queries bring forth after it, ``(L, Q, D)``.
    """

    vectors: Floats
    targets: Floats
    rates: Floats
    written: Floats
    queried: Floats


@inlined
def write_and_read(memory: Floats, traces: Traces, switches: Switches) -> None:
    """Writes the memory, then sends the queries through it.

    Args:
        memory: The layers transposed, ``(L, D, D)``; replaced by what they become.
        traces: Vectors, targets and rates are given, the others are taken.
        switches: See `Switches`.
    """
    vectors, targets, rates, written, queried = traces
    L, H, D = written.shape
    steps = np.empty((H, D), np.float32)
    keys, queries = vectors[H : 2 * H], vectors[: queried.shape[1]]
    for layer in range(L):
        weights, z, answers = memory[layer], written[layer], queried[layer]
        linear = switches.linear_values and layer + 1 == L
        z[:] = ZERO
        add_product(keys, weights, z)
        if not linear:
            squash(z)
        share = rates[min(layer, len(rates) - 1)] / _divisor(keys, switches)
        for h in range(H):
            target = targets[h, layer] if layer + 1 < L else vectors[2 * H + h]
            step, found = steps[h], z[h]
            for n in range(D):
                step[n] = share * (target[n] - found[n])
        add_outer(keys, steps, weights)
        answers[:] = ZERO
        add_product(queries, weights, answers)
        if not linear:
            squash(answers)
        keys, queries = z, answers


@inlined
def _divisor(keys: Floats, switches: Switches) -> np.float32:
    """Returns what a layer's step is divided by."""
    if not switches.normalized_writes:
        return ONE
    total = _SMALL_SQUARE
    for h in range(len(keys)):
        key = keys[h]
        for n in range(len(key)):
            total += key[n] * key[n]
    return total


@inlined
def write_and_read_backward(
    memory: Floats,
    traces: Traces,
    switches: Switches,
    by_memory: Floats,
    by_answers: Floats,
    by_vectors: Floats,
    by_targets: Floats,
    by_rates: Floats,
) -> None:
    """Goes back through `write_and_read`.

    Args:
        memory: The layers after the write, ``(L, D, D)``, not transposed; replaced by what they
            were before it.
        traces: As the forward pass left them.
        switches: See `Switches`.
        by_memory: The gradient by the layers after the write; replaced by that before it.
        by_answers: That by what the last layer answers, ``(Q, D)``; is overwritten.
        by_vectors: That by the interaction vectors; is added to.
        by_targets: That by the targets; is written.
        by_rates: That by the rates; is added to.
    """
    vectors, targets, rates, written, queried = traces
    L, H, D = written.shape
    Q = queried.shape[1]
    by_queries, by_keys = np.empty((Q, D), np.float32), np.empty((H, D), np.float32)
    steps, by_steps = np.empty((H, D), np.float32), np.empty((H, D), np.float32)
    by_z = np.zeros((H, D), np.float32)
    for layer in range(L - 1, -1, -1):
        weights, by_weights = memory[layer], by_memory[layer]
        z, answers = written[layer], queried[layer]
        keys = written[layer - 1] if layer > 0 else vectors[H : 2 * H]
        queries = queried[layer - 1] if layer > 0 else vectors[:Q]
        linear = switches.linear_values and layer + 1 == L
        # The queries went through the new weights.
        if not linear:
            unsquash(answers, by_answers)
        add_outer(by_answers, queries, by_weights)
        by_queries[:] = ZERO
        add_product(by_answers, weights, by_queries)
        # These are the old ones and the outer product of steps and keys.
        dots(keys, by_weights, by_steps)
        divisor = _divisor(keys, switches)
        share = rates[min(layer, len(rates) - 1)] / divisor
        by_share = ZERO
        for h in range(H):
            learned = layer + 1 < L
            target = targets[h, layer] if learned else vectors[2 * H + h]
            by_target = by_targets[h, layer] if learned else by_vectors[2 * H + h]
            step, found, by_step, by_found = steps[h], z[h], by_steps[h], by_z[h]
            if learned:
                by_target[:] = ZERO
            for n in range(D):
                error = target[n] - found[n]
                by_share += error * by_step[n]
                by_target[n] += share * by_step[n]
                by_found[n] -= share * by_step[n]
                step[n] = share * error
        by_rates[min(layer, len(rates) - 1)] += by_share / divisor
        by_square = -by_share * share / divisor if switches.normalized_writes else ZERO
        for h in range(H):
            key, by_key = keys[h], by_keys[h]
            for n in range(D):
                by_key[n] = TWO * by_square * key[n]
        add_product(steps, by_weights, by_keys)
        for h in range(H):
            step = steps[h]
            for n in range(D):
                step[n] = -step[n]
        add_outer(steps, keys, weights)
        # The keys went through the old ones.
        if not linear:
            unsquash(z, by_z)
        add_product(by_z, weights, by_keys)
        add_outer(by_z, keys, by_weights)
        by_answers[:] = by_queries
        by_z[:] = by_keys
    by_vectors[:Q] += by_answers
    by_vectors[H : 2 * H] += by_z
