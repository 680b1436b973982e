"""MNM over a whole sequence: one autograd function, its rows shared out to threads.

Rows share nothing but weights. So threads, as many as PyTorch uses, take rows of their own through
all steps and wait for each other at the end alone. What comes of a row does not depend on their
number.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.cells.mnm.fast.norm import EPS
from agents.cells.mnm.fast.records import Gradients, Record, Switches, Weights
from agents.cells.mnm.fast.steps import run_rows, run_rows_backward
from agents.cells.parts.gated import weight_gradient
from agents.cells.parts.products import pack
from agents.cells.parts.threads import in_threads, row_chunks

# What rows that go together have in memories and their gradients: a part of a core's own cache.
_BLOCK_BYTES = 2**21
_ROWS_AT_ONCE = 6  # `agents.cells.parts.products` takes them so


class Carried(NamedTuple):
    """What goes from step to step.

    Attributes:
        entering: What of the controller's output and the last read enters a step, the E last of
            their numbers, ``(B, E)``: both, or the read alone.
        cell: Cell state, ``(B, U)``.
        memory: ``(B, L, D, D)``.
    """

    entering: Tensor
    cell: Tensor
    memory: Tensor


class Parameters(NamedTuple):
    """Those of `agents.cells.mnm.fast.records.Weights`, as tensors, none transposed."""

    recurrent: Tensor
    interface: Tensor
    interface_bias: Tensor
    rate: Tensor
    rate_bias: Tensor
    feedback: Tensor
    feedback_bias: Tensor
    initial_memory: Tensor


def run_sequence(
    projected: Tensor,
    carried: Carried,
    parameters: Parameters,
    starts: Tensor,
    heads: int,
    recalls: bool,
    switches: Switches,
) -> tuple[Tensor, Carried, Tensor]:
    """Takes T steps, but for the input and output layers.

    Args:
        projected: What the inputs add to the gates, ``(T, B, G)``.
        carried: What enters the first step.
        parameters: See `Parameters`.
        starts: ``(T, B)``.
        heads: H.
        recalls: Whether the meta objective is computed.
        switches: See `Switches`.

    Returns:
        Hidden states and reads, ``(T, B, U + D)``; what leaves the last step; the meta objective,
        ``(T, B)``.
    """
    inputs = projected, *carried, *parameters, starts, heads, recalls, switches
    outs, cell, memory, missed = _Sequence.apply(*inputs)  # type: ignore[no-untyped-call]  # PyTorch
    leaving = outs[-1, :, -carried.entering.shape[1] :]
    return outs, Carried(leaving, cell, memory), missed


class _Sequence(torch.autograd.Function):
    """See `run_sequence`."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, *rest: Any) -> tuple[Tensor, ...]:
        carried, parameters = Carried(*rest[:3]), Parameters(*rest[3:11])
        starts, heads, recalls, switches = rest[11:]
        queries = 2 * heads if recalls else heads
        kept = _make_room(
            projected, carried, parameters, starts, heads, queries, switches.by_gradient
        )
        first = starts[0].view(-1, 1, 1, 1)
        memory = torch.where(first, parameters.initial_memory, carried.memory)
        memory = memory.transpose(2, 3).contiguous()
        weights, record, fast = _weights(parameters, forward=True), _record(kept), memory.numpy()
        _over_rows(memory, lambda a, b: run_rows(a, b, weights, record, fast, switches))
        memory = memory.transpose(2, 3).contiguous()
        ctx.save_for_backward(memory, *parameters, *kept.values())
        ctx.kept, ctx.switches = list(kept), switches
        return kept["outs"], kept["cells"][-1], memory, kept["missed"]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        memory, *saved = ctx.saved_tensors
        parameters, kept = Parameters(*saved[:8]), dict(zip(ctx.kept, saved[8:], strict=True))
        by_outs, by_cell, by_memory, by_missed = (
            x.clone(memory_format=torch.contiguous_format) for x in given
        )
        by_entering = torch.empty_like(kept["entering"][0])
        by_gates = torch.empty_like(kept["gates"])
        by_vectors, by_targets = (
            torch.zeros_like(kept["vectors"]),
            torch.empty_like(kept["targets"]),
        )
        by_rates = torch.zeros_like(kept["rates"])
        by_steps = by_gates, by_vectors, by_targets, by_rates
        grads = Gradients(
            *(x.numpy() for x in (by_outs, by_missed, by_cell, by_memory, by_entering, *by_steps))
        )
        record = _record(kept | {"ended": kept["ended"].transpose(2, 3).contiguous()})
        weights, fast, switches = _weights(parameters, False), memory.clone().numpy(), ctx.switches
        _over_rows(
            memory, lambda a, b: run_rows_backward(a, b, weights, record, fast, switches, grads)
        )
        heads, hidden = by_targets.shape[2], kept["outs"][..., : by_cell.shape[1]]
        if switches.standardised:
            hidden = torch.nn.functional.layer_norm(hidden, hidden.shape[-1:], eps=EPS)
        values = kept["vectors"][:, :, 2 * heads : 3 * heads].flatten(1, 2)
        rate_vector = kept["vectors"][:, :, 3 * heads]
        by_vectors, by_targets = by_vectors.flatten(2), by_targets.flatten(1, 2).flatten(2)
        return (
            by_gates,
            by_entering,
            by_cell,
            by_memory,
            weight_gradient(by_gates, kept["entering"]),
            weight_gradient(by_vectors, hidden),
            by_vectors.sum((0, 1)),
            weight_gradient(by_rates, rate_vector),
            by_rates.sum((0, 1)),
            weight_gradient(by_targets, values),
            by_targets.sum((0, 1)),
            *(None,) * 5,
        )


def _make_room(
    projected: Tensor,
    carried: Carried,
    parameters: Parameters,
    starts: Tensor,
    heads: int,
    queries: int,
    by_gradient: bool,
) -> dict[str, Tensor]:
    """Makes room for a `Record`; holds what `run_rows` wants to be given."""
    (T, B, _), (L, D, _) = projected.shape, parameters.initial_memory.shape
    U, new, first = carried.cell.shape[1], projected.new_empty, starts[0].unsqueeze(1)
    later = starts.clone()
    later[0] = False
    kept = {
        "starts": starts.contiguous(),
        "endings": (later.flatten().cumsum(0) - 1).view(T, B),
        "ended": new(int(later.sum()), L, D, D),
        "entering": new(T, B, carried.entering.shape[1]),
        "gates": projected.clone(memory_format=torch.contiguous_format),
        "cells": new(T + 1, B, U),
        "tanh_cells": new(T, B, U),
        "outs": new(T, B, U + D),
        "vectors": new(T, B, 3 * heads + 1, D),
        "targets": new(T, B, heads, len(parameters.feedback) // D, D),
        "passed": new(T, B, L if by_gradient else 0, heads, D),
        "rates": new(T, B, len(parameters.rate)),
        "written": new(T, B, L, heads, D),
        "queried": new(T, B, L, queries, D),
        "missed": projected.new_zeros(T, B),
    }
    kept["entering"][0] = carried.entering.masked_fill(first, 0)
    kept["cells"][0] = carried.cell.masked_fill(first, 0)
    return kept


def _record(kept: dict[str, Tensor]) -> Record:
    return Record(**{name: x.numpy() for name, x in kept.items()})


def _weights(parameters: Parameters, forward: bool) -> Weights:
    tensors = parameters
    if forward:
        tensors = parameters._replace(
            recurrent=parameters.recurrent.t(),
            interface=parameters.interface.t(),
            feedback=parameters.feedback.t(),
            initial_memory=parameters.initial_memory.transpose(1, 2),
        )
    tensors = tensors._replace(
        recurrent=pack(tensors.recurrent),
        interface=pack(tensors.interface),
        feedback=pack(tensors.feedback),
    )
    return Weights(*(x.detach().contiguous().numpy() for x in tensors))


def _over_rows(memory: Tensor, work: Callable[[int, int], None]) -> None:
    """Has threads do some work, each for rows of its own, block by block.

    Args:
        memory: Every row's memory, ``(B, L, D, D)``.
        work: Takes the first row, and the one after the last.
    """
    if memory.numel() == 0:
        return
    groups = -(-memory.shape[0] // _ROWS_AT_ONCE)
    size = _ROWS_AT_ONCE * max(1, _BLOCK_BYTES // (2 * _ROWS_AT_ONCE * memory[0].nbytes))

    def take(rows: tuple[int, int]) -> None:
        for first in range(rows[0], rows[1], size):
            work(first, min(first + size, rows[1]))

    ends = [0, *accumulate(_ROWS_AT_ONCE * count for count in row_chunks(groups, smallest=1))]
    in_threads(take, list(pairwise([min(end, memory.shape[0]) for end in ends])))
