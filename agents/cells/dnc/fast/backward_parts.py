"""The way back through each part of a step, for one row.

Names and shapes are those of the parts in `agents.cells.dnc.fast.kernels`; ``by_x`` is the gradient
by x, and is added to where x is used in more than one place.
"""

from __future__ import annotations

import math

import numpy as np

from agents.cells.dnc.fast.kernels import (
    BESIDE_KEY,
    SHORTEST,
    Integers,
    cosines,
    follow,
    key_length,
)
from agents.cells.parts.kernels import ONE, ZERO, Floats, compiled


@compiled
def look_backward(
    memory: Floats, read: Floats, by_found: Floats, by_read: Floats, by_memory: Floats
) -> None:
    """Adds to the gradients by read weighting and memory."""
    for k in range(len(memory)):
        numbers, by_numbers, by = memory[k], by_memory[k], by_found[k]
        for i in range(len(read)):
            by_read[i] += by * numbers[i]
        for i in range(len(read)):
            by_numbers[i] += by * read[i]


@compiled
def mix_backward(
    modes: Floats, back: Floats, content: Floats, ahead: Floats, by_read: Floats, by_modes: Floats
) -> None:
    """Takes the gradient by what enters the softmax of the modes."""
    x = y = z = ZERO
    for i in range(len(back)):
        x += by_read[i] * back[i]
        y += by_read[i] * content[i]
        z += by_read[i] * ahead[i]
    mean = modes[0] * x + modes[1] * y + modes[2] * z
    by_modes[0], by_modes[1] = modes[0] * (x - mean), modes[1] * (y - mean)
    by_modes[2] = modes[2] * (z - mean)


@compiled
def weigh_backward(
    memory: Floats,
    norms: Floats,
    head: Floats,
    content: Floats,
    by_content: Floats,
    found: Floats,
    by_memory: Floats,
    by_head: Floats,
) -> None:
    """Adds to the gradient by the memory, takes those by key and strength.

    A length that counts as `MIN_NORM` has no gradient. `by_content` and `found` are overwritten.
    """
    W, N = memory.shape
    key, strength, norm = head[:W], head[W], key_length(head[:W])
    cosines(memory, norms, key, found)
    mean = by_strength = by_norm = ZERO
    for i in range(N):
        mean += content[i] * by_content[i]
    for i in range(N):
        by_power = content[i] * (by_content[i] - mean)
        by_strength += by_power * found[i]
        by_cosine = strength * by_power
        by_norm += by_cosine * found[i]
        share = ONE / norms[i]
        by_content[i] = by_cosine * share / norm
        found[i] = by_cosine * found[i] * share * share if norms[i] > SHORTEST else ZERO
    by_norm = by_norm / (norm * norm) if norm > SHORTEST else ZERO
    for k in range(W):
        numbers, by_numbers, number, by_number = memory[k], by_memory[k], key[k], ZERO
        for i in range(N):
            by_number += by_content[i] * numbers[i]
            by_numbers[i] += by_content[i] * number - found[i] * numbers[i]
        by_head[k] = by_number - by_norm * number
    by_head[W] = by_strength


@compiled
def follow_backward(
    links: Floats,
    read: Floats,
    modes: Floats,
    by_read: Floats,
    by_links: Floats,
    ahead: Floats,
    back: Floats,
) -> None:
    """Adds to the gradient by the links, and replaces that by a read weighting by that by the last.

    The modes' shares of it are the gradients by forward and backward weighting; they follow the
    links the other way. `ahead` and `back` are overwritten.
    """
    N = len(read)
    for i in range(N):
        by_between, from_ahead, from_back = by_links[i], modes[2] * by_read[i], modes[0] * read[i]
        for j in range(N):
            by_between[j] += from_ahead * read[j] + from_back * by_read[j]
    follow(links, by_read, ahead, back)
    for i in range(N):
        by_read[i] = modes[0] * ahead[i] + modes[2] * back[i]


@compiled
def precede_backward(
    written: Floats, old: Floats, by_precedence: Floats, by_written: Floats
) -> None:
    """Adds to the gradient by the write weighting, and replaces that by the precedence."""
    rest, total = ONE, ZERO
    for i in range(len(written)):
        rest -= written[i]
        total += by_precedence[i] * old[i]
    for i in range(len(written)):
        by_written[i] += by_precedence[i] - total
        by_precedence[i] *= rest


@compiled
def link_backward(
    written: Floats,
    precedence: Floats,
    old: Floats,
    by_links: Floats,
    by_written: Floats,
    by_precedence: Floats,
) -> None:
    """Adds to the gradients by write weighting and precedence, and replaces that by the links.

    Four rows at a time, as in `agents.cells.dnc.fast.kernels.follow`.
    """
    N = len(written)
    fours = N - N % 4
    for i in range(N):
        by_links[i, i] = ZERO
    for i in range(0, fours, 4):
        b0, b1, b2, b3 = by_links[i], by_links[i + 1], by_links[i + 2], by_links[i + 3]
        l0, l1, l2, l3 = old[i], old[i + 1], old[i + 2], old[i + 3]
        w0, w1, w2, w3 = written[i], written[i + 1], written[i + 2], written[i + 3]
        s0 = s1 = s2 = s3 = ZERO
        for j in range(N):
            s0 += b0[j] * precedence[j]
            s1 += b1[j] * precedence[j]
            s2 += b2[j] * precedence[j]
            s3 += b3[j] * precedence[j]
            by_precedence[j] += b0[j] * w0 + b1[j] * w1 + b2[j] * w2 + b3[j] * w3
        for j in range(N):
            g0, g1, g2, g3 = b0[j] * l0[j], b1[j] * l1[j], b2[j] * l2[j], b3[j] * l3[j]
            s0 -= g0
            s1 -= g1
            s2 -= g2
            s3 -= g3
            by_written[j] -= g0 + g1 + g2 + g3
        by_written[i] += s0
        by_written[i + 1] += s1
        by_written[i + 2] += s2
        by_written[i + 3] += s3
    for i in range(fours, N):
        b0, l0, w0, s0 = by_links[i], old[i], written[i], ZERO
        for j in range(N):
            s0 += b0[j] * (precedence[j] - l0[j])
            by_precedence[j] += b0[j] * w0
        for j in range(N):
            by_written[j] -= b0[j] * l0[j]
        by_written[i] += s0
    for i in range(N):
        by_between, rest = by_links[i], ONE - written[i]
        for j in range(N):
            by_between[j] *= rest - written[j]


@compiled
def write_backward(
    interface: Floats,
    written: Floats,
    old: Floats,
    by_memory: Floats,
    by_written: Floats,
    by_interface: Floats,
) -> None:
    """Takes the gradients by erase and write vector, and replaces that by the memory.

    Adds to that by the write weighting.
    """
    W = len(old)
    first = len(interface) - 2 - 2 * W
    for k in range(W):
        numbers, by_numbers, by_erase, by_vector = old[k], by_memory[k], ZERO, ZERO
        erase, vector = interface[first + k], interface[first + W + k]
        for i in range(len(written)):
            by, number, weight = by_numbers[i], numbers[i], written[i]
            by_vector += by * weight
            by_erase -= by * weight * number
            by_written[i] += by * (vector - number * erase)
            by_numbers[i] = by * (ONE - weight * erase)
        by_interface[first + k], by_interface[first + W + k] = by_erase, by_vector


@compiled
def choose_backward(
    interface: Floats,
    allocated: Floats,
    content: Floats,
    by_written: Floats,
    by_content: Floats,
    by_interface: Floats,
) -> None:
    """Takes the gradients by gates and content weighting.

    That by the allocation weighting takes the place of that by the write weighting.
    """
    allocation, gate = interface[-2], interface[-1]
    by_allocation = by_gate = ZERO
    for i in range(len(content)):
        by, difference = by_written[i], allocated[i] - content[i]
        by_gate += by * (content[i] + allocation * difference)
        by_allocation += by * gate * difference
        by_content[i] = by * gate * (ONE - allocation)
        by_written[i] = by * gate * allocation
    by_interface[-2], by_interface[-1] = by_allocation, by_gate


@compiled
def allocate_backward(
    usage: Floats, order: Integers, by_allocated: Floats, by_usage: Floats
) -> None:
    """Adds to the gradient by the usage."""
    N = len(order)
    products, product = np.empty(N, np.float32), ONE
    for m in range(N):
        products[m] = product
        product *= usage[order[m]]
    by_product = ZERO
    for m in range(N - 1, -1, -1):
        slot = order[m]
        by_usage[slot] += (by_product - by_allocated[slot]) * products[m]
        by_product = by_product * usage[slot] + by_allocated[slot] * (ONE - usage[slot])


@compiled
def use_backward(
    old: Floats,
    old_written: Floats,
    retained: Floats,
    by_usage: Floats,
    by_written: Floats,
    by_retained: Floats,
) -> None:
    """Takes the gradient by what is retained, and those by usage and write weighting before."""
    for i in range(len(old)):
        by = by_usage[i]
        by_retained[i] = by * (old[i] + old_written[i] * (ONE - old[i]))
        by_usage[i] = by * retained[i] * (ONE - old_written[i])
        by_written[i] = by * retained[i] * (ONE - old[i])


@compiled
def retain_backward(
    interface: Floats, read: Floats, W: int, by_retained: Floats, by_read: Floats, by_own: Floats
) -> None:
    """Takes the gradient by the free gates, adds to that by the last read weightings."""
    R, N = read.shape
    others = np.empty(N, np.float32)
    for r in range(R):
        others[:] = by_retained
        for s in range(R):
            if s != r:
                free, weights = interface[s * (W + BESIDE_KEY) + W + 1], read[s]
                for i in range(N):
                    others[i] *= ONE - free * weights[i]
        place = r * (W + BESIDE_KEY) + W + 1
        free, by_free, weights, by_weights = interface[place], ZERO, read[r], by_read[r]
        for i in range(N):
            by_free -= others[i] * weights[i]
            by_weights[i] -= others[i] * free
        by_own[place] = by_free


@compiled
def squash_backward(interface: Floats, R: int, W: int, by_interface: Floats) -> None:
    """Gets gradients by parts in their ranges to those by the parts before, except for modes."""
    for r in range(R):
        place = r * (W + BESIDE_KEY) + W
        by_interface[place] *= oneplus_slope(interface[place])
        by_interface[place + 1] *= sigmoid_slope(interface[place + 1])
    place = R * (W + BESIDE_KEY) + W
    by_interface[place] *= oneplus_slope(interface[place])
    for k in range(place + 1, place + W + 1):
        by_interface[k] *= sigmoid_slope(interface[k])
    for k in range(len(interface) - 2, len(interface)):
        by_interface[k] *= sigmoid_slope(interface[k])


@compiled
def sigmoid_slope(y: np.float32) -> np.float32:
    """Returns the slope of a sigmoid where its value is y."""
    return y * (ONE - y)


@compiled
def oneplus_slope(y: np.float32) -> np.float32:
    """Returns the slope of oneplus where its value is y."""
    return np.float32(-math.expm1(ONE - y))
