"""Moves drawn at random, compiled, row by row."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from agents.algorithms.rl_ntm.controller import Scores
from agents.algorithms.rl_ntm.fast.kernels import Bools, Floats, compiled
from agents.algorithms.rl_ntm.policy import RLNTMPolicy
from agents.algorithms.rl_ntm.unroll import Ints


class DrawnMoves:
    """The moves of one step, drawn in a fraction of the time that `RLNTMPolicy.moves` takes.

    Args:
        policy: The policy, with the sizes of the moves and the inverse temperature.
        scores: The scores of n rows.
        masks: The choices allowed, ``(n, sum(move_sizes))`` bool.
    """

    def __init__(self, policy: RLNTMPolicy, scores: Scores, masks: Tensor) -> None:
        self._logits, self._masks = scores.moves.detach().numpy(), masks.numpy()
        self._sizes = np.array(policy.interfaces.move_sizes)
        self._temperature = policy.inverse_temperature

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Returns random moves, ``(n, moves)``."""
        shape = len(self._logits), len(self._sizes)
        levels = torch.rand(shape, generator=generator).numpy()
        moves = np.empty(shape, np.int64)
        draw(self._logits, self._masks, levels, self._sizes, self._temperature, moves)
        return torch.from_numpy(moves)

    def mode(self) -> Tensor:
        """Returns the most probable moves, ``(n, moves)``."""
        allowed = np.where(self._masks, self._logits, -np.inf)
        parts = np.split(allowed, self._sizes.cumsum()[:-1], axis=1)
        return torch.from_numpy(np.stack([part.argmax(axis=1) for part in parts], axis=1))


@compiled
def draw(
    logits: Floats, masks: Bools, levels: Floats, sizes: Ints, temperature: float, moves: Ints
) -> None:
    """Inverts the distribution function of each move.

    Args:
        logits: Logits of all choices, side by side, ``(n, sum(sizes))``.
        masks: Choices that are allowed, ``(n, sum(sizes))``; at least one of each move.
        levels: Uniform random numbers in [0, 1), ``(n, moves)``.
        sizes: Number of choices of each move, ``(moves,)``.
        temperature: Inverse temperature, by which logits are multiplied.
        moves: Array that takes what was drawn, ``(n, moves)``.
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
