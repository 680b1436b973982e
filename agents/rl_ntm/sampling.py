"""Moves drawn by chance, compiled, row by row."""

from __future__ import annotations

import math

from agents.rl_ntm.kernels import Bools, Floats, Ints, compiled


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
    for j in range(len(moves)):
        first = 0
        for m in range(len(sizes)):
            largest, total, drawn = -math.inf, 0.0, -1
            for c in range(first, first + sizes[m]):
                if masks[j, c]:
                    largest = max(largest, temperature * logits[j, c])
                    drawn = c if drawn < 0 else drawn
            for c in range(first, first + sizes[m]):
                if masks[j, c]:
                    total += math.exp(temperature * logits[j, c] - largest)
            left = levels[j, m] * total
            for c in range(first, first + sizes[m]):
                if masks[j, c]:
                    weight = math.exp(temperature * logits[j, c] - largest)
                    # Rounded, the level may lie behind all: the last possible choice has it.
                    drawn = c if weight > 0.0 else drawn
                    left -= weight
                    if left < 0.0:
                        break
            moves[j, m] = drawn - first
            first += sizes[m]
