"""What a DNC does between its matrix products, compiled: a step forward.

A step goes row by row of the batch, whose memory and links then fit into the fastest cache. Within
a row the slots come last, memory is ``(W, N)``, so that nearly every inner loop runs over slots.
Arrays are float32 unless said otherwise. The letters are those of `agents.cells.dnc.cell`, P is the
size of an interface. An interface holds for each read head key, strength, free gate and three
modes; then key, strength, erase and write vector, allocation gate and write gate.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from agents.cells.dnc.addressing import LIST_SPREAD
from agents.cells.parts.addressing import MIN_NORM
from agents.cells.parts.kernels import ONE, ZERO, Bools, Floats, compiled, exp, sigmoid

Integers = npt.NDArray[np.int32]

SHORTEST = np.float32(MIN_NORM)
_LIST_SPREAD = np.float32(LIST_SPREAD)
# Numbers of a read head in an interface beside its key.
BESIDE_KEY = 5


@compiled
def dnc_step(
    t: int,
    starts: Bools,
    interface: Floats,
    usage: Floats,
    order: Integers,
    precedence: Floats,
    written: Floats,
    read: Floats,
    content: Floats,
    along: Floats,
    memory: Floats,
    links: Floats,
    found: Floats,
    found_before: Floats,
) -> None:
    """Takes step t of the memory.

    Args:
        t: The step, from 0 to T - 1.
        starts: Where episodes start, ``(T, B)``.
        interface: ``(T, B, P)``; step t is replaced by its parts in their ranges.
        usage: Before the first step and after each, ``(T + 1, B, N)``; t + 1 is written.
        order: The free lists, int32 ``(T, B, N)``; step t is written.
        precedence: Like `usage`.
        written: The write weightings, like `usage`.
        read: The read weightings, likewise ``(T + 1, B, R, N)``.
        content: Takes the content weightings of the read heads and the write head,
            ``(T, B, R + 1, N)``.
        along: Takes the forward and the backward weightings, ``(T, B, 2, R, N)``.
        memory: ``(B, W, N)``, is updated.
        links: ``(B, N, N)``, is updated.
        found: Takes what is read, ``(T, B, R * W)``.
        found_before: Takes, at step t + 1, what of it enters that step, ``(T + 1, B, R * W)``.
    """
    T, B, N = order.shape
    R, W = read.shape[2], memory.shape[1]
    nothing, in_turn = np.zeros((1 + R, N), np.float32), np.arange(N).astype(np.int32)
    retained, allocated = np.empty(N, np.float32), np.empty(N, np.float32)
    norms = np.empty(N, np.float32)
    for b in range(B):
        own, slots, between = interface[t, b], memory[b], links[b]
        w, u = written[t + 1, b], usage[t + 1, b]
        old_usage, old_written, old_precedence = usage[t, b], written[t, b], precedence[t, b]
        old_read = read[t, b]
        if starts[t, b]:
            old_usage = old_written = old_precedence = nothing[0]
            old_read = nothing[1:]
            slots[:] = ZERO
            between[:] = ZERO
        squash(own, R, W)
        retain(own, old_read, W, retained)
        use(old_usage, old_written, retained, u)
        sort(u, order[t - 1, b] if t else in_turn, order[t, b])
        allocate(u, order[t, b], allocated)
        lengths(slots, norms)
        weigh(slots, norms, own[R * (W + BESIDE_KEY) :], content[t, b, R])
        choose(own, allocated, content[t, b, R], w)
        write(own, w, slots)
        link(w, old_precedence, between)
        precede(w, old_precedence, precedence[t + 1, b])
        lengths(slots, norms)
        for r in range(R):
            head, ahead, back = own[r * (W + BESIDE_KEY) :], along[t, b, 0, r], along[t, b, 1, r]
            weigh(slots, norms, head, content[t, b, r])
            follow(between, old_read[r], ahead, back)
            mix(head[W + 2 :], back, content[t, b, r], ahead, read[t + 1, b, r])
            look(slots, read[t + 1, b, r], found[t, b, r * W :])
        if t + 1 < T:
            for k in range(R * W):
                found_before[t + 1, b, k] = ZERO if starts[t + 1, b] else found[t, b, k]


@compiled
def squash(interface: Floats, R: int, W: int) -> None:
    """Gets the parts of an interface ``(P,)`` into their ranges, in place."""
    for r in range(R):
        head = interface[r * (W + BESIDE_KEY) + W :]
        head[0], head[1] = oneplus(head[0]), sigmoid(head[1])
        largest = max(head[2], head[3], head[4])
        x, y, z = exp(head[2] - largest), exp(head[3] - largest), exp(head[4] - largest)
        share = ONE / (x + y + z)
        head[2], head[3], head[4] = x * share, y * share, z * share
    head = interface[R * (W + BESIDE_KEY) + W :]
    head[0] = oneplus(head[0])
    for k in range(1, W + 1):
        head[k] = sigmoid(head[k])
    for k in range(2 * W + 1, 2 * W + 3):
        head[k] = sigmoid(head[k])


@compiled
def oneplus(x: np.float32) -> np.float32:
    """Returns one more than the logarithm of ``1 + exp(x)``."""
    result: np.float32 = ONE + max(x, ZERO) + np.float32(math.log1p(exp(-abs(x))))
    return result


@compiled
def retain(interface: Floats, read: Floats, W: int, retained: Floats) -> None:
    """Takes what is not freed, ``(N,)``; `read` is where the heads were, ``(R, N)``."""
    retained[:] = ONE
    for r in range(len(read)):
        free, weights = interface[r * (W + BESIDE_KEY) + W + 1], read[r]
        for i in range(len(retained)):
            retained[i] *= ONE - free * weights[i]


@compiled
def use(old: Floats, written: Floats, retained: Floats, usage: Floats) -> None:
    """Takes the usage after a step; all are ``(N,)``, `written` is that of the step before."""
    for i in range(len(usage)):
        usage[i] = (old[i] + written[i] * (ONE - old[i])) * retained[i]


@compiled
def sort(usage: Floats, near: Integers, order: Integers) -> None:
    """Takes the free list; all are ``(N,)``.

    There is but one, whatever order it is found from. From that of the step before it is found
    quickly, since few slots change their places.
    """
    keys, step = np.empty(len(usage), np.float32), _LIST_SPREAD / np.float32(len(usage))
    for i in range(len(usage)):
        slot = near[i]
        key = usage[slot] * (ONE + step * np.float32(slot))
        place = i
        while place > 0 and (
            keys[place - 1] > key or (keys[place - 1] == key and order[place - 1] > slot)
        ):
            keys[place], order[place] = keys[place - 1], order[place - 1]
            place -= 1
        keys[place], order[place] = key, slot


@compiled
def allocate(usage: Floats, order: Integers, allocated: Floats) -> None:
    """Takes the allocation weighting; all are ``(N,)``."""
    product = ONE
    for m in range(len(order)):
        slot = order[m]
        allocated[slot] = (ONE - usage[slot]) * product
        product *= usage[slot]


@compiled
def lengths(memory: Floats, norms: Floats) -> None:
    """Takes the lengths of the slots of ``(W, N)``, which count as `MIN_NORM` at least."""
    norms[:] = ZERO
    for k in range(len(memory)):
        numbers = memory[k]
        for i in range(len(norms)):
            norms[i] += numbers[i] * numbers[i]
    for i in range(len(norms)):
        norm = np.sqrt(norms[i])
        norms[i] = SHORTEST if norm < SHORTEST else norm


@compiled
def key_length(key: Floats) -> np.float32:
    """Returns the length of a key, which counts as `MIN_NORM` at least."""
    square = ZERO
    for k in range(len(key)):
        square += key[k] * key[k]
    norm: np.float32 = np.sqrt(square)
    return SHORTEST if norm < SHORTEST else norm


@compiled
def cosines(memory: Floats, norms: Floats, key: Floats, found: Floats) -> None:
    """Compares a key ``(W,)`` with all slots; takes ``(N,)``."""
    found[:] = ZERO
    for k in range(len(key)):
        numbers, number = memory[k], key[k]
        for i in range(len(found)):
            found[i] += numbers[i] * number
    share = ONE / key_length(key)
    for i in range(len(found)):
        found[i] *= share / norms[i]


@compiled
def weigh(memory: Floats, norms: Floats, head: Floats, found: Floats) -> None:
    """Takes a content weighting, ``(N,)``; `head` is the interface from the head's key on."""
    W = len(memory)
    cosines(memory, norms, head[:W], found)
    strength, largest, total = head[W], found[0], ZERO
    for i in range(len(found)):
        largest = max(largest, found[i])
    for i in range(len(found)):
        found[i] = exp(strength * (found[i] - largest))
        total += found[i]
    share = ONE / total
    for i in range(len(found)):
        found[i] *= share


@compiled
def choose(interface: Floats, allocated: Floats, content: Floats, written: Floats) -> None:
    """Takes the write weighting; weightings are ``(N,)``."""
    allocation, gate = interface[-2], interface[-1]
    for i in range(len(written)):
        written[i] = gate * (content[i] + allocation * (allocated[i] - content[i]))


@compiled
def write(interface: Floats, written: Floats, memory: Floats) -> None:
    """Erases and adds, in place; `memory` is ``(W, N)``."""
    W = len(memory)
    first = len(interface) - 2 - 2 * W
    for k in range(W):
        numbers, erase, vector = memory[k], interface[first + k], interface[first + W + k]
        for i in range(len(written)):
            numbers[i] = numbers[i] * (ONE - written[i] * erase) + written[i] * vector


@compiled
def link(written: Floats, precedence: Floats, links: Floats) -> None:
    """Updates links ``(N, N)`` in place; `precedence` is that before the step."""
    N = len(written)
    for i in range(N):
        weight, between = written[i], links[i]
        rest = ONE - weight
        for j in range(N):
            between[j] = (rest - written[j]) * between[j] + weight * precedence[j]
        between[i] = ZERO


@compiled
def precede(written: Floats, old: Floats, precedence: Floats) -> None:
    """Takes the precedence after a step; all are ``(N,)``."""
    rest = ONE
    for i in range(len(written)):
        rest -= written[i]
    for i in range(len(written)):
        precedence[i] = old[i] * rest + written[i]


@compiled
def follow(links: Floats, read: Floats, ahead: Floats, back: Floats) -> None:
    """Takes the forward and the backward weighting of a head that was at `read`; all are ``(N,)``.

    Four rows of links are used at a time: then a number that is loaded takes part in more products.
    """
    N = len(read)
    fours = N - N % 4
    back[:] = ZERO
    for i in range(0, fours, 4):
        l0, l1, l2, l3 = links[i], links[i + 1], links[i + 2], links[i + 3]
        r0, r1, r2, r3 = read[i], read[i + 1], read[i + 2], read[i + 3]
        a0 = a1 = a2 = a3 = ZERO
        for j in range(N):
            a0 += l0[j] * read[j]
            a1 += l1[j] * read[j]
            a2 += l2[j] * read[j]
            a3 += l3[j] * read[j]
            back[j] += l0[j] * r0 + l1[j] * r1 + l2[j] * r2 + l3[j] * r3
        ahead[i], ahead[i + 1], ahead[i + 2], ahead[i + 3] = a0, a1, a2, a3
    for i in range(fours, N):
        l0, r0, a0 = links[i], read[i], ZERO
        for j in range(N):
            a0 += l0[j] * read[j]
            back[j] += l0[j] * r0
        ahead[i] = a0


@compiled
def mix(modes: Floats, back: Floats, content: Floats, ahead: Floats, read: Floats) -> None:
    """Takes the read weighting of a head; weightings are ``(N,)``."""
    for i in range(len(read)):
        read[i] = modes[0] * back[i] + modes[1] * content[i] + modes[2] * ahead[i]


@compiled
def look(memory: Floats, read: Floats, found: Floats) -> None:
    """Takes the weighted sum of the slots, into the first W numbers of `found`."""
    for k in range(len(memory)):
        numbers, total = memory[k], ZERO
        for i in range(len(read)):
            total += numbers[i] * read[i]
        found[k] = total
