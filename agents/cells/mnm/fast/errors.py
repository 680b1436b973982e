"""By which errors one row's memory is written in a step, and the way back, compiled.

In MNM-p an error is how far a layer is from its target (equation 4). In MNM-g it is what comes down
to a layer of the error of the values (equation 3):

    passed^L = scale * (values - z^L),    passed^(l-1) = M^lT errors^l,
    errors^l = passed^l * (1 - z^l * z^l), or passed^L where values are linear.

What is passed is kept, as then the way back needs no products to find it again. Errors are those of
`agents.cells.mnm.memory` with the other sign, so that steps are added.
"""

from __future__ import annotations

import numpy as np

from agents.cells.mnm.fast.records import Switches, Traces
from agents.cells.mnm.fast.squash import unsquash
from agents.cells.parts.kernels import TWO, ZERO, Floats, inlined
from agents.cells.parts.products import add_outer, dots


@inlined
def is_linear(layer: int, traces: Traces, switches: Switches) -> bool:
    """Says whether a layer has no tanh."""
    return switches.linear_values and layer + 1 == len(traces.written)


@inlined
def find_errors(layer: int, traces: Traces, switches: Switches, errors: Floats) -> None:
    """Finds a layer's errors, ``(H, D)``."""
    z, H = traces.written[layer], len(errors)
    if switches.by_gradient:
        errors[:] = traces.passed[layer]
        if not is_linear(layer, traces, switches):
            unsquash(z, errors)
        return
    learned = layer < traces.targets.shape[1]
    for h in range(H):
        target = traces.targets[h, layer] if learned else traces.vectors[2 * H + h]
        error, found = errors[h], z[h]
        for n in range(len(found)):
            error[n] = target[n] - found[n]


@inlined
def pass_down(memory: Floats, traces: Traces, switches: Switches, errors: Floats) -> None:
    """Passes the error of the values down the layers.

    Args:
        memory: The layers before the write, transposed, ``(L, D, D)``.
        traces: Vectors and what the write keys bring forth are given; what is passed is taken.
        switches: See `Switches`.
        errors: Room for a layer's errors, ``(H, D)``.
    """
    L, H, D = traces.written.shape
    for h in range(H):
        passed, found = traces.passed[L - 1, h], traces.written[L - 1, h]
        value = traces.vectors[2 * H + h]
        for n in range(D):
            passed[n] = switches.error_scale * (value[n] - found[n])
    for layer in range(L - 1, 0, -1):
        find_errors(layer, traces, switches, errors)
        dots(errors, memory[layer], traces.passed[layer - 1])


@inlined
def local_errors_backward(
    traces: Traces, by_errors: Floats, by_written: Floats, by_vectors: Floats, by_targets: Floats
) -> None:
    """Goes back through the errors of MNM-p.

    Args:
        traces: As the forward pass left them.
        by_errors: The gradient by them, ``(L, H, D)``.
        by_written: That by what the write keys bring forth, ``(L, H, D)``; is added to.
        by_vectors: That by the interaction vectors; is added to.
        by_targets: That by the targets; is written.
    """
    L, H, D = by_errors.shape
    for layer in range(L):
        learned = layer < traces.targets.shape[1]
        for h in range(H):
            by_target = by_targets[h, layer] if learned else by_vectors[2 * H + h]
            by_error, by_found = by_errors[layer, h], by_written[layer, h]
            if learned:
                by_target[:] = ZERO
            for n in range(D):
                by_target[n] += by_error[n]
                by_found[n] -= by_error[n]


@inlined
def gradient_errors_backward(
    memory: Floats,
    traces: Traces,
    switches: Switches,
    by_memory: Floats,
    by_errors: Floats,
    by_written: Floats,
    by_vectors: Floats,
) -> None:
    """Goes back through the errors of MNM-g, up the layers: these are second derivatives.

    Args:
        memory: The layers before the write, not transposed, ``(L, D, D)``.
        traces: As the forward pass left them.
        switches: See `Switches`.
        by_memory: The gradient by the layers; is added to.
        by_errors: That by the errors, ``(L, H, D)``; is overwritten.
        by_written: That by what the write keys bring forth, ``(L, H, D)``; is added to.
        by_vectors: That by the interaction vectors; is added to.
    """
    L, H, D = by_errors.shape
    errors, by_above = np.empty((H, D), memory.dtype), np.empty((H, D), memory.dtype)
    for layer in range(L):
        z, passed, by_passed = traces.written[layer], traces.passed[layer], by_errors[layer]
        if not is_linear(layer, traces, switches):
            _slope_backward(z, passed, by_errors[layer], by_written[layer])
            unsquash(z, by_passed)  # until here it was that by the errors
        if layer + 1 < L:
            find_errors(layer + 1, traces, switches, errors)
            add_outer(errors, by_passed, by_memory[layer + 1])
            dots(by_passed, memory[layer + 1], by_above)
            by_errors[layer + 1] += by_above
    for h in range(H):
        by_passed, by_found = by_errors[L - 1, h], by_written[L - 1, h]
        by_value = by_vectors[2 * H + h]
        for n in range(D):
            by_value[n] += switches.error_scale * by_passed[n]
            by_found[n] -= switches.error_scale * by_passed[n]


@inlined
def _slope_backward(z: Floats, passed: Floats, by_errors: Floats, by_z: Floats) -> None:
    """Adds what comes to z through the slope of the tanh, 1 - z * z, by which errors are less."""
    for h in range(len(z)):
        row, down, by_error, by_row = z[h], passed[h], by_errors[h], by_z[h]
        for n in range(len(row)):
            by_row[n] -= TWO * row[n] * down[n] * by_error[n]
