"""All steps of a DNC for some rows, and the way back, compiled.

Each step is the controller (a product for what it has just put out, one for what was read, and the
kernel of `agents.cells.lstm`), the product that makes the interface, and a kernel for the memory.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from agents.cells.dnc.fast.backward_kernels import copy, dnc_step_backward, replay
from agents.cells.dnc.fast.kernels import dnc_step
from agents.cells.parts.kernels import (
    ZERO,
    Floats,
    compiled,
    inlined,
    lstm_step,
    lstm_step_backward,
)
from agents.cells.parts.products import add_packed_product


class Matrices(NamedTuple):
    """The weights of what steps multiply, packed; forward each is transposed before.

    Attributes:
        hidden: From the hidden state to the gates, ``(4 * H, H)``.
        found: From what was read to the gates, ``(4 * H, R * W)``.
        interface: From the output to the interface, ``(P, H)``.
    """

    hidden: Floats
    found: Floats
    interface: Floats


class Kept(NamedTuple):
    """What steps leave behind: tensors; arrays in kernels, whose arguments tell of most of them.

    Attributes:
        starts: ``(T, B)``.
        gates: ``(T, B, 4 * H)``; given is what the inputs add.
        cells: ``(T + 1, B, H)``.
        squashed: ``(T, B, H)``.
        outs: ``(T, B, H)``.
        hiddens: ``(T + 1, B, H)``.
        interface: ``(T, B, P)``; given is the bias.
        usage: ``(T + 1, B, N)``.
        order: ``(T, B, N)``.
        precedence: ``(T + 1, B, N)``.
        written: ``(T + 1, B, N)``.
        read: ``(T + 1, B, R, N)``.
        content: ``(T, B, R + 1, N)``.
        along: ``(T, B, 2, R, N)``.
        found_before: ``(T + 1, B, R * W)``.
        memories: Before every so many steps, ``(points, B, W, N)``.
        links: Likewise, ``(points, B, N, N)``.
    """

    starts: Any
    gates: Any
    cells: Any
    squashed: Any
    outs: Any
    hiddens: Any
    interface: Any
    usage: Any
    order: Any
    precedence: Any
    written: Any
    read: Any
    content: Any
    along: Any
    found_before: Any
    memories: Any
    links: Any


class Gradients(NamedTuple):
    """Gradients by what is kept, and by the state; see the kernels' arguments.

    Attributes:
        outs: ``(T, B, H)``; what comes through the interface is added.
        found: ``(T, B, R * W)``.
        found_before: ``(B, R * W)``; given as zero, as is `hidden`.
        hidden: ``(B, H)``.
        cell: ``(B, H)``.
        gates: ``(T, B, 4 * H)``.
        memory: ``(B, W, N)``.
        usage: ``(B, N)``.
        precedence: ``(B, N)``.
        links: ``(B, N, N)``.
        read: ``(B, R, N)``.
        written: ``(B, N)``.
        interface: ``(T, B, P)``.
    """

    outs: Any
    found: Any
    found_before: Any
    hidden: Any
    cell: Any
    gates: Any
    memory: Any
    usage: Any
    precedence: Any
    links: Any
    read: Any
    written: Any
    interface: Any


@compiled
def run_steps(
    stretch: int, weights: Matrices, k: Kept, memory: Floats, links: Floats, found: Floats
) -> None:
    """Takes all steps.

    Args:
        stretch: After how many steps memory and links are kept again.
        weights: See `Matrices`.
        k: See `Kept`.
        memory: What enters the first step, ``(B, W, N)``; replaced by what leaves the last.
        links: Likewise, ``(B, N, N)``.
        found: Takes what is read, ``(T, B, R * W)``.
    """
    for t in range(len(k.outs)):
        if t % stretch == 0:
            _copy_rows(memory, k.memories[t // stretch])
            _copy_rows(links, k.links[t // stretch])
        add_packed_product(k.hiddens[t], weights.hidden, k.gates[t])
        add_packed_product(k.found_before[t], weights.found, k.gates[t])
        lstm_step(t, k.starts, k.gates, k.cells, k.squashed, k.outs, k.hiddens)
        add_packed_product(k.outs[t], weights.interface, k.interface[t])
        dnc_step(
            t,
            k.starts,
            k.interface,
            k.usage,
            k.order,
            k.precedence,
            k.written,
            k.read,
            k.content,
            k.along,
            memory,
            links,
            found,
            k.found_before,
        )


@compiled
def run_steps_backward(
    stretch: int, weights: Matrices, k: Kept, memories: Floats, links: Floats, by: Gradients
) -> None:
    """Goes back through `run_steps`.

    Args:
        stretch: As it was.
        weights: See `Matrices`.
        k: See `Kept`.
        memories: Room for those of a stretch, ``(stretch + 1, B, W, N)``.
        links: Likewise, ``(stretch + 1, B, N, N)``.
        by: See `Gradients`.
    """
    T = len(k.outs)
    for t in range(T - 1, -1, -1):
        place = t % stretch
        if t == T - 1 or place == stretch - 1:
            _copy_rows(k.memories[t // stretch], memories[0])
            _copy_rows(k.links[t // stretch], links[0])
            again = memories[: place + 2], links[: place + 2]
            replay(t - place, k.starts, k.interface, k.precedence, k.written, *again)
        dnc_step_backward(
            t,
            place,
            k.starts,
            k.interface,
            k.usage,
            k.order,
            k.precedence,
            k.written,
            k.read,
            k.content,
            k.along,
            memories,
            links,
            by.found,
            by.found_before,
            by.memory,
            by.usage,
            by.precedence,
            by.links,
            by.read,
            by.written,
            by.interface,
        )
        add_packed_product(by.interface[t], weights.interface, by.outs[t])
        lstm_step_backward(
            t, k.starts, k.gates, k.cells, k.squashed, by.outs, by.hidden, by.cell, by.gates
        )
        by.hidden[:] = ZERO
        add_packed_product(by.gates[t], weights.hidden, by.hidden)
        by.found_before[:] = ZERO
        add_packed_product(by.gates[t], weights.found, by.found_before)


@inlined
def _copy_rows(old: Floats, new: Floats) -> None:
    for b in range(len(old)):
        copy(old[b], new[b])
