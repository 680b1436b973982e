"""MNM from step to step for some rows, and the way back, compiled.

Shapes: T steps, B rows, U units, G = 4 * U gates, L layers of D units, H heads, Q queries,
V = (3 * H + 1) * D numbers in the interaction vectors.
"""

from __future__ import annotations

import numpy as np

from agents.cells.mnm.fast.norm import standardise, standardise_backward
from agents.cells.mnm.fast.records import Gradients, Record, Switches, Traces, Weights
from agents.cells.mnm.fast.row import write_and_read, write_and_read_backward
from agents.cells.mnm.fast.squash import squash, unsquash
from agents.cells.parts.kernels import (
    ONE,
    TWO,
    ZERO,
    Floats,
    compiled,
    inlined,
    lstm_row,
    lstm_row_backward,
    sigmoid,
)
from agents.cells.parts.products import add_packed_product


@compiled
def run_rows(
    first: int, last: int, weights: Weights, record: Record, memory: Floats, switches: Switches
) -> None:
    """Takes some rows through all steps.

    Args:
        first: The first of the rows.
        last: The one after the last.
        weights: See `Weights`.
        record: See `Record`; given are starts, endings, what the inputs add to the gates, and what
            enters the first step.
        memory: What enters the first step, its layers transposed, ``(B, L, D, D)``; replaced by
            what leaves the last.
        switches: See `Switches`.
    """
    T, _, L, H, _ = record.written.shape
    Q, U = record.queried.shape[3], record.cells.shape[2]
    for t in range(T):
        for b in range(first, last):
            if t > 0:
                _enter(t, b, weights, record, memory)
        gates = record.gates[t, first:last]
        add_packed_product(record.entering[t, first:last], weights.recurrent, gates)
        for b in range(first, last):
            gate, old, new = record.gates[t, b], record.cells[t, b], record.cells[t + 1, b]
            lstm_row(gate, old, new, record.tanh_cells[t, b], record.outs[t, b, :U])
        _interact(t, first, last, weights, record, switches)
        for b in range(first, last):
            traces = _traces(t, b, record)
            write_and_read(memory[b], traces, switches)
            answers, read = traces.queried[L - 1], record.outs[t, b, U:]
            read[:] = ZERO
            for h in range(H):
                read += answers[h] / np.float32(H)
            if Q > H:
                record.missed[t, b] = _missed(answers[H:], traces.vectors[2 * H : 3 * H])


@inlined
def _traces(t: int, b: int, record: Record) -> Traces:
    return Traces(
        record.vectors[t, b],
        record.targets[t, b],
        record.passed[t, b],
        record.rates[t, b],
        record.written[t, b],
        record.queried[t, b],
    )


@inlined
def _enter(t: int, b: int, weights: Weights, record: Record, memory: Floats) -> None:
    """Lets a row enter step t, anew where an episode starts."""
    if record.starts[t, b]:
        record.entering[t, b] = ZERO
        record.cells[t, b] = ZERO
        record.ended[record.endings[t, b]] = memory[b]
        memory[b] = weights.initial_memory
    else:
        entering = record.entering[t, b]
        entering[:] = record.outs[t - 1, b, -len(entering) :]


@inlined
def _interact(
    t: int, first: int, last: int, weights: Weights, record: Record, switches: Switches
) -> None:
    """Turns hidden states into interaction vectors, rates and targets."""
    _, _, H, layers, D = record.targets.shape
    rows, numbers, U = last - first, len(weights.interface_bias), record.cells.shape[2]
    vectors = record.vectors[t, first:last].reshape((rows, numbers))
    targets = record.targets[t, first:last].reshape((rows * H, layers * D))
    values = np.empty((rows * H, D), targets.dtype)
    for r in range(rows):
        vectors[r] = weights.interface_bias
    if switches.standardised:
        hidden = np.empty((rows, U), weights.interface_bias.dtype)
        for r in range(rows):
            standardise(record.outs[t, first + r, :U], hidden[r])
        add_packed_product(hidden, weights.interface, vectors)
    else:
        add_packed_product(record.outs[t, first:last, :U], weights.interface, vectors)
    squash(vectors)
    for r in range(rows):
        row = record.vectors[t, first + r]
        values[r * H : (r + 1) * H] = row[2 * H : 3 * H]
        for k in range(len(weights.rate_bias)):
            total, weight, rate_vector = weights.rate_bias[k], weights.rate[k], row[3 * H]
            for n in range(D):
                total += weight[n] * rate_vector[n]
            record.rates[t, first + r, k] = sigmoid(total)
    for r in range(rows * H):
        targets[r] = weights.feedback_bias
    add_packed_product(values, weights.feedback, targets)
    squash(targets)


@inlined
def _missed(found: Floats, values: Floats) -> np.float32:
    """Returns the mean squared difference."""
    H, D = found.shape
    total = ZERO
    for h in range(H):
        x, y = found[h], values[h]
        for n in range(D):
            total += (x[n] - y[n]) * (x[n] - y[n])
    result: np.float32 = total / np.float32(H * D)
    return result


@compiled
def run_rows_backward(
    first: int,
    last: int,
    weights: Weights,
    record: Record,
    memory: Floats,
    switches: Switches,
    grads: Gradients,
) -> None:
    """Goes back through `run_rows`.

    Args:
        first: The first of the rows.
        last: The one after the last.
        weights: See `Weights`; none is transposed.
        record: As the forward pass left it, but that memories that ended are not transposed.
        memory: What left the last step, not transposed, ``(B, L, D, D)``; is overwritten.
        switches: See `Switches`.
        grads: See `Gradients`.
    """
    T, _, _, H, D = record.written.shape
    Q, U = record.queried.shape[3], record.cells.shape[2]
    by_answers = np.empty((Q, D), memory.dtype)
    by_hidden = np.empty((last - first, U), memory.dtype)
    E = record.entering.shape[2]
    by_entering = np.zeros((last - first, E), memory.dtype)
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            by_out = grads.outs[t, b]
            if t + 1 < T and not record.starts[t + 1, b]:
                by_out[U + D - E :] += by_entering[b - first]
            for h in range(H):
                by_answers[h] = by_out[U:] / np.float32(H)
            if Q > H:
                _missed_backward(t, b, record, grads, by_answers)
            write_and_read_backward(
                memory[b],
                _traces(t, b, record),
                switches,
                grads.memory[b],
                by_answers,
                grads.vectors[t, b],
                grads.targets[t, b],
                grads.rates[t, b],
            )
            if record.starts[t, b]:
                grads.memory[b] = ZERO
                if t > 0:
                    memory[b] = record.ended[record.endings[t, b]]
        _interact_backward(t, first, last, weights, record, switches, grads, by_hidden)
        for b in range(first, last):
            by_row, gate, old = by_hidden[b - first], record.gates[t, b], record.cells[t, b]
            by_row += grads.outs[t, b, :U]
            tanh_cell, by_cell = record.tanh_cells[t, b], grads.cell[b]
            lstm_row_backward(gate, old, tanh_cell, by_row, by_cell, grads.gates[t, b])
            if record.starts[t, b]:
                by_cell[:] = ZERO
        by_entering[:] = ZERO
        add_packed_product(grads.gates[t, first:last], weights.recurrent, by_entering)
    for b in range(first, last):
        grads.entering[b] = by_entering[b - first]
        if record.starts[0, b]:
            grads.entering[b] = ZERO


@inlined
def _missed_backward(t: int, b: int, record: Record, grads: Gradients, by_answers: Floats) -> None:
    """Goes back through `_missed`, to what was recalled and to the values."""
    _, _, L, H, D = record.written.shape
    share = grads.missed[t, b] * TWO / np.float32(H * D)
    for h in range(H):
        found, value = record.queried[t, b, L - 1, H + h], record.vectors[t, b, 2 * H + h]
        by_found, by_value = by_answers[H + h], grads.vectors[t, b, 2 * H + h]
        for n in range(D):
            by_found[n] = share * (found[n] - value[n])
            by_value[n] -= by_found[n]


@inlined
def _interact_backward(
    t: int,
    first: int,
    last: int,
    weights: Weights,
    record: Record,
    switches: Switches,
    grads: Gradients,
    by_hidden: Floats,
) -> None:
    """Goes back through `_interact`; writes what comes to the hidden states, ``(rows, U)``."""
    _, _, H, layers, D = record.targets.shape
    rows, numbers = last - first, len(weights.interface_bias)
    by_targets = grads.targets[t, first:last].reshape((rows * H, layers * D))
    unsquash(record.targets[t, first:last].reshape((rows * H, layers * D)), by_targets)
    by_values = np.zeros((rows * H, D), by_targets.dtype)
    add_packed_product(by_targets, weights.feedback, by_values)
    for r in range(rows):
        by_row, rates = grads.vectors[t, first + r], record.rates[t, first + r]
        by_row[2 * H : 3 * H] += by_values[r * H : (r + 1) * H]
        by_rates, by_rate_vector = grads.rates[t, first + r], by_row[3 * H]
        for k in range(len(rates)):
            by_rates[k] *= rates[k] * (ONE - rates[k])
            weight = weights.rate[k]
            for n in range(D):
                by_rate_vector[n] += by_rates[k] * weight[n]
    by_vectors = grads.vectors[t, first:last].reshape((rows, numbers))
    unsquash(record.vectors[t, first:last].reshape((rows, numbers)), by_vectors)
    by_hidden[:] = ZERO
    add_packed_product(by_vectors, weights.interface, by_hidden)
    if switches.standardised:
        for r in range(rows):
            hidden = record.outs[t, first + r, : by_hidden.shape[1]]
            standardise_backward(hidden, by_hidden[r])
