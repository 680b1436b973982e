"""Moves drawn by chance, compiled, row by row."""

from __future__ import annotations

import math

import numpy as np

from agents.algorithms.rl_ntm.fast.kernels import Bools, Floats, Ints, compiled


@compiled
def draw(
    logits: Floats, masks: Bools, levels: Floats, sizes: Ints, temperature: float, moves: Ints
) -> None:
    """Invert the distribution function of each move.

    Args:
        logits: of all choices, side by side, ``(n, sum(sizes))``.
        masks: which are allowed, ``(n, sum(sizes))``; of each move at least one.
        levels: uniform in [0, 1), ``(n, moves)``.
        sizes: choices of each move, ``(moves,)``.
        temperature: the inverse one, that logits are multiplied by.
        moves: takes what was drawn, ``(n, moves)``.
    """
    weights = np.empty(logits.shape[1])
    for j in range(len(moves)):
        first = 0
        for m in range(len(sizes)):
            last, largest, total = first + sizes[m], -math.inf, 0.0
            for c in range(first, last):
                weights[c] = temperature * logits[j, c] if masks[j, c] else -math.inf
                largest = max(largest, weights[c])
            for c in range(first, last):
                weights[c] = math.exp(weights[c] - largest) if masks[j, c] else 0.0
                total += weights[c]
            left, drawn = levels[j, m] * total, first
            for c in range(first, last):
                # Rounded, the level may lie behind all: the last possible choice has it.
                drawn = c if weights[c] > 0.0 else drawn
                left -= weights[c]
                if left < 0.0:
                    break
            moves[j, m] = drawn - first
            first = last
