"""MNM-p over a whole sequence: one autograd function, its rows shared out to threads.

Rows share nothing but weights. So threads, as many as PyTorch uses, take rows of their own through
all steps and wait for each other at the end alone. What comes of a row does not depend on their
number.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.cells.gated import weight_gradient
from agents.cells.mnm.fast.row import Switches
from agents.cells.mnm.fast.steps import Gradients, Record, Weights, run_rows, run_rows_backward

# What rows that go together have in memories and their gradients: a part of a core's own cache.
_BLOCK_BYTES = 2**21
_ROWS_AT_ONCE = 3  # `agents.cells.mnm.fast.products` takes them so


class Carried(NamedTuple):
    """What goes from step to step.

    Attributes:
        entering: Hidden state and last read, ``(B, U + D)``.
        cell: Cell state, ``(B, U)``.
        memory: ``(B, L, D, D)``.
    """

    entering: Tensor
    cell: Tensor
    memory: Tensor


class Parameters(NamedTuple):
    """Those of `agents.cells.mnm.fast.steps.Weights`, as tensors, none transposed."""

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
    return outs, Carried(outs[-1], cell, memory), missed


class _Sequence(torch.autograd.Function):
    """See `run_sequence`."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, *rest: Any) -> tuple[Tensor, ...]:
        carried, parameters = Carried(*rest[:3]), Parameters(*rest[3:11])
        starts, heads, recalls, switches = rest[11:]
        queries = 2 * heads if recalls else heads
        record = _new_record(projected, carried, parameters, starts, heads, queries)
        first = starts[0].view(-1, 1, 1, 1)
        memory = torch.where(first, parameters.initial_memory, carried.memory)
        memory = memory.transpose(2, 3).contiguous()
        weights, arrays, fast = _weights(parameters, forward=True), _arrays(record), memory.numpy()
        _over_rows(memory, lambda a, b: run_rows(a, b, weights, arrays, fast, switches))
        memory = memory.transpose(2, 3).contiguous()
        ctx.save_for_backward(memory, *parameters, *record)
        ctx.switches = switches
        return record.outs, record.cells[-1], memory, record.missed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        memory, *saved = ctx.saved_tensors
        parameters, record = Parameters(*saved[:8]), Record(*saved[8:])
        by_outs, by_cell, by_memory, by_missed = (
            x.clone(memory_format=torch.contiguous_format) for x in given
        )
        grads = Gradients(
            by_outs,
            by_missed,
            by_cell,
            by_memory,
            torch.empty_like(by_outs[0]),
            torch.empty_like(record.gates),
            torch.zeros_like(record.vectors),
            torch.empty_like(record.targets),
            torch.zeros_like(record.rates),
        )
        weights, arrays = _weights(parameters, forward=False), _arrays(record)
        arrays = arrays._replace(ended=record.ended.transpose(2, 3).contiguous().numpy())
        fast, into, switches = memory.clone().numpy(), _arrays(grads), ctx.switches
        _over_rows(
            memory, lambda a, b: run_rows_backward(a, b, weights, arrays, fast, switches, into)
        )
        heads, hidden = record.targets.shape[2], record.outs[..., : by_cell.shape[1]]
        by_vectors, by_targets = grads.vectors.flatten(2), grads.targets.flatten(1, 2).flatten(2)
        values = record.vectors[:, :, 2 * heads : 3 * heads].flatten(1, 2)
        return (
            grads.gates,
            grads.entering,
            by_cell,
            by_memory,
            weight_gradient(grads.gates, record.entering),
            weight_gradient(by_vectors, hidden),
            by_vectors.sum((0, 1)),
            weight_gradient(grads.rates, record.vectors[:, :, 3 * heads]),
            grads.rates.sum((0, 1)),
            weight_gradient(by_targets, values),
            by_targets.sum((0, 1)),
            *(None,) * 5,
        )


def _new_record(
    projected: Tensor,
    carried: Carried,
    parameters: Parameters,
    starts: Tensor,
    heads: int,
    queries: int,
) -> Record:
    """Makes room for what the steps leave behind; holds what `run_rows` wants to be given."""
    (T, B, _), (L, D, _) = projected.shape, parameters.initial_memory.shape
    U, new, first = carried.cell.shape[1], projected.new_empty, starts[0].unsqueeze(1)
    later = starts.clone()
    later[0] = False
    record = Record(
        starts=starts,
        endings=(later.flatten().cumsum(0) - 1).view(T, B),
        ended=new(int(later.sum()), L, D, D),
        entering=new(T, B, U + D),
        gates=projected.clone(memory_format=torch.contiguous_format),
        cells=new(T + 1, B, U),
        tanh_cells=new(T, B, U),
        outs=new(T, B, U + D),
        vectors=new(T, B, 3 * heads + 1, D),
        targets=new(T, B, heads, L - 1, D),
        rates=new(T, B, len(parameters.rate)),
        written=new(T, B, L, heads, D),
        queried=new(T, B, L, queries, D),
        missed=projected.new_zeros(T, B),
    )
    record.entering[0] = carried.entering.masked_fill(first, 0)
    record.cells[0] = carried.cell.masked_fill(first, 0)
    return record


def _weights(parameters: Parameters, forward: bool) -> Weights:
    arrays = Weights(*_arrays(parameters))
    if not forward:
        return arrays
    return arrays._replace(
        recurrent=parameters.recurrent.t().contiguous().numpy(),
        interface=parameters.interface.t().contiguous().numpy(),
        feedback=parameters.feedback.t().contiguous().numpy(),
        initial_memory=parameters.initial_memory.transpose(1, 2).contiguous().numpy(),
    )


def _arrays(tensors: Any) -> Any:
    """Turns a named tuple of tensors into one of arrays that share their numbers where they can."""
    return type(tensors)(*(x.detach().contiguous().numpy() for x in tensors))


def _over_rows(memory: Tensor, work: Callable[[int, int], None]) -> None:
    """Has threads do some work, each for blocks of rows of its own.

    Args:
        memory: Every row's memory, ``(B, L, D, D)``.
        work: Takes the first row, and the one after the last.
    """
    rows = len(memory)
    if rows == 0:
        return
    groups = -(-rows // _ROWS_AT_ONCE)
    threads = min(torch.get_num_threads(), groups)
    size = max(1, _BLOCK_BYTES * rows // (2 * _ROWS_AT_ONCE * memory.nbytes))
    blocks = threads * -(-groups // (threads * size))
    ends = [min(rows, _ROWS_AT_ONCE * (groups * k // blocks)) for k in range(blocks + 1)]
    if threads == 1:
        for first, last in pairwise(ends):
            work(first, last)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, ends[:-1], ends[1:]))  # asking for results raises what a thread raised
