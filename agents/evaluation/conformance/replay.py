"""The plain truth that an agent is compared with: each episode alone, from its beginning.

One row, a new state, one step after the other: nothing here can reach from one episode or row into
another, whatever the agent does where they are mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agents.cells.state import detach_state
from agents.evaluation.conformance.adapter import Adapter, Step
from agents.evaluation.conformance.probe import Taken

# Of float32 sums in another order. What is looked for is larger by orders of magnitude.
TOLERANCE = 2e-5
Array = npt.NDArray[Any]


def numbers(x: Any) -> Array:
    """Returns a tensor's or array's numbers, without its gradient."""
    return np.asarray(x.detach().cpu().numpy() if isinstance(x, Tensor) else x, np.float64)


def apart(a: Any, b: Any) -> float:
    """Returns the largest difference, relative where the numbers are larger than 1."""
    one, other = numbers(a), numbers(b)
    if one.shape != other.shape or not one.size:
        return float("inf") if one.shape != other.shape else 0.0
    difference = np.abs(one - other) / np.maximum(1.0, np.abs(other))
    return float("inf") if np.isnan(difference).any() else float(difference.max())


def wrong(got: Any, right: Any) -> npt.NDArray[np.bool_]:
    """Returns where numbers differ from the right ones by more than rounding; NaN always does."""
    one, other = numbers(got), numbers(right)
    with np.errstate(invalid="ignore"):
        near: npt.NDArray[np.bool_] = np.abs(one - other) <= TOLERANCE * np.maximum(
            1.0, np.abs(other)
        )
    return ~near


def one_step(agent: Adapter, taken: Taken, state: Any, starts: bool, masked: bool = False) -> Step:
    """Takes one step of one row."""
    masks = taken.mask[None] if masked else None
    return agent.step(taken.observation[None], state, np.array([starts]), masks)


class Replayed(NamedTuple):
    """An episode, played again.

    Attributes:
        log_probs: One ``(choices,)`` for each step.
        values: One number for each step; None without a critic.
        states: The memory after each step.
    """

    log_probs: list[Any]
    values: list[Any]
    states: list[Any]


def replay(
    agent: Adapter,
    episode: Sequence[Taken],
    masked: bool = False,
    gradients: bool = False,
    cuts: Sequence[int] = (),
) -> Replayed:
    """Plays an episode's observations again, alone and from a new state.

    Args:
        agent: Whose step it is.
        episode: Steps from the first one on.
        masked: Whether to give the masks.
        gradients: Whether what is given out carries gradients.
        cuts: Times before which the gradient is cut.
    """
    state: Any = None
    log_probs, values, states = [], [], []
    with torch.set_grad_enabled(gradients):
        for taken in episode:
            if taken.time in cuts and state is not None:
                state = detach_state(state)
            step = one_step(agent, taken, state, taken.time == 0, masked)
            state = step.state
            log_probs.append(step.log_probs[0])
            values.append(None if step.values is None else step.values[0])
            states.append(state)
    return Replayed(log_probs, values, states)
