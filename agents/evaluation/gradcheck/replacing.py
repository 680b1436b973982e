"""What the adapters need of the models that they take apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from torch import Tensor, nn

from agents.evaluation.gradcheck.sampler import OVER


@contextmanager
def replaced(target: Any, **attributes: Any) -> Iterator[None]:
    """An object with other attributes of its own for a while; its class is left alone."""
    own = vars(target)
    before = {name: own[name] for name in attributes if name in own}
    own.update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            del own[name]
        own.update(before)


@contextmanager
def kept_buffers(module: nn.Module) -> Iterator[None]:
    """A module whose buffers, such as running means, are afterwards what they were."""
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    try:
        yield
    finally:
        for name, buffer in module.named_buffers():
            if not torch.equal(buffer, before[name]):  # a graph may hold those that never change
                buffer.copy_(before[name])


def quiet_callback(model: Any) -> BaseCallback:
    """A callback that does nothing."""
    callback = CallbackList([])
    callback.init_callback(model)
    return callback


def lengths(plan: Tensor) -> list[int]:
    """The steps of each sequence of a plan."""
    steps: list[int] = (plan != OVER).any(dim=2).sum(dim=0).tolist()
    return steps


@torch.no_grad()
def settle(baseline: nn.Module, returns: Tensor, plan: Tensor, probabilities: Tensor) -> None:
    """Set a `TimeBaseline` to what it tends to: the expected rewards-to-go of each time step.

    Args:
        baseline: is set.
        returns: rewards-to-go, ``(at least T, B)``.
        plan: of the sequences.
        probabilities: of the sequences, ``(B,)``.
    """
    weights = (plan != OVER).any(dim=2) * probabilities
    steps = len(plan)
    means = baseline.get_buffer("means")
    means[:steps] = (returns[:steps] * weights).sum(dim=1) / weights.sum(dim=1)
    baseline.get_buffer("updates")[:steps] = 1.0
