"""The parts of a step that are no matrix products, compiled, row by row.

Each kernel works on one step of the n rows that run, and needs no temporary memory. What they
compute is what the controller says; `kernels_backward` goes back through it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Sums may be reordered, so that they use vector instructions; NaN stays NaN. For the same reason
# the innermost loops run over slices from their start: an index that might be negative prevents it.
compiled = njit(cache=True, fastmath={"reassoc", "contract", "nsz"})


@compiled
def enter(
    rows: Ints,
    symbols: Ints,
    offsets: Ints,
    moves: Ints,
    head: Ints,
    memory: Floats,
    hidden: Floats,
    weight_in: Floats,
    bias: Floats,
    inputs: Ints,
    symbol: Ints,
    cells: Ints,
    entered: Floats,
    gates: Floats,
) -> None:
    """Look up what the step sees.

    Args:
        rows: that run, ``(n,)``, among B.
        symbols: in the input windows, ``(n, input_cells)``.
        offsets: of their rows in `weight_in`, ``(input_cells,)``.
        moves: the rows of `weight_in` for the previous moves, ``(B, moves)``.
        head: of the memory tape, ``(B,)``.
        memory: the tape, ``(B, cells, V)``.
        hidden: the state before the step, ``(B, H)``; ``(B, 0)`` without one.
        weight_in: ``(rows, G)``.
        bias: ``(G,)``.
        inputs: takes the rows of `weight_in`, ``(n, input_cells + moves)``.
        symbol: takes that under the input head, ``(n,)``.
        cells: takes the memory cells in the window, ``(n, window)``.
        entered: takes their contents, then the hidden state, ``(n, window * V + H)``.
        gates: takes bias plus the sum of the rows, ``(n, G)``.
    """
    size, width = memory.shape[1], memory.shape[2]
    window, seen = cells.shape[1], symbols.shape[1]
    for j in range(len(rows)):
        b = rows[j]
        symbol[j] = symbols[j, seen // 2]
        gate = gates[j]
        for g in range(len(bias)):
            gate[g] = bias[g]
        for i in range(inputs.shape[1]):
            if i < seen:
                inputs[j, i] = symbols[j, i] + offsets[i]
            else:
                inputs[j, i] = moves[b, i - seen]
            weight = weight_in[inputs[j, i]]
            for g in range(len(bias)):
                gate[g] += weight[g]
        for w in range(window):
            cell = (head[b] + w - window // 2) % size
            cells[j, w] = cell
            tape, read = memory[b, cell], entered[j, w * width : (w + 1) * width]
            for v in range(width):
                read[v] = tape[v]
        state, old = hidden[b], entered[j, window * width :]
        for h in range(len(state)):
            old[h] = state[h]


@compiled
def remember(rows: Ints, gates: Floats, cell: Floats, before: Floats, after: Floats) -> None:
    """Blend the LSTM's cell state with what is new.

    Args:
        rows: see `enter`.
        gates: o, i, f, g, ``(n, 4 * H)``, where g is a sigmoid and is made a hyperbolic tangent.
        cell: the state, ``(B, H)``; is changed.
        before: takes what it was, ``(n, H)``.
        after: takes what it becomes, ``(n, H)``.
    """
    n, size = before.shape
    parts, one = gates.reshape(n, 4, size), gates.dtype.type(1.0)
    for j in range(n):
        b = rows[j]
        for h in range(size):
            old, g = cell[b, h], parts[j, 3, h] + parts[j, 3, h] - one
            new = parts[j, 1, h] * g + parts[j, 2, h] * old
            parts[j, 3, h], before[j, h], after[j, h], cell[b, h] = g, old, new, new


@compiled
def leave(
    rows: Ints,
    symbol: Ints,
    cells: Ints,
    entered: Floats,
    out: Floats,
    memory: Floats,
    gain: float,
    choices: int,
    shortcuts: int,
    symbols: Floats,
) -> None:
    """Score the symbols and write to the tape.

    Args:
        rows: see `enter`.
        symbol: under the input head, ``(n,)``.
        cells: see `enter`.
        entered: see `enter`.
        out: of the output layer, gates of shortcuts after their nonlinearity, ``(n, ...)``.
        memory: the tape, ``(B, cells, V)``; is written.
        gain: that all scores are multiplied by.
        choices: that moves have.
        shortcuts: the number of gates, 0 without them.
        symbols: takes their scores, ``(n, outputs)``.
    """
    outputs, width, window = symbols.shape[1], memory.shape[2], cells.shape[1]
    scores = choices + shortcuts
    content = scores + outputs
    for j in range(len(rows)):
        b = rows[j]
        score, given = symbols[j], out[j, scores:content]
        for k in range(outputs):
            score[k] = given[k]
        for w in range(window):
            place = content + w * width
            tape, written = memory[b, cells[j, w]], out[j, place : place + width]
            for v in range(width):
                tape[v] += written[v]
        if shortcuts:
            gates, seen = out[j, choices:scores], symbol[j]
            if seen < outputs:
                score[seen] += gates[0]
            middle = window // 2
            centre = entered[j, middle * width : (middle + 1) * width]
            near = 1 + 2 * window
            for w in range(window):
                tape, read = memory[b, cells[j, w]], entered[j, w * width : (w + 1) * width]
                gate = gates[1 + w]
                for k in range(outputs):
                    score[k] += gate * read[k]
                tape[seen] += gates[1 + window + w]
                if w != middle:
                    gate = gates[near]
                    near += 1
                    for v in range(width):
                        tape[v] += gate * (centre[v] - read[v])
        for k in range(outputs):
            score[k] *= gain
