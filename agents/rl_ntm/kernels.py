"""The parts of a step that are no matrix products, compiled, row by row.

Each kernel works on step `t` of arrays that hold all T steps, and needs no temporary memory. What
they compute is what `agents.rl_ntm.controller` says, forward and backward.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]

# Sums may be reordered, so that they use vector instructions; NaN stays NaN.
_compiled = njit(cache=True, fastmath={"reassoc", "contract", "nsz"})


@_compiled
def enter(
    t: int,
    rows: Ints,
    cells: Ints,
    entered: Floats,
    gates: Floats,
    head: Ints,
    memory: Floats,
    weight_in: Floats,
    bias: Floats,
) -> None:
    """Look up what the step sees.

    Args:
        t: the step.
        rows: of `weight_in`, ``(T, B, n)``.
        cells: takes the memory cells in the window, ``(T, B, window)``.
        entered: takes their contents first, ``(T, B, at least window * V)``.
        gates: takes bias plus the sum of the rows, ``(T, B, G)``.
        head: of the memory tape, ``(B,)``.
        memory: the tape, ``(B, cells, V)``.
        weight_in: ``(rows, G)``.
        bias: ``(G,)``.
    """
    size, width = memory.shape[1], memory.shape[2]
    window = cells.shape[2]
    for b in range(rows.shape[1]):
        for g in range(len(bias)):
            gates[t, b, g] = bias[g]
        for n in range(rows.shape[2]):
            row = rows[t, b, n]
            for g in range(len(bias)):
                gates[t, b, g] += weight_in[row, g]
        for w in range(window):
            cell = (head[b] + w - window // 2) % size
            cells[t, b, w] = cell
            for v in range(width):
                entered[t, b, w * width + v] = memory[b, cell, v]


@_compiled
def leave(
    t: int,
    out: Floats,
    symbols: Floats,
    entered: Floats,
    cells: Ints,
    seen: Ints,
    memory: Floats,
    gain: float,
    choices: int,
    shortcuts: int,
) -> None:
    """Score the symbols and write to the tape.

    Args:
        t: the step.
        out: of the output layer, ``(T, B, ...)``; gates are replaced by their sigmoid.
        symbols: takes their scores, ``(T, B, outputs)``.
        entered: see `enter`.
        cells: see `enter`.
        seen: the symbol under the input head, ``(T, B)``.
        memory: the tape, ``(B, cells, V)``; is written.
        gain: that all scores are multiplied by.
        choices: that moves have.
        shortcuts: the number of gates, 0 without them.
    """
    outputs, width, window = symbols.shape[2], memory.shape[2], cells.shape[2]
    scores = choices + shortcuts
    content = scores + outputs
    for b in range(out.shape[1]):
        for g in range(choices, scores):
            out[t, b, g] = 1.0 / (1.0 + math.exp(-out[t, b, g]))
        for k in range(outputs):
            symbols[t, b, k] = out[t, b, scores + k]
        symbol = seen[t, b]
        if shortcuts:
            if symbol < outputs:
                symbols[t, b, symbol] += out[t, b, choices]
            for w in range(window):
                gate = out[t, b, choices + 1 + w]
                for k in range(outputs):
                    symbols[t, b, k] += gate * entered[t, b, w * width + k]
        for k in range(outputs):
            symbols[t, b, k] *= gain
        near = choices + 1 + 2 * window
        for w in range(window):
            cell = cells[t, b, w]
            for v in range(width):
                memory[b, cell, v] += out[t, b, content + w * width + v]
            if not shortcuts:
                continue
            memory[b, cell, symbol] += out[t, b, choices + 1 + window + w]
            if w == window // 2:
                continue
            gate = out[t, b, near]
            near += 1
            for v in range(width):
                centre = entered[t, b, window // 2 * width + v]
                memory[b, cell, v] += gate * (centre - entered[t, b, w * width + v])


@_compiled
def leave_back(
    t: int,
    grad_out: Floats,
    grad_read: Floats,
    grad_moves: Floats,
    grad_symbols: Floats,
    grad_memory: Floats,
    out: Floats,
    entered: Floats,
    cells: Ints,
    seen: Ints,
    gain: float,
    shortcuts: int,
) -> None:
    """Go back through `leave`.

    Args:
        t: the step.
        grad_out: takes the gradient of the output layer, ``(T, B, ...)``.
        grad_read: takes the part of what was read that passed the shortcuts, ``(B, window * V)``.
        grad_moves: the gradient of the moves' scores, ``(T, B, choices)``.
        grad_symbols: of the symbols' scores, ``(T, B, outputs)``.
        grad_memory: of the tape after the step, ``(B, cells, V)``.
        out: as `leave` left it.
        entered: see `enter`.
        cells: see `enter`.
        seen: see `leave`.
        gain: see `leave`.
        shortcuts: see `leave`.
    """
    choices, outputs = grad_moves.shape[2], grad_symbols.shape[2]
    window, width = cells.shape[2], grad_memory.shape[2]
    scores = choices + shortcuts
    content, middle = scores + outputs, window // 2 * width
    for b in range(out.shape[1]):
        for c in range(choices):
            grad_out[t, b, c] = grad_moves[t, b, c]
        for k in range(outputs):
            grad_out[t, b, scores + k] = grad_symbols[t, b, k] * gain
        for w in range(window):
            cell = cells[t, b, w]
            for v in range(width):
                grad_out[t, b, content + w * width + v] = grad_memory[b, cell, v]
                grad_read[b, w * width + v] = 0.0
        if not shortcuts:
            continue
        symbol = seen[t, b]
        grad_out[t, b, choices] = 0.0
        if symbol < outputs:
            grad_out[t, b, choices] = grad_out[t, b, scores + symbol]
        near = choices + 1 + 2 * window
        for w in range(window):
            cell = cells[t, b, w]
            gate, by_gate = out[t, b, choices + 1 + w], 0.0
            for k in range(outputs):
                by_gate += grad_out[t, b, scores + k] * entered[t, b, w * width + k]
                grad_read[b, w * width + k] += gate * grad_out[t, b, scores + k]
            grad_out[t, b, choices + 1 + w] = by_gate
            grad_out[t, b, choices + 1 + window + w] = grad_memory[b, cell, symbol]
            if w == window // 2:
                continue
            gate, by_gate = out[t, b, near], 0.0
            for v in range(width):
                grad = grad_memory[b, cell, v]
                by_gate += grad * (entered[t, b, middle + v] - entered[t, b, w * width + v])
                grad_read[b, middle + v] += gate * grad
                grad_read[b, w * width + v] -= gate * grad
            grad_out[t, b, near] = by_gate
            near += 1
        for g in range(choices, scores):
            grad_out[t, b, g] *= out[t, b, g] * (1.0 - out[t, b, g])


@_compiled
def enter_back(
    t: int, grad_memory: Floats, grad_entered: Floats, grad_read: Floats, cells: Ints
) -> None:
    """Add to the tape's gradient what the step says about the cells that it read.

    Args:
        t: the step.
        grad_memory: of the tape, ``(B, cells, V)``; becomes that before the step.
        grad_entered: by what entered the core, ``(B, at least window * V)``.
        grad_read: from `leave_back`.
        cells: see `enter`.
    """
    width = grad_memory.shape[2]
    for b in range(len(grad_memory)):
        for w in range(cells.shape[2]):
            cell = cells[t, b, w]
            for v in range(width):
                n = w * width + v
                grad_memory[b, cell, v] += grad_entered[b, n] + grad_read[b, n]
