"""The plain DNC over a whole sequence, as one autograd function.

Forward, the inputs' part of the controller's gates is one product, and all else is compiled; so it
is backward, until each weight's gradient is one product over all steps.

Of every step what is small is kept; memory and links are kept every so many steps only, and made
again between, so that the numbers kept of them grow with the root of the number of steps. Rows of
the batch do not know each other: they are split among PyTorch's threads.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.cells.dnc.fast.steps import Gradients, Kept, Matrices, run_steps, run_steps_backward
from agents.cells.parts.gated import enter, project, weight_gradient
from agents.cells.parts.products import pack
from agents.cells.parts.threads import in_threads, row_chunks

# Fewer rows do not occupy a thread.
ROWS_OF_A_THREAD = 8


class Weights(NamedTuple):
    """The parameters: of the controller, with I inputs and H units, and of the interface.

    Attributes:
        weight_ih: ``(4 * H, I + R * W)``.
        weight_hh: ``(4 * H, H)``.
        bias_ih: ``(4 * H,)``.
        bias_hh: ``(4 * H,)``.
        weight: ``(P, H)``.
        bias: ``(P,)``.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor
    weight: Tensor
    bias: Tensor


class Entering(NamedTuple):
    """What some rows begin with: inputs ``(T, B, I)``, episode starts, and the state's parts."""

    xs: Tensor
    starts: Tensor
    memory: Tensor
    usage: Tensor
    precedence: Tensor
    links: Tensor
    read_weights: Tensor
    write_weights: Tensor
    reads: Tensor
    hidden: Tensor
    cell: Tensor


class DNCSequence(torch.autograd.Function):
    """The DNC over T steps."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Takes the parts of `Entering`, then those of `Weights`.

        Returns:
            The outputs ``(T, B, H + R * W)``, and after them the state but for what the last output
            holds, reads and hidden state.
        """
        count = len(Entering._fields)
        entering, weights = tensors[:count], Weights(*tensors[count:])
        ctx.rows = row_chunks(entering[0].shape[1], ROWS_OF_A_THREAD)
        chunks = [Entering(*chunk) for chunk in _split(entering, ctx.rows, 2)]
        results = in_threads(lambda chunk: _forward(chunk, weights), chunks)
        kept = (x for kept, _ in results for x in kept)
        ctx.save_for_backward(entering[0], *weights, *kept)
        return _join([after for _, after in results], 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Takes the gradients by what `forward` returned."""
        count, size = len(Weights._fields), len(Kept._fields)
        xs, *saved = ctx.saved_tensors
        weights, saved = Weights(*saved[:count]), saved[count:]
        kept = [Kept(*saved[k : k + size]) for k in range(0, len(saved), size)]
        inputs = xs.split_with_sizes(ctx.rows, 1)
        chunks = list(zip(inputs, kept, _split(grads, ctx.rows, 1), strict=True))
        results = in_threads(lambda chunk: _backward(*chunk, weights), chunks)
        by_xs, *by_state = _join([by_entering for by_entering, _ in results], 1)
        by_weights = zip(*(by for _, by in results), strict=True)
        return by_xs, None, *by_state, *(reduce(torch.add, parts) for parts in by_weights)


def _split(tensors: tuple[Tensor, ...], rows: list[int], of_steps: int) -> list[tuple[Tensor, ...]]:
    """Splits rows into chunks; the first tensors have steps before their rows."""
    parts = [x.split_with_sizes(rows, int(k < of_steps)) for k, x in enumerate(tensors)]
    return list(zip(*parts, strict=True))


def _join(chunks: list[tuple[Tensor, ...]], of_steps: int) -> tuple[Tensor, ...]:
    """Puts together what `_split` splits."""
    if len(chunks) == 1:
        return chunks[0]
    parts = enumerate(zip(*chunks, strict=True))
    return tuple(torch.cat(part, dim=int(k < of_steps)) for k, part in parts)


def _place(e: Entering, w: Weights) -> Kept:
    """Makes the places of what is kept, with what is there before the first step."""
    T, B, inputs = e.xs.shape
    H, N, (R, W) = e.hidden.shape[1], e.usage.shape[1], e.reads.shape[1:]
    new, points = e.xs.new_empty, math.ceil(T / _stretch(T))
    return Kept(
        starts=e.starts.contiguous(),
        gates=project(e.xs, w.weight_ih[:, :inputs], w.bias_ih + w.bias_hh),
        cells=_entering(e.cell, e.starts),
        squashed=new(T, B, H),
        outs=new(T, B, H),
        hiddens=_entering(e.hidden, e.starts),
        interface=_copy(w.bias.expand(T, B, -1)),
        usage=_before_and_after(e.usage, T),
        order=new(T, B, N, dtype=torch.int32),
        precedence=_before_and_after(e.precedence, T),
        written=_before_and_after(e.write_weights.squeeze(1), T),
        read=_before_and_after(e.read_weights, T),
        content=new(T, B, R + 1, N),
        along=new(T, B, 2, R, N),
        found_before=_entering(e.reads.flatten(1), e.starts),
        memories=new(points, B, W, N),
        links=new(points, B, N, N),
    )


def _forward(e: Entering, w: Weights) -> tuple[Kept, tuple[Tensor, ...]]:
    """Returns what is kept, and what `DNCSequence.forward` does, of some rows."""
    kept, (T, _, inputs) = _place(e, w), e.xs.shape
    memory, links = _copy(e.memory.transpose(1, 2)), _copy(e.links)
    found = torch.empty_like(kept.found_before[1:])
    weights = w.weight_hh.t(), w.weight_ih[:, inputs:].t(), w.weight.t()
    run_steps(
        _stretch(T),
        _matrices(*weights),
        _arrays(kept),
        memory.numpy(),
        links.numpy(),
        found.numpy(),
    )
    return kept, (
        torch.cat((kept.outs, found), dim=2),
        memory.transpose(1, 2),
        kept.usage[T].clone(),
        kept.precedence[T].clone(),
        links,
        kept.read[T].clone(),
        kept.written[T].unsqueeze(1).clone(),
        kept.cells[T].clone(),
    )


def _backward(
    xs: Tensor, kept: Kept, grads: tuple[Tensor, ...], w: Weights
) -> tuple[tuple[Tensor, ...], list[Tensor]]:
    """Returns the gradients by what entered, except for episode starts, and by the weights."""
    T, _, inputs = xs.shape
    H, stretch = kept.outs.shape[2], _stretch(T)
    by_outs, by_found = _copy(grads[0][..., :H]), _copy(grads[0][..., H:])
    by_memory = _copy(grads[1].transpose(1, 2))
    by_usage, by_precedence, by_links, by_read = (_copy(x) for x in grads[2:6])
    by_written, by_cell = _copy(grads[6].squeeze(1)), _copy(grads[7])
    by_hidden, by_found_before = torch.zeros_like(by_cell), torch.zeros_like(by_found[0])
    by_gates, by_interface = torch.empty_like(kept.gates), torch.empty_like(kept.interface)
    by_memories = by_memory, by_usage, by_precedence, by_links, by_read, by_written
    by_controller = by_outs, by_found, by_found_before, by_hidden, by_cell, by_gates
    run_steps_backward(
        stretch,
        _matrices(w.weight_hh, w.weight_ih[:, inputs:], w.weight),
        _arrays(kept),
        kept.memories.new_empty(stretch + 1, *kept.memories.shape[1:]).numpy(),
        kept.links.new_empty(stretch + 1, *kept.links.shape[1:]).numpy(),
        _arrays(Gradients(*by_controller, *by_memories, by_interface)),
    )
    start = kept.starts[0].unsqueeze(1)
    shape = len(by_cell), kept.read.shape[2], kept.memories.shape[2]
    by_reads = by_found_before.masked_fill_(start, 0).view(shape)
    by_state = by_usage, by_precedence, by_links, by_read, by_written.unsqueeze(1), by_reads
    flat = by_gates.flatten(0, 1)
    by_xs, by_bias = (flat @ w.weight_ih[:, :inputs]).view(xs.shape), flat.sum(0)
    by_found_weight = weight_gradient(by_gates, kept.found_before[:-1])
    return (
        (by_xs, by_memory.transpose(1, 2), *by_state, by_hidden.masked_fill_(start, 0), by_cell),
        [
            torch.cat((weight_gradient(by_gates, xs), by_found_weight), dim=1),
            weight_gradient(by_gates, kept.hiddens[:-1]),
            by_bias,
            by_bias,
            weight_gradient(by_interface, kept.outs),
            by_interface.flatten(0, 1).sum(0),
        ],
    )


def _stretch(steps: int) -> int:
    """Returns after how many steps memory and links are kept again."""
    return math.isqrt(steps - 1) + 1


def _matrices(*weights: Tensor) -> Matrices:
    return Matrices(*(pack(x.detach()).numpy() for x in weights))


A = TypeVar("A", Kept, Gradients)


def _arrays(tensors: A) -> A:
    return type(tensors)(*(x.numpy() for x in tensors))


def _copy(x: Tensor) -> Tensor:
    return x.clone(memory_format=torch.contiguous_format)


def _before_and_after(before: Tensor, steps: int) -> Tensor:
    """Returns a place for what is before the first step and after each, ``(T + 1, B, ...)``."""
    found = before.new_empty(steps + 1, *before.shape)
    found[0] = before
    return found


def _entering(before: Tensor, starts: Tensor) -> Tensor:
    """Returns a place for what enters each step, ``(T + 1, B, M)``, with the first of it."""
    found = before.new_empty(len(starts) + 1, *before.shape)
    enter(before, starts, found)
    return found
