"""The parts of a step that are no matrix products, compiled, row by row.

Each kernel works on one step of the n rows that run, and needs no temporary memory. What they
compute is what the controller says; `kernels_backward` goes back through it. Shapes: B rows in all,
V symbols in the vocabulary, H units, G numbers that enter the nonlinearities.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from agents.algorithms.rl_ntm.controller import Controller, ControllerState
from agents.algorithms.rl_ntm.fast.record import Record
from agents.algorithms.rl_ntm.unroll import Ints

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]

# Sums may be reordered, so that they use vector instructions; NaN stays NaN. For the same reason
# the innermost loops run over slices from their start: an index that might be negative prevents it.
compiled = njit(cache=True, fastmath={"reassoc", "contract", "nsz"})


class InputLayer(NamedTuple):
    """What steps look up; arrays that all steps share.

    Attributes:
        offsets: First row of `weight_in` for each cell of the input window, ``(input_cells,)``.
        weight_in: Weights of the inputs, ``(rows, G)``.
        bias: Bias of what enters the nonlinearities, ``(G,)``.
    """

    offsets: Ints
    weight_in: Floats
    bias: Floats


class OutputLayer(NamedTuple):
    """How the output layer's columns are divided, and what their numbers are multiplied by.

    Attributes:
        gain: Factor of all scores of symbols.
        kept: Factor of what a cell beside the head loses to what is blended into it, 0 or 1.
        choices: Number of choices that moves have.
        shortcuts: Number of gates of shortcuts, 0 without them.
        reads: Number of memory cells that are read.
        writes: Number of memory cells that are written.
    """

    gain: Any
    kept: Any
    choices: int
    shortcuts: int
    reads: int
    writes: int


def output_layer_of(controller: Controller) -> OutputLayer:
    """Returns how a controller's output layer is divided."""
    gain: Any = controller.log_gain.detach().exp().numpy()[()]
    sizes = controller.interfaces.read_window, controller.interfaces.write_window
    kept = type(gain)(controller.blend)
    return OutputLayer(gain, kept, controller.choices, controller.gates, *sizes)


@compiled
def read_inputs(
    rows: Ints,
    seen: Ints,
    input_layer: InputLayer,
    output_layer: OutputLayer,
    state: ControllerState,
    record: Record,
) -> None:
    """Looks up what the step sees.

    Args:
        rows: Numbers of the rows that run, ``(n,)``.
        seen: Symbols in their input windows, ``(n, input_cells)``.
        input_layer: What is looked up.
        output_layer: Says how many memory cells are read.
        state: The state of all B rows before the step, as arrays.
        record: The n entries of the step. `inputs`, `symbol`, `cells`, `entered` and `beside` are
            filled; `gates` takes the bias plus the rows of `weight_in`.
    """
    offsets, weight_in, bias = input_layer.offsets, input_layer.weight_in, input_layer.bias
    memory, head, moves, hidden = state.memory, state.head, state.moves, state.hidden
    inputs, cells, entered, beside = record.inputs, record.cells, record.entered, record.beside
    size, width = memory.shape[1], memory.shape[2]
    reach, window, width_in = cells.shape[1], output_layer.reads, seen.shape[1]
    middle = reach // 2
    first = middle - window // 2
    for j in range(len(rows)):
        b = rows[j]
        record.symbol[j] = seen[j, width_in // 2]
        gate = record.gates[j]
        for g in range(len(bias)):
            gate[g] = bias[g]
        for i in range(inputs.shape[1]):
            if i < width_in:
                inputs[j, i] = seen[j, i] + offsets[i]
            else:
                inputs[j, i] = moves[b, i - width_in]
            weight = weight_in[inputs[j, i]]
            for g in range(len(bias)):
                gate[g] += weight[g]
        for c in range(reach):
            cells[j, c] = (head[b] + c - middle) % size
        for w in range(window):
            tape, read = memory[b, cells[j, first + w]], entered[j, w * width : (w + 1) * width]
            for v in range(width):
                read[v] = tape[v]
        for side in range(beside.shape[1] // width):
            tape = memory[b, cells[j, middle - 1 + 2 * side]]
            near = beside[j, side * width : (side + 1) * width]
            for v in range(width):
                near[v] = tape[v]
        carried, old = hidden[b], entered[j, window * width :]
        for h in range(len(carried)):
            old[h] = carried[h]


@compiled
def update_cell(rows: Ints, gates: Floats, cell: Floats, before: Floats, after: Floats) -> None:
    """Blends the LSTM's cell state with what is new.

    Args:
        rows: Numbers of the rows that run, ``(n,)``.
        gates: Gates in the order o, i, f, g, ``(n, 4 * H)``; g is a sigmoid and is made a
            hyperbolic tangent.
        cell: Cell state of all rows, ``(B, H)``; is changed.
        before: Array that takes what it was, ``(n, H)``.
        after: Array that takes what it becomes, ``(n, H)``.
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
def score_and_write(
    rows: Ints, output_layer: OutputLayer, state: ControllerState, record: Record
) -> None:
    """Scores the symbols and writes to the tape.

    Args:
        rows: Numbers of the rows that run, ``(n,)``.
        output_layer: How the output layer is divided.
        state: The state of all B rows, as arrays; its memory is written.
        record: The n entries of the step; `symbols` is filled.
    """
    memory, choices, shortcuts = state.memory, output_layer.choices, output_layer.shortcuts
    cells, entered, out, symbols = record.cells, record.entered, record.out, record.symbols
    beside, reads, writes = record.beside, output_layer.reads, output_layer.writes
    outputs, width = symbols.shape[1], memory.shape[2]
    scores = choices + shortcuts
    content = scores + outputs
    middle, centre_read = cells.shape[1] // 2, reads // 2
    first_written = middle - writes // 2
    for j in range(len(rows)):
        b = rows[j]
        score, given = symbols[j], out[j, scores:content]
        for k in range(outputs):
            score[k] = given[k]
        for w in range(writes):
            place = content + w * width
            tape, written = memory[b, cells[j, first_written + w]], out[j, place : place + width]
            for v in range(width):
                tape[v] += written[v]
        if shortcuts:
            gates, seen = out[j, choices:scores], record.symbol[j]
            if seen < outputs:
                score[seen] += gates[0]
            for w in range(reads):
                read, gate = entered[j, w * width : (w + 1) * width], gates[1 + w]
                for k in range(outputs):
                    score[k] += gate * read[k]
            for w in range(writes):
                memory[b, cells[j, first_written + w], seen] += gates[1 + reads + w]
            centre = entered[j, centre_read * width : (centre_read + 1) * width]
            for side in range(beside.shape[1] // width):
                tape = memory[b, cells[j, middle - 1 + 2 * side]]
                near = beside[j, side * width : (side + 1) * width]
                gate = gates[1 + reads + writes + side]
                for v in range(width):
                    tape[v] += gate * (centre[v] - output_layer.kept * near[v])
        for k in range(outputs):
            score[k] *= output_layer.gain
