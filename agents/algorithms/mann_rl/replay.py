"""What the memory-net learns from: the latest steps, of which pairs are drawn (section 3)."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor


class Step(NamedTuple):
    """A step of C columns, without gradients.

    Attributes:
        memory: The memories that entered it, ``(C, memory_size)``.
        inputs: Encoded inputs, ``(C, input_size)``.
        outputs: What the action network made of them, ``(C, choices)``.
        losses: Of the answers, ``(C,)``.
        starts: Which columns began a stream, ``(C,)`` bool.
    """

    memory: Tensor
    inputs: Tensor
    outputs: Tensor
    losses: Tensor
    starts: Tensor


class Pairs(NamedTuple):
    """N steps, and the step of the same stream that follows each."""

    now: Step
    following: Step


class Replay:
    """The latest steps.

    Args:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self._steps: deque[Step] = deque(maxlen=size)

    def add(self, step: Step) -> None:
        """Keeps a step; the oldest goes if there are too many."""
        self._steps.append(step)

    def sample(self, count: int, generator: torch.Generator) -> Pairs:
        """Draws pairs (t, t + 1) without replacement; pairs that two streams share are left out.

        Args:
            count: Times t that are drawn, of which each gives a pair for every column.
            generator: Source of randomness.
        """
        order = torch.randperm(len(self._steps) - 1, generator=generator, device=generator.device)
        times = order[:count].tolist()
        now = _joined([self._steps[t] for t in times])
        following = _joined([self._steps[t + 1] for t in times])
        same = ~following.starts
        return Pairs(Step(*(part[same] for part in now)), Step(*(part[same] for part in following)))


def _joined(steps: list[Step]) -> Step:
    return Step(*(torch.cat(parts) for parts in zip(*steps, strict=True)))
