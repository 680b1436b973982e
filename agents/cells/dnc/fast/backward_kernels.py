"""What a DNC does between its matrix products, compiled: the way back through a step.

Memory and links are not kept for each step: `replay` makes them again, for some steps at a time,
from what was written. Names and shapes are those of `agents.cells.dnc.fast.kernels`; ``by_x`` is
the gradient by x.
"""

from __future__ import annotations

import numpy as np

from agents.cells.dnc.fast.backward_parts import (
    allocate_backward,
    choose_backward,
    follow_backward,
    link_backward,
    look_backward,
    mix_backward,
    precede_backward,
    retain_backward,
    squash_backward,
    use_backward,
    weigh_backward,
    write_backward,
)
from agents.cells.dnc.fast.kernels import (
    BESIDE_KEY,
    Integers,
    allocate,
    lengths,
    link,
    retain,
    write,
)
from agents.cells.parts.kernels import ZERO, Bools, Floats, compiled


@compiled
def replay(
    first: int,
    starts: Bools,
    interface: Floats,
    precedence: Floats,
    written: Floats,
    memories: Floats,
    links: Floats,
) -> None:
    """Makes memory and links again, after K steps from `first` on.

    Args:
        first: The first of these steps.
        starts: ``(T, B)``.
        interface: ``(T, B, P)``, in its ranges.
        precedence: ``(T + 1, B, N)``.
        written: ``(T + 1, B, N)``.
        memories: Those before the first of the steps, and after each, ``(K + 1, B, W, N)``; all but
            the first are written.
        links: Likewise, ``(K + 1, B, N, N)``.
    """
    B, N = written.shape[1:]
    no_precedence = np.zeros(N, np.float32)
    for b in range(B):
        for k in range(len(memories) - 1):
            t, memory, between = first + k, memories[k + 1, b], links[k + 1, b]
            if starts[t, b]:
                old_precedence = no_precedence
                memory[:] = ZERO
                between[:] = ZERO
            else:
                old_precedence = precedence[t, b]
                copy(memories[k, b], memory)
                copy(links[k, b], between)
            write(interface[t, b], written[t + 1, b], memory)
            link(written[t + 1, b], old_precedence, between)


@compiled
def dnc_step_backward(
    t: int,
    place: int,
    starts: Bools,
    interface: Floats,
    usage: Floats,
    order: Integers,
    precedence: Floats,
    written: Floats,
    read: Floats,
    content: Floats,
    along: Floats,
    memories: Floats,
    links: Floats,
    by_found_after: Floats,
    by_found_before: Floats,
    by_memory: Floats,
    by_usage: Floats,
    by_precedence: Floats,
    by_links: Floats,
    by_read: Floats,
    by_written: Floats,
    by_interface: Floats,
) -> None:
    """Goes back through step t of the memory.

    Args:
        t: See `agents.cells.dnc.fast.kernels.dnc_step`; so are those from `starts` to `along`, as
            the forward pass left them.
        place: Where memory and links before step t are in `memories` and `links`.
        starts: ``(T, B)``.
        interface: ``(T, B, P)``.
        usage: ``(T + 1, B, N)``.
        order: ``(T, B, N)``.
        precedence: ``(T + 1, B, N)``.
        written: ``(T + 1, B, N)``.
        read: ``(T + 1, B, R, N)``.
        content: ``(T, B, R + 1, N)``.
        along: ``(T, B, 2, R, N)``.
        memories: See `replay`.
        links: See `replay`.
        by_found_after: The gradient by the outputs' part of what was read, ``(T, B, R * W)``.
        by_found_before: That by what of it entered step t + 1, ``(B, R * W)``.
        by_memory: The gradient by the memory after step t, ``(B, W, N)``; is replaced by that by
            the memory before it. So are the next five.
        by_usage: ``(B, N)``.
        by_precedence: ``(B, N)``.
        by_links: ``(B, N, N)``.
        by_read: ``(B, R, N)``.
        by_written: ``(B, N)``.
        by_interface: Takes, at step t, that by the interface, ``(T, B, P)``.
    """
    T, B, N = order.shape
    R, W = read.shape[2], memories.shape[2]
    nothing, no_memory = np.zeros((1 + R, N), np.float32), np.zeros((W, N), np.float32)
    no_links = np.zeros((N, N), np.float32)
    norms, numbers = np.empty(N, np.float32), np.empty(N, np.float32)
    more, by_found = np.empty(N, np.float32), np.empty(W, np.float32)
    for b in range(B):
        own, u, w = interface[t, b], usage[t + 1, b], written[t + 1, b]
        memory, between = memories[place + 1, b], links[place + 1, b]
        old_memory, old_between = memories[place, b], links[place, b]
        old_usage, old_written, old_precedence = usage[t, b], written[t, b], precedence[t, b]
        old_read = read[t, b]
        if starts[t, b]:
            old_memory, old_between, old_read = no_memory, no_links, nothing[1:]
            old_usage = old_written = old_precedence = nothing[0]
        by_own, by_w, by_slots, by_between = (
            by_interface[t, b],
            by_written[b],
            by_memory[b],
            by_links[b],
        )
        entered = t + 1 < T and not starts[t + 1, b]
        lengths(memory, norms)
        for r in range(R):
            place_of_head, weights, by_weights = (
                r * (W + BESIDE_KEY),
                read[t + 1, b, r],
                by_read[b, r],
            )
            head, by_head = own[place_of_head:], by_own[place_of_head:]
            modes, ahead, back = head[W + 2 :], along[t, b, 0, r], along[t, b, 1, r]
            for k in range(W):
                by_found[k] = by_found_after[t, b, r * W + k]
                if entered:
                    by_found[k] += by_found_before[b, r * W + k]
            look_backward(memory, weights, by_found, by_weights, by_slots)
            mix_backward(modes, back, content[t, b, r], ahead, by_weights, by_head[W + 2 :])
            for i in range(N):
                numbers[i] = modes[1] * by_weights[i]
            weigh_backward(memory, norms, head, content[t, b, r], numbers, more, by_slots, by_head)
            follow_backward(between, old_read[r], modes, by_weights, by_between, numbers, more)
        precede_backward(w, old_precedence, by_precedence[b], by_w)
        link_backward(w, old_precedence, old_between, by_between, by_w, by_precedence[b])
        write_backward(own, w, old_memory, by_slots, by_w, by_own)
        allocate(u, order[t, b], more)
        choose_backward(own, more, content[t, b, R], by_w, numbers, by_own)
        allocate_backward(u, order[t, b], by_w, by_usage[b])
        lengths(old_memory, norms)
        head, by_head = own[R * (W + BESIDE_KEY) :], by_own[R * (W + BESIDE_KEY) :]
        weigh_backward(old_memory, norms, head, content[t, b, R], numbers, more, by_slots, by_head)
        retain(own, old_read, W, more)
        use_backward(old_usage, old_written, more, by_usage[b], by_w, numbers)
        retain_backward(own, old_read, W, numbers, by_read[b], by_own)
        squash_backward(own, R, W, by_own)
        if starts[t, b]:
            by_slots[:], by_between[:], by_w[:] = ZERO, ZERO, ZERO
            by_usage[b], by_precedence[b], by_read[b] = ZERO, ZERO, ZERO


@compiled
def copy(old: Floats, new: Floats) -> None:
    """Copies a matrix; an assignment of Numba's would copy it twice, lest they overlap."""
    for m in range(len(old)):
        before, after = old[m], new[m]
        for i in range(len(before)):
            after[i] = before[i]
