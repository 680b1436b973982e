"""Back through `kernels` and the nonlinearities, compiled, row by row."""

from __future__ import annotations

from agents.algorithms.rl_ntm.fast.kernels import Floats, Ints, compiled

# Smaller gradients are taken for 0. Products of numbers near the end of what 32 bits can hold are
# many times as slow as others.
_TINY = 1e-30


@compiled
def leave_back(
    rows: Ints,
    symbol: Ints,
    cells: Ints,
    entered: Floats,
    out: Floats,
    grad_moves: Floats,
    grad_symbols: Floats,
    grad_memory: Floats,
    gain: float,
    shortcuts: int,
    grad_out: Floats,
    grad_read: Floats,
) -> None:
    """Go back through `leave`.

    Args:
        rows: see `enter`.
        symbol: see `leave`.
        cells: see `enter`.
        entered: see `enter`.
        out: see `leave`.
        grad_moves: the gradient of the moves' scores, ``(n, choices)``.
        grad_symbols: of the symbols' scores, ``(n, outputs)``.
        grad_memory: of the tape after the step, ``(B, cells, V)``.
        gain: see `leave`.
        shortcuts: see `leave`.
        grad_out: takes the gradient of the output layer, ``(n, ...)``.
        grad_read: takes the part of what was read that passed the shortcuts, ``(n, window * V)``.
    """
    choices, outputs = grad_moves.shape[1], grad_symbols.shape[1]
    window, width = cells.shape[1], grad_memory.shape[2]
    scores = choices + shortcuts
    content = scores + outputs
    middle, zero = window // 2, out.dtype.type(0.0)
    for j in range(len(rows)):
        b = rows[j]
        for c in range(choices):
            grad_out[j, c] = grad_moves[j, c]
        grad_score, grad_symbol = grad_out[j, scores:content], grad_symbols[j]
        for k in range(outputs):
            grad_score[k] = grad_symbol[k] * gain
        for w in range(window):
            place = content + w * width
            tape, by_written = grad_memory[b, cells[j, w]], grad_out[j, place : place + width]
            for v in range(width):
                by_written[v] = tape[v]
        if not shortcuts:
            continue
        for n in range(window * width):
            grad_read[j, n] = zero
        gates, grad_gates = out[j, choices:scores], grad_out[j, choices:scores]
        seen = symbol[j]
        grad_gates[0] = zero
        if seen < outputs:
            grad_gates[0] = grad_score[seen]
        centre = entered[j, middle * width : (middle + 1) * width]
        grad_centre = grad_read[j, middle * width : (middle + 1) * width]
        near = 1 + 2 * window
        for w in range(window):
            tape, read = grad_memory[b, cells[j, w]], entered[j, w * width : (w + 1) * width]
            grad = grad_read[j, w * width : (w + 1) * width]
            gate, by_gate = gates[1 + w], zero
            for k in range(outputs):
                by_gate += grad_score[k] * read[k]
                grad[k] += gate * grad_score[k]
            grad_gates[1 + w] = by_gate
            grad_gates[1 + window + w] = tape[seen]
            if w != middle:
                gate, by_gate = gates[near], zero
                for v in range(width):
                    by_gate += tape[v] * (centre[v] - read[v])
                    grad_centre[v] += gate * tape[v]
                    grad[v] -= gate * tape[v]
                grad_gates[near] = by_gate
                near += 1
        for g in range(shortcuts):
            grad_gates[g] *= gates[g] - gates[g] * gates[g]


@compiled
def core_back(
    rows: Ints,
    gates: Floats,
    before: Floats,
    squashed: Floats,
    grad_output: Floats,
    carried: Floats,
    carried_cell: Floats,
    grad_gates: Floats,
) -> None:
    """Go back through the nonlinearities of an LSTM.

    Args:
        rows: see `enter`.
        gates: o, i, f, g after their nonlinearities, ``(n, 4 * H)``.
        before: the cell state before the step, ``(n, H)``.
        squashed: the hyperbolic tangent of the cell state after the step, ``(n, H)``.
        grad_output: what the output layer says about the hidden state, ``(n, H)``.
        carried: what later steps say about it, ``(B, H)``.
        carried_cell: what later steps say about the cell state, ``(B, H)``; becomes what this one
            says about the state before.
        grad_gates: takes the gradient by what entered the nonlinearities, ``(n, 4 * H)``.
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
def enter_back(
    rows: Ints,
    cells: Ints,
    grad_entered: Floats,
    grad_read: Floats,
    shortcuts: int,
    grad_memory: Floats,
    carried: Floats,
) -> None:
    """Hand on what the step says about the cells that it read and the state that it had.

    Args:
        rows: see `enter`.
        cells: see `enter`.
        grad_entered: by what entered the core, ``(n, window * V + H)``.
        grad_read: from `leave_back`.
        shortcuts: see `leave`; without them `grad_read` is not looked at.
        grad_memory: of the tape, ``(B, cells, V)``; becomes that before the step.
        carried: takes what is said about the hidden state, ``(B, H)``.
    """
    width, window = grad_memory.shape[2], cells.shape[1]
    for j in range(len(rows)):
        b = rows[j]
        for w in range(window):
            tape = grad_memory[b, cells[j, w]]
            grad = grad_entered[j, w * width : (w + 1) * width]
            for v in range(width):
                tape[v] += grad[v]
            if shortcuts:
                more = grad_read[j, w * width : (w + 1) * width]
                for v in range(width):
                    tape[v] += more[v]
        later, grad = carried[b], grad_entered[j, window * width :]
        for h in range(len(later)):
            later[h] = grad[h]
