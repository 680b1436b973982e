"""Back through `kernels` and the nonlinearities, compiled, row by row."""

from __future__ import annotations

from typing import Any, NamedTuple

from agents.algorithms.rl_ntm.fast.kernels import Floats, OutputLayer, compiled
from agents.algorithms.rl_ntm.fast.record import Record
from agents.algorithms.rl_ntm.unroll import Ints

# Smaller gradients are taken for 0. Products of numbers near the end of what 32 bits can hold are
# many times as slow as others.
_TINY = 1e-30


class Gradients(NamedTuple):
    """Gradients by what N steps computed, packed, as tensors or as arrays.

    Attributes:
        out: Gradient by the output layer, ``(N, ...)``; is filled.
        gates: Gradient by what enters the nonlinearities, ``(N, G)``; is filled.
        moves: Gradient by the scores of the moves, ``(N, choices)``.
        symbols: Gradient by the scores of the symbols, ``(N, outputs)``.
    """

    out: Any
    gates: Any
    moves: Any
    symbols: Any

    def part(self, start: int, stop: int) -> Gradients:
        """Returns some of the N entries."""
        return Gradients(*(entries[start:stop] for entries in self))

    def arrays(self) -> Gradients:
        """Returns the same as NumPy arrays."""
        return Gradients(*(tensor.numpy() for tensor in self))


class Carried(NamedTuple):
    """Gradients by the state of all B rows, carried from the last step to the first.

    Attributes:
        memory: Gradient by the tape, ``(B, cells, V)``.
        read: For the n rows that run, the part of the gradient by what was read that passes
            through shortcuts, ``(at least n, read_window * V)``; belongs to one step.
        beside: For these rows, the gradient by the two cells beside the head that passes through
            shortcuts, ``(at least n, 2 * V)``; belongs to one step.
        hidden: Gradient by the hidden state, ``(B, H)``.
        cell: Gradient by the LSTM's cell state, ``(B, H)``.
    """

    memory: Any
    read: Any
    beside: Any
    hidden: Any
    cell: Any


@compiled
def score_and_write_backward(
    rows: Ints, output_layer: OutputLayer, record: Record, gradients: Gradients, carried: Carried
) -> None:
    """Goes back through `score_and_write`.

    Args:
        rows: Numbers of the rows that run, ``(n,)``.
        output_layer: How the output layer is divided.
        record: The n entries of the step.
        gradients: The n entries of the step; `out` is filled.
        carried: Gradients by the state after the step; `read` and `beside` are
            filled if there are shortcuts.
    """
    grad_moves, grad_symbols, grad_out = gradients.moves, gradients.symbols, gradients.out
    cells, entered, beside, out = record.cells, record.entered, record.beside, record.out
    shortcuts, reads, writes = output_layer.shortcuts, output_layer.reads, output_layer.writes
    grad_memory, grad_read, grad_beside = carried.memory, carried.read, carried.beside
    choices, outputs = grad_moves.shape[1], grad_symbols.shape[1]
    width = grad_memory.shape[2]
    scores = choices + shortcuts
    content = scores + outputs
    middle, centre_read, zero = cells.shape[1] // 2, reads // 2, out.dtype.type(0.0)
    first_written = middle - writes // 2
    for j in range(len(rows)):
        b = rows[j]
        for c in range(choices):
            grad_out[j, c] = grad_moves[j, c]
        grad_score, grad_symbol = grad_out[j, scores:content], grad_symbols[j]
        for k in range(outputs):
            grad_score[k] = grad_symbol[k] * output_layer.gain
        for w in range(writes):
            place = content + w * width
            tape = grad_memory[b, cells[j, first_written + w]]
            by_written = grad_out[j, place : place + width]
            for v in range(width):
                by_written[v] = tape[v]
        if not shortcuts:
            continue
        gates, grad_gates = out[j, choices:scores], grad_out[j, choices:scores]
        seen = record.symbol[j]
        grad_gates[0] = zero
        if seen < outputs:
            grad_gates[0] = grad_score[seen]
        for w in range(reads):
            read, grad = (
                entered[j, w * width : (w + 1) * width],
                grad_read[j, w * width : (w + 1) * width],
            )
            gate, by_gate = gates[1 + w], zero
            for v in range(width):
                grad[v] = zero
            for k in range(outputs):
                by_gate += grad_score[k] * read[k]
                grad[k] = gate * grad_score[k]
            grad_gates[1 + w] = by_gate
        for w in range(writes):
            grad_gates[1 + reads + w] = grad_memory[b, cells[j, first_written + w], seen]
        centre = entered[j, centre_read * width : (centre_read + 1) * width]
        grad_centre = grad_read[j, centre_read * width : (centre_read + 1) * width]
        for side in range(beside.shape[1] // width):
            tape = grad_memory[b, cells[j, middle - 1 + 2 * side]]
            near = beside[j, side * width : (side + 1) * width]
            grad = grad_beside[j, side * width : (side + 1) * width]
            gate, by_gate = gates[1 + reads + writes + side], zero
            for v in range(width):
                by_gate += tape[v] * (centre[v] - output_layer.kept * near[v])
                grad_centre[v] += gate * tape[v]
                grad[v] = -output_layer.kept * gate * tape[v]
            grad_gates[1 + reads + writes + side] = by_gate
        for g in range(shortcuts):
            grad_gates[g] *= gates[g] - gates[g] * gates[g]


@compiled
def lstm_backward(
    rows: Ints,
    gates: Floats,
    before: Floats,
    squashed: Floats,
    grad_output: Floats,
    carried: Floats,
    carried_cell: Floats,
    grad_gates: Floats,
) -> None:
    """Goes back through the nonlinearities of an LSTM.

    Args:
        rows: Numbers of the rows that run, ``(n,)``.
        gates: Gates in the order o, i, f, g, after their nonlinearities, ``(n, 4 * H)``.
        before: Cell state before the step, ``(n, H)``.
        squashed: Hyperbolic tangent of the cell state after the step, ``(n, H)``.
        grad_output: Gradient by the hidden state that the output layer gives, ``(n, H)``.
        carried: Gradient by the hidden state that later steps give, ``(B, H)``.
        carried_cell: Gradient by the cell state after the step, ``(B, H)``; becomes that by the
            cell state before it.
        grad_gates: Array that takes the gradient by what entered the nonlinearities,
            ``(n, 4 * H)``.
    """
    n, size = before.shape
    one, tiny = gates.dtype.type(1.0), gates.dtype.type(_TINY)
    parts, by_parts = gates.reshape(n, 4, size), grad_gates.reshape(n, 4, size)
    for j in range(n):
        b = rows[j]
        for h in range(size):
            o, i, f, g = parts[j, 0, h], parts[j, 1, h], parts[j, 2, h], parts[j, 3, h]
            tanh = squashed[j, h]
            hidden = grad_output[j, h] + carried[b, h]
            hidden = hidden - hidden if abs(hidden) < tiny else hidden
            cell = carried_cell[b, h] + hidden * o * (one - tanh * tanh)
            cell = cell - cell if abs(cell) < tiny else cell
            by_parts[j, 0, h] = hidden * tanh * o * (one - o)
            by_parts[j, 1, h] = cell * g * i * (one - i)
            by_parts[j, 2, h] = cell * before[j, h] * f * (one - f)
            by_parts[j, 3, h] = cell * i * (one - g * g)
            carried_cell[b, h] = cell * f


@compiled
def read_inputs_backward(
    rows: Ints, output_layer: OutputLayer, cells: Ints, grad_entered: Floats, carried: Carried
) -> None:
    """Hands on the gradients by the cells that a step read and by the hidden state that it had.

    Args:
        rows: Numbers of the rows that run, ``(n,)``.
        output_layer: Says how many cells were read, and whether there are shortcuts; without them
            `carried.read` and `carried.beside` have no part.
        cells: Memory cells around the head, ``(n, reach)``.
        grad_entered: Gradient by what entered the nonlinearities through a matrix,
            ``(n, read_window * V + H)``.
        carried: Gradients by the state; `memory` and `hidden` become those before the step.
    """
    grad_memory, grad_read, grad_beside = carried.memory, carried.read, carried.beside
    width, window, shortcuts = grad_memory.shape[2], output_layer.reads, output_layer.shortcuts
    middle = cells.shape[1] // 2
    first = middle - window // 2
    for j in range(len(rows)):
        b = rows[j]
        for w in range(window):
            tape = grad_memory[b, cells[j, first + w]]
            grad = grad_entered[j, w * width : (w + 1) * width]
            for v in range(width):
                tape[v] += grad[v]
            if shortcuts:
                more = grad_read[j, w * width : (w + 1) * width]
                for v in range(width):
                    tape[v] += more[v]
        for side in range(grad_beside.shape[1] // width):
            tape = grad_memory[b, cells[j, middle - 1 + 2 * side]]
            more = grad_beside[j, side * width : (side + 1) * width]
            for v in range(width):
                tape[v] += more[v]
        later, grad = carried.hidden[b], grad_entered[j, window * width :]
        for h in range(len(later)):
            later[h] = grad[h]
