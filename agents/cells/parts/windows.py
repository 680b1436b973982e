"""What cells that keep their last steps share: which steps each step still sees, time in parallel.

Kept things stand in a row of time, the oldest first, and zeros stand where an episode has not yet
had so many steps. A sequence of T steps follows the W kept ones, W + T in all.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from agents.cells.base import Unrolled
from agents.cells.state import S


def steps_before(starts: Tensor, kept: Tensor) -> Tensor:
    """Counts the steps of the same episode that come before each step.

    Args:
        starts: Episode starts, ``(T, B)`` bool.
        kept: How many steps of its episode each row brings along, ``(B,)`` int64.

    Returns:
        ``(T, B)`` int64.
    """
    times = torch.arange(len(starts), device=starts.device).unsqueeze(1)
    last_start = torch.where(starts, times, -1).cummax(dim=0).values
    return torch.where(last_start >= 0, times - last_start, times + kept)


def visible(before: Tensor, window: int) -> Tensor:
    """Says which steps each step sees: itself, and up to `window` earlier ones of its episode.

    Args:
        before: What `steps_before` returns, ``(T, B)``.
        window: How many steps are kept, W.

    Returns:
        ``(B, T, W + T)`` bool.
    """
    steps = len(before)
    times = torch.arange(window + steps, device=before.device)
    distance = times[window:, None] - times
    within = (distance >= 0) & (distance <= window)
    return within & (distance <= before.t().unsqueeze(2))


def keep_last(things: Tensor, starts: Tensor) -> Tensor:
    """Returns what is kept after a sequence, zero where an episode that started in it was shorter.

    Args:
        things: W kept ones and those of T steps, ``(B, W + T, ...)``.
        starts: ``(T, B)`` bool.

    Returns:
        The last W, ``(B, W, ...)``.
    """
    window = things.shape[1] - len(starts)
    last = things[:, len(starts) :]
    # What was kept before counts as long as no episode starts: it has its zeros already.
    kept = starts.new_full(starts.shape[1:], window, dtype=torch.int64)
    ages = torch.arange(window, 0, -1, device=things.device)
    lived = ages <= steps_before(starts, kept)[-1].unsqueeze(1) + 1
    # No product with a mask: what is left behind may be NaN.
    return torch.where(lived.view(lived.shape + (1,) * (last.dim() - 2)), last, last.new_zeros(()))


def in_blocks(
    run: Callable[[Tensor, S, Tensor], tuple[Tensor, S]],
    size: int,
    xs: Tensor,
    state: S,
    starts: Tensor,
) -> Unrolled:
    """Runs a sequence block by block: what grows with the square of its length stays small.

    Args:
        run: Takes inputs, state and starts of a block, returns its outputs and the state after it.
        size: Steps of a block.
        xs: ``(T, B, input_size)``.
        state: The state before the first step.
        starts: ``(T, B)`` bool.
    """
    outs = []
    for some, begun in zip(torch.split(xs, size), torch.split(starts, size), strict=True):
        out, state = run(some, state, begun)
        outs.append(out)
    return Unrolled(torch.cat(outs), state, {})
