"""The time loop: a cell over a sequence, rows reset where an episode starts."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.cells.base import FusedCell, MemoryCell, start_masks
from agents.cells.state import S, where_state


def unroll(cell: MemoryCell[S], xs: Tensor, state: S, starts: Tensor) -> tuple[Tensor, S]:
    """Runs a cell over T steps, by its fused path where it has one.

    At step t the rows with ``starts[t]`` True enter with `cell.initial_state` in place of what they
    carried: no value and no gradient crosses from one episode into the next.

    Args:
        cell: Any memory cell.
        xs: ``(T, B, input_size)``, T at least 1.
        state: The state before the first step, of B rows.
        starts: ``(T, B)`` bool.

    Returns:
        The outputs ``(T, B, output_size)`` and the state after the last step.

    Raises:
        ValueError: If `xs` or `starts` has another shape or type.
    """
    if xs.dim() != 3 or len(xs) == 0 or xs.shape[2] != cell.input_size:
        allowed = f"(T, B, {cell.input_size}) with T from 1 on"
        raise ValueError(f"the shape of xs is {tuple(xs.shape)}; allowed: {allowed}")
    if starts.shape != xs.shape[:2] or starts.dtype != torch.bool:
        allowed = f"{tuple(xs.shape[:2])} as of xs, of torch.bool"
        raise ValueError(f"starts is {tuple(starts.shape)} of {starts.dtype}; allowed: {allowed}")
    if isinstance(cell, FusedCell) and xs.dtype == torch.float32 and xs.device.type == "cpu":
        return cell.sequence(xs, state, starts.contiguous())
    return unroll_steps(cell, xs, state, starts)


def unroll_steps(cell: MemoryCell[S], xs: Tensor, state: S, starts: Tensor) -> tuple[Tensor, S]:
    """Runs a cell step by step; the arguments and the result are those of `unroll`."""
    initial = cell.initial_state(xs.shape[1])
    outs = []
    for x, mask in zip(xs.unbind(), start_masks(starts), strict=True):
        if mask is not None:
            state = where_state(mask, initial, state)
        out, state = cell(x, state)
        outs.append(out)
    return torch.stack(outs), state
