"""What MNM does to one row's fast weights in a step, and the way back, compiled.

The write keys go through the memory. By what they bring forth and should, which `errors` says, all
layers are written (equations 3 and 4). The queries then go through the new ones.

Forward, the weights of a layer are held transposed, ``(inputs, units)``; backward they are held as
``(units, inputs)``: `add_product` wants them so. A write adds a matrix to the weights, and the
way back takes it off again: it finds them as every step found them, but for rounding, and none are
kept.

Shapes: L layers of D units; H heads; Q queries, see `agents.cells.mnm.fast.records`.
"""

from __future__ import annotations

import numpy as np

from agents.cells.mnm.fast.errors import (
    find_errors,
    gradient_errors_backward,
    is_linear,
    local_errors_backward,
    pass_down,
)
from agents.cells.mnm.fast.records import Switches, Traces
from agents.cells.mnm.fast.squash import squash, unsquash
from agents.cells.mnm.memory import SMALL_SQUARE
from agents.cells.parts.kernels import ONE, TWO, ZERO, Floats, inlined
from agents.cells.parts.products import add_outer, add_product, dots

_SMALL_SQUARE = np.float32(SMALL_SQUARE)


@inlined
def write_and_read(memory: Floats, traces: Traces, switches: Switches) -> None:
    """Writes the memory, then sends the queries through it.

    Args:
        memory: The layers transposed, ``(L, D, D)``; replaced by what they become.
        traces: Vectors, targets and rates are given, the others are taken.
        switches: See `Switches`.
    """
    written, queried = traces.written, traces.queried
    L, H, D = written.shape
    first_keys, first_queries = traces.vectors[H : 2 * H], traces.vectors[: queried.shape[1]]
    errors = np.empty((H, D), memory.dtype)
    for layer in range(L):
        keys = written[layer - 1] if layer > 0 else first_keys
        _ask(keys, memory[layer], is_linear(layer, traces, switches), written[layer])
    if switches.by_gradient:
        pass_down(memory, traces, switches, errors)
    for layer in range(L):
        keys = written[layer - 1] if layer > 0 else first_keys
        queries = queried[layer - 1] if layer > 0 else first_queries
        find_errors(layer, traces, switches, errors)
        errors *= traces.rates[min(layer, len(traces.rates) - 1)] / _divisor(keys, switches)
        add_outer(keys, errors, memory[layer])
        _ask(queries, memory[layer], is_linear(layer, traces, switches), queried[layer])


@inlined
def _ask(keys: Floats, weights: Floats, linear: bool, z: Floats) -> None:
    """Sends some keys through a layer, ``(R, D)``; its weights are transposed."""
    z[:] = ZERO
    add_product(keys, weights, z)
    if not linear:
        squash(z)


@inlined
def _ask_backward(
    keys: Floats,
    weights: Floats,
    linear: bool,
    z: Floats,
    by_keys: Floats,
    by_weights: Floats,
    by_z: Floats,
) -> None:
    """Goes back through `_ask`; adds the gradients by keys and weights, which are not transposed.

    That by what came out is overwritten.
    """
    if not linear:
        unsquash(z, by_z)
    add_product(by_z, weights, by_keys)
    add_outer(by_z, keys, by_weights)


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
    written, queried, rates = traces.written, traces.queried, traces.rates
    L, H, D = written.shape
    Q = queried.shape[1]
    first_keys, first_queries = traces.vectors[H : 2 * H], traces.vectors[:Q]
    by_queries = np.empty((Q, D), memory.dtype)
    by_written, by_errors = np.zeros((L, H, D), memory.dtype), np.empty((L, H, D), memory.dtype)
    errors = np.empty((H, D), memory.dtype)
    for layer in range(L - 1, -1, -1):
        weights, by_weights = memory[layer], by_memory[layer]
        keys = written[layer - 1] if layer > 0 else first_keys
        queries = queried[layer - 1] if layer > 0 else first_queries
        by_keys = by_written[layer - 1] if layer > 0 else by_vectors[H : 2 * H]
        linear = is_linear(layer, traces, switches)
        # The queries went through the new weights.
        by_queries[:] = ZERO
        _ask_backward(queries, weights, linear, queried[layer], by_queries, by_weights, by_answers)
        by_answers[:] = by_queries
        # These are the old ones and the outer product of steps and keys.
        rate = min(layer, len(rates) - 1)
        find_errors(layer, traces, switches, errors)
        by_rates[rate] += _write_backward(
            keys, weights, rates[rate], switches, errors, by_keys, by_weights, by_errors[layer]
        )
    by_vectors[:Q] += by_answers
    if switches.by_gradient:
        gradient_errors_backward(
            memory, traces, switches, by_memory, by_errors, by_written, by_vectors
        )
    else:
        local_errors_backward(traces, by_errors, by_written, by_vectors, by_targets)
    # The write keys went through the old weights.
    for layer in range(L - 1, -1, -1):
        keys = written[layer - 1] if layer > 0 else first_keys
        by_keys = by_written[layer - 1] if layer > 0 else by_vectors[H : 2 * H]
        linear = is_linear(layer, traces, switches)
        _ask_backward(
            keys,
            memory[layer],
            linear,
            written[layer],
            by_keys,
            by_memory[layer],
            by_written[layer],
        )


@inlined
def _write_backward(
    keys: Floats,
    weights: Floats,
    rate: np.float32,
    switches: Switches,
    errors: Floats,
    by_keys: Floats,
    by_weights: Floats,
    by_errors: Floats,
) -> np.float32:
    """Goes back through the write of a layer, and takes it off the weights.

    Args:
        keys: What the layer saw, ``(H, D)``.
        weights: ``(D, D)``, not transposed; replaced by what they were.
        rate: That of the layer.
        switches: See `Switches`.
        errors: ``(H, D)``; is overwritten.
        by_keys: The gradient by the keys; is added to.
        by_weights: That by the weights.
        by_errors: Takes that by the errors.

    Returns:
        That by the rate.
    """
    H, D = keys.shape
    divisor = _divisor(keys, switches)
    share, by_share = rate / divisor, ZERO
    dots(keys, by_weights, by_errors)
    for h in range(H):
        error, by_error = errors[h], by_errors[h]
        for n in range(D):
            by_share += error[n] * by_error[n]
            by_error[n] *= share
            error[n] *= share
    by_square = -by_share * share / divisor if switches.normalized_writes else ZERO
    add_product(errors, by_weights, by_keys)
    for h in range(H):
        key, by_key, error = keys[h], by_keys[h], errors[h]
        for n in range(D):
            by_key[n] += TWO * by_square * key[n]
            error[n] = -error[n]
    add_outer(errors, keys, weights)
    return by_share / divisor
