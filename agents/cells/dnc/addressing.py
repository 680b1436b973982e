"""What a differentiable neural computer adds to addressing: usage, allocation, temporal links.

Graves et al. 2016, Methods; functions name the heading there, whose equations have no numbers of
their own. Memory has N slots; R heads read it and one writes. Weightings hold for each slot a
number from 0 to 1, and add up to at most one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.cells.parts.addressing import sharpen

# Added to links before they are sharpened (Csordas and Schmidhuber 2019, below equation 2), so that
# from a slot without links no sharp weighting is made out of nothing.
LINK_EPSILON = 1e-6

# In the order of the free list, and nowhere else, slots count as used by a share more that grows
# evenly from none for the first to this for one after the last. Slots that nothing, or next to
# nothing, has told apart yet, as after an episode's start, would otherwise be allocated in an order
# that rounding decides: another one on every machine.
LIST_SPREAD = 1e-3


def retention(free_gates: Tensor, read_weights: Tensor) -> Tensor:
    """Returns how much of each slot is not freed, psi, ``(B, N)`` ("Dynamic memory allocation").

    Args:
        free_gates: Of this step, ``(B, R, 1)``, from 0 to 1.
        read_weights: Of the last step, ``(B, R, N)``.
    """
    kept, *others = (1 - free_gates * read_weights).unbind(1)
    for factor in others:
        kept = kept * factor
    return kept


def update_usage(usage: Tensor, write_weights: Tensor, retained: Tensor) -> Tensor:
    """Returns u of this step, ``(B, N)``, from 0 to 1 ("Dynamic memory allocation").

    The paper's ``u + w - u * w`` lies between u and 1; computed as a mean of the two, it stays
    there when it is rounded.

    Args:
        usage: Of the last step, ``(B, N)``.
        write_weights: Of the last step, ``(B, 1, N)``.
        retained: From `retention`, ``(B, N)``.
    """
    return torch.lerp(usage, usage.new_ones(()), write_weights.squeeze(1)) * retained


def allocate(usage: Tensor) -> Tensor:
    """Returns the allocation weighting a, ``(B, 1, N)`` ("Dynamic memory allocation").

    A slot gets its free share times the usage of all slots before it in the free list, which is
    sorted by usage, but for differences by `LIST_SPREAD`. The list is not made: which slots
    come before which is a matrix as large as the links, and says the same. As in the paper, no
    gradient knows that the order may change.

    Args:
        usage: ``(B, N)``.
    """
    slots = torch.arange(usage.shape[1], dtype=usage.dtype, device=usage.device)
    order = usage * (1 + LIST_SPREAD / usage.shape[1] * slots)
    own, other = order.unsqueeze(2), order.unsqueeze(1)
    before = (other < own) | ((other == own) & (slots < slots.unsqueeze(1)))
    factors = torch.where(before, usage.unsqueeze(1), usage.new_ones(()))
    return ((1 - usage) * factors.prod(dim=2)).unsqueeze(1)


def update_links(links: Tensor, precedence: Tensor, write_weights: Tensor) -> Tensor:
    """Returns the link matrix L of this step, ``(B, N, N)`` ("Temporal memory linkage").

    ``L[i, j]`` says to what degree slot i was written right after slot j. Rows and columns add up
    to at most one; the diagonal is zero.

    Args:
        links: Of the last step, ``(B, N, N)``.
        precedence: p of the last step, ``(B, N)``: where was written last.
        write_weights: Of this step, ``(B, 1, N)``.
    """
    written = write_weights.transpose(1, 2)
    kept = links * ((1 - written) - write_weights)
    linked = torch.addcmul(kept, written, precedence.unsqueeze(1))
    itself = torch.eye(links.shape[1], dtype=torch.bool, device=links.device)
    return linked.masked_fill(itself, 0)


def update_precedence(precedence: Tensor, write_weights: Tensor) -> Tensor:
    """Returns p of this step, ``(B, N)`` ("Temporal memory linkage").

    Args:
        precedence: Of the last step, ``(B, N)``.
        write_weights: Of this step, ``(B, 1, N)``.
    """
    written = write_weights.squeeze(1)
    return precedence * (1 - written.sum(dim=1, keepdim=True)) + written


def follow_links(
    links: Tensor, read_weights: Tensor, sharpness: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Returns the forward and the backward weighting, ``(B, R, N)`` ("Temporal memory linkage").

    Args:
        links: Of this step, ``(B, N, N)``.
        read_weights: Of the last step, ``(B, R, N)``.
        sharpness: Exponents of the forward and the backward weighting, ``(B, R, 2)``, at least 1
            (Csordas and Schmidhuber 2019, equation 2); None leaves them as the links give them.
    """
    forward = torch.bmm(read_weights, links.transpose(1, 2))
    backward = torch.bmm(read_weights, links)
    if sharpness is None:
        return forward, backward
    ahead, back = sharpness.chunk(2, dim=2)
    return sharpen(forward + LINK_EPSILON, ahead), sharpen(backward + LINK_EPSILON, back)
