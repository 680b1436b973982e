"""The time loop: a cell over a sequence, rows reset where an episode starts."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.cells.base import FusedCell, MemoryCell, Unrolled, start_masks
from agents.cells.state import S, state_tensors, where_state


def unroll(cell: MemoryCell[S], xs: Tensor, state: S, starts: Tensor) -> Unrolled:
    """Runs a cell over T steps, by its fused path where it has one.

    At step t the rows with ``starts[t]`` True enter with `cell.initial_state` in place of what they
    carried: no value and no gradient crosses from one episode into the next.

    Args:
        cell: Any memory cell.
        xs: ``(T, B, input_size)``, T at least 1.
        state: The state before the first step, of B rows.
        starts: ``(T, B)`` bool.

    Raises:
        ValueError: If `xs` or `starts` has another shape or type, or the state other rows.
    """
    if xs.dim() != 3 or len(xs) == 0 or xs.shape[2] != cell.input_size:
        allowed = f"(T, B, {cell.input_size}) with T from 1 on"
        raise ValueError(f"the shape of xs is {tuple(xs.shape)}; allowed: {allowed}")
    if starts.shape != xs.shape[:2] or starts.dtype != torch.bool:
        allowed = f"{tuple(xs.shape[:2])} as of xs, of torch.bool"
        raise ValueError(f"starts is {tuple(starts.shape)} of {starts.dtype}; allowed: {allowed}")
    rows = {len(part) for part in state_tensors(state)}
    if rows - {xs.shape[1]}:
        raise ValueError(f"the state has {rows} rows; allowed: {xs.shape[1]} as of xs")
    if isinstance(cell, FusedCell) and cell.keeps_pace and cell.takes(xs):
        return cell.sequence(xs, state, starts.contiguous())
    return unroll_steps(cell, xs, state, starts)


def unroll_steps(cell: MemoryCell[S], xs: Tensor, state: S, starts: Tensor) -> Unrolled:
    """Runs a cell step by step; the arguments and the result are those of `unroll`."""
    initial = cell.initial_state(xs.shape[1])
    outs = []
    losses: dict[str, list[Tensor]] = {name: [] for name in cell.loss_weights}
    for x, mask in zip(xs.unbind(), start_masks(starts), strict=True):
        if mask is not None:
            state = where_state(mask, initial, state)
        out, state, step_losses = cell.forward_with_losses(x, state)
        outs.append(out)
        for name, parts in losses.items():
            parts.append(step_losses[name])
    return Unrolled(
        torch.stack(outs), state, {name: torch.stack(parts) for name, parts in losses.items()}
    )
