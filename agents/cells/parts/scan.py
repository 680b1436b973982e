"""Linear recurrences over time, ``h_t = a_t * h_(t-1) + x_t``, as an associative scan.

Two steps, (a, x) and then (b, y), are one step (b * a, b * x + y). In which order steps are joined
does not matter, so that T of them need log2 T rounds of work on whole tensors (Blelloch 1990). No
quotient and no logarithm occurs: nothing overflows that the recurrence itself keeps finite. The
gradient of a linear recurrence is another one, backwards in time.

A CPU takes the steps in their order, which does less work, on numbers that are still in its cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from agents.cells.base import start_masks

# Real and imaginary part. There is no complex type of 16 bits, so that states hold the two apart.
Parts: TypeAlias = tuple[Tensor, Tensor]


def scan(decays: Tensor, inputs: Tensor, state: Tensor, starts: Tensor) -> Tensor:
    """Runs a linear recurrence whose rows restart from zero.

    Args:
        decays: What each step multiplies the state by, of a shape that expands to that of `inputs`.
        inputs: What each step adds, ``(T, B, ...)``, real or complex as `decays` are.
        state: The state before the first step, ``(B, ...)``.
        starts: ``(T, B)`` bool; a row that starts enters its step with zeros. Nothing crosses a
            start, NaN neither.

    Returns:
        The state after each step, ``(T, B, ...)``.
    """
    states: Tensor = _Scan.apply(  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
        decays.expand_as(inputs), inputs, state, starts
    )
    return states


def complex_scan(decays: Parts, inputs: Parts, state: Parts, starts: Tensor) -> Parts:
    """Does what `scan` does with complex numbers, given and returned in two parts.

    Types of 16 bits are computed in 32.
    """
    dtype = state[0].dtype
    wide = dtype if dtype == torch.float64 else torch.float32
    decay, x, before = (
        torch.complex(re.to(wide), im.to(wide)) for re, im in (decays, inputs, state)
    )
    states = scan(decay, x, before, starts)
    return states.real.to(dtype), states.imag.to(dtype)


class _Scan(torch.autograd.Function):
    """The recurrence over T steps."""

    @staticmethod
    def forward(ctx: Any, decays: Tensor, inputs: Tensor, state: Tensor, starts: Tensor) -> Tensor:
        states = _run(decays, inputs, state, starts)
        ctx.save_for_backward(decays, state, starts, states)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_states: Tensor) -> tuple[Tensor | None, ...]:
        decays, state, starts, states = ctx.saved_tensors
        zeros = torch.zeros_like(state)
        grad_inputs = _run(decays.conj(), grad_states, zeros, starts, backwards=True)
        # A decay multiplied the state that its step found: none where a row started.
        grad_decays = torch.empty_like(grad_inputs)
        torch.mul(grad_inputs[0], state.conj(), out=grad_decays[0])
        torch.mul(grad_inputs[1:], states[:-1].conj(), out=grad_decays[1:])
        grad_decays.masked_fill_(_beside(starts, grad_decays), 0)
        grad_state = (decays[0].conj() * grad_inputs[0]).masked_fill(_beside(starts[0], state), 0)
        return grad_decays, grad_inputs, grad_state, None


def _run(
    decays: Tensor, inputs: Tensor, state: Tensor, starts: Tensor, backwards: bool = False
) -> Tensor:
    run = in_order if inputs.device.type == "cpu" else in_pairs
    return run(decays, inputs, state, starts, backwards)


def in_order(
    decays: Tensor, inputs: Tensor, state: Tensor, starts: Tensor, backwards: bool = False
) -> Tensor:
    """Takes one step after the other; see `scan`.

    With `backwards` the last step is taken first, as a gradient does: every step continues from the
    one after it, by the decay of that one, and only if nothing starts there.
    """
    states = torch.empty_like(inputs)
    steps: list[Sequence[Any]] = [decays.unbind(), inputs.unbind(), start_masks(starts)]
    steps.append(states.unbind())
    if backwards:
        decay, x, start, after = steps
        # The first of them meets no other step, so that any decay will do.
        steps = [[decay[0], *decay[:0:-1]], x[::-1], [start[0], *start[:0:-1]], after[::-1]]
    for decay, x, start, after in zip(*steps, strict=True):
        if start is not None:
            state = state.masked_fill(_beside(start, state), 0)
        torch.addcmul(x, decay, state, out=after)
        state = after
    return states


def in_pairs(
    decays: Tensor, inputs: Tensor, state: Tensor, starts: Tensor, backwards: bool = False
) -> Tensor:
    """Joins steps in pairs, then pairs of pairs; see `in_order`."""
    masks = _beside(starts, inputs)
    if backwards:
        decays, inputs, masks = decays.flip(0).roll(1, 0), inputs.flip(0), masks.flip(0).roll(1, 0)
    first = _join(inputs[0], decays[0], masks[0], state)
    states = _pairs(decays, torch.cat((first.unsqueeze(0), inputs[1:])), masks)
    return states.flip(0) if backwards else states


def _pairs(decays: Tensor, inputs: Tensor, masks: Tensor) -> Tensor:
    T = len(inputs)
    if T == 1:
        return inputs
    states = torch.empty_like(inputs)
    # The second step of each pair, joined with the first, does what both do.
    late, early = slice(1, None, 2), slice(0, T - 1, 2)
    states[1::2] = _pairs(
        decays[late] * decays[early],
        _join(inputs[late], decays[late], masks[late], inputs[early]),
        masks[late] | masks[early],
    )
    # The first step of a pair follows the second one of the pair before.
    states[0] = inputs[0]
    states[2::2] = _join(inputs[2::2], decays[2::2], masks[2::2], states[1 : T - 1 : 2])
    return states


def _join(x: Tensor, decay: Tensor, mask: Tensor, before: Tensor) -> Tensor:
    """The state after a step; where the mask is True, nothing was before."""
    return torch.where(mask, x, torch.addcmul(x, decay, before))


def _beside(starts: Tensor, x: Tensor) -> Tensor:
    """Starts with as many dimensions as `x`, which begins with theirs."""
    return starts.view(starts.shape + (1,) * (x.dim() - starts.dim()))
