"""Addressing and access of an external memory, for all heads at once (Graves et al. 2014).

Memory is ``(B, N, W)``: N slots of W numbers. Weightings are ``(B, heads, N)``, distributions over
the slots. Scalars of a head keep a last dimension of size 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Below this length a vector counts as having this length, which bounds the gradient of the cosine:
# a slot that holds next to nothing resembles no key.
MIN_NORM = 1e-3


def content_weighting(
    memory: Tensor, keys: Tensor, strengths: Tensor, masks: Tensor | None = None
) -> Tensor:
    """Weighs the slots by their likeness to a key (equations 5 and 6).

    Equation 6, the cosine, is computed with lengths of at least `MIN_NORM`. With masks, both key
    and slots are multiplied by the head's mask before they are compared (Csordas and Schmidhuber
    2019, arXiv:1904.10278, section 3.1).

    Args:
        memory: ``(B, N, W)``.
        keys: ``(B, heads, W)``.
        strengths: ``(B, heads, 1)``, not negative.
        masks: ``(B, heads, W)``, from 0 to 1; None compares everything.

    Returns:
        Weightings ``(B, heads, N)``.
    """
    if masks is None:
        slot_norms = torch.linalg.vector_norm(memory, dim=-1).clamp(min=MIN_NORM).unsqueeze(1)
    else:
        squares = torch.bmm(masks.square(), memory.square().transpose(1, 2))
        slot_norms = squares.clamp(min=MIN_NORM**2).sqrt()
        keys = keys * masks
    key_norms = torch.linalg.vector_norm(keys, dim=-1, keepdim=True).clamp(min=MIN_NORM)
    keys = keys * (strengths / key_norms)
    products = torch.bmm(keys if masks is None else keys * masks, memory.transpose(1, 2))
    return torch.softmax(products / slot_norms, dim=-1)


def column_weighting(memory: Tensor, keys: Tensor, strengths: Tensor) -> Tensor:
    """Weighs the slots as a notebook does that means the cosine and normalises along the slots.

    Each column of the memory is divided by its own length. The key, which has but one slot, is
    divided number by number by its absolute value: its signs remain. So its gradient is zero but
    for rounding, which is kept, as an optimiser like Adam makes steps of it.

    Args:
        memory: ``(B, N, W)``.
        keys: ``(B, heads, W)``.
        strengths: ``(B, heads, 1)``, not negative.

    Returns:
        Weightings ``(B, heads, N)``.
    """
    signs = F.normalize(keys.unsqueeze(1), dim=1).squeeze(1)
    products = torch.bmm(signs, F.normalize(memory, dim=1).transpose(1, 2))
    return torch.softmax(strengths * products, dim=-1)


def interpolate(content: Tensor, previous: Tensor, gates: Tensor) -> Tensor:
    """Chooses between the content and the previous weighting (equation 7).

    Args:
        content: ``(B, heads, N)``.
        previous: ``(B, heads, N)``.
        gates: ``(B, heads, 1)``; 1 takes the content, 0 the previous weighting.
    """
    return torch.lerp(previous, content, gates)


def circular_shift(weightings: Tensor, shifts: Tensor) -> Tensor:
    """Moves weightings along the slots, around the end (equation 8).

    Args:
        weightings: ``(B, heads, N)``.
        shifts: Distributions over the offsets -r to r, ``(B, heads, 2 * r + 1)``.
    """
    shift_range = shifts.shape[-1] // 2
    shifted = weightings * shifts[..., shift_range, None]
    for offset, share in enumerate(shifts.unsqueeze(-1).unbind(2), start=-shift_range):
        if offset != 0:
            shifted = shifted + weightings.roll(offset, dims=-1) * share
    return shifted


def sharpen(weightings: Tensor, exponents: Tensor) -> Tensor:
    """Raises weightings to a power and normalises them again (equation 9).

    Computed from logarithms, so that a weighting whose powers all round to zero stays one.

    Args:
        weightings: ``(B, heads, N)``.
        exponents: ``(B, heads, 1)``, at least 1.
    """
    tiny = torch.finfo(weightings.dtype).tiny
    return torch.softmax(weightings.clamp(min=tiny).log() * exponents, dim=-1)


def read(memory: Tensor, weightings: Tensor) -> Tensor:
    """Returns each head's weighted sum of the slots, ``(B, heads, W)`` (equation 2)."""
    return torch.bmm(weightings, memory)


def erase_and_add(memory: Tensor, weightings: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Lets every head erase, then every head add (equations 3 and 4).

    Args:
        memory: ``(B, N, W)``.
        weightings: ``(B, heads, N)``.
        erase: ``(B, heads, W)``, from 0 to 1.
        add: ``(B, heads, W)``.

    Returns:
        The new memory ``(B, N, W)``.
    """
    one = memory.new_ones(())
    slots = weightings.unsqueeze(-1).unbind(1)
    for slot, row in zip(slots, erase.unsqueeze(2).unbind(1), strict=True):
        memory = memory * torch.addcmul(one, slot, row, value=-1)
    for slot, row in zip(slots, add.unsqueeze(2).unbind(1), strict=True):
        memory = torch.addcmul(memory, slot, row)
    return memory
