"""Fast weights written by sums or by the delta rule: one step, and many steps in chunks.

Fast weights M are ``(B, H, K, V)``: for each head a matrix that maps a key to a value. They are the
transpose of the papers' S, so that a row vector is read by a product from the left. A step does

    M' = a M,   w = b (v - M'^T k),   M = M' + k w^T,   read = M^T q

with what is kept, a, and the strength of the write, b (Yang et al. 2025, equation 10). Without a it
is the delta rule (Schlag et al. 2021, equations 20 to 25), without b also, where w = v, the plain
sum of outer products (equation 17 there).

Within a chunk the w of all steps solve one triangular system, because the values found by each key
depend on the w of the steps before it: the WY and UT forms of Yang et al. 2024 (section 3), with
decays as in Yang et al. 2025 (section 3.3). Everything else in a chunk is products of matrices, and
only M goes from one chunk to the next.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# The steps of a chunk, at most. Work within chunks grows with it, the number of chunks shrinks.
CHUNK = 32


class Write(NamedTuple):
    """What is written and asked, of one step or, with a dimension T in front, of many.

    Attributes:
        queries: ``(B, H, K)``.
        keys: ``(B, H, K)``.
        values: ``(B, H, V)``.
        strengths: ``(B, H)``, from 0 to 1; None to add the values to what is there.
        log_keeps: ``(B, H)``, the logarithm of the share that is kept, at most 0; None to keep all.
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    strengths: Tensor | None = None
    log_keeps: Tensor | None = None


def recall(weights: Tensor, keys: Tensor) -> Tensor:
    """Returns the values ``(B, H, V)`` that are found by keys ``(B, H, K)``."""
    return (keys.unsqueeze(-2) @ weights).squeeze(-2)


def write_step(weights: Tensor, write: Write) -> tuple[Tensor, Tensor]:
    """Takes one step; returns what the queries read after the write, and the new fast weights."""
    values = write.values
    if write.log_keeps is not None:
        weights = weights * write.log_keeps.exp()[..., None, None]
    if write.strengths is not None:
        values = write.strengths.unsqueeze(-1) * (values - recall(weights, write.keys))
    weights = weights + write.keys.unsqueeze(-1) * values.unsqueeze(-2)
    return recall(weights, write.queries), weights


def write_chunks(weights: Tensor, write: Write, starts: Tensor) -> tuple[Tensor, Tensor]:
    """Takes T steps, with fast weights of zero where an episode starts.

    All numbers have to be finite, because what an episode's start cuts off is multiplied by zero.
    Half precision is computed in single precision: triangular systems need it.

    Args:
        weights: The fast weights before the first step, ``(B, H, K, V)``.
        write: With T in front.
        starts: ``(T, B)`` bool.

    Returns:
        What is read, ``(T, B, H, V)``, and the fast weights after the last step.
    """
    steps, dtype = len(starts), torch.promote_types(weights.dtype, torch.float32)
    number = -(-steps // CHUNK)
    length = -(-steps // number)

    def cut(x: Tensor) -> Tensor:
        """``(T, B, H, ...)`` to ``(number, B, H, length, ...)``; the last steps do nothing."""
        missing = number * length - steps
        x = F.pad(x.to(dtype), (0, 0) * (x.dim() - 1) + (0, missing))
        return x.reshape(number, length, *x.shape[1:]).movedim(1, 3).contiguous()

    queries, keys, values = cut(write.queries), cut(write.keys), cut(write.values)
    log_keeps = None if write.log_keeps is None else cut(write.log_keeps)
    since_before, between = _kept(cut(starts.unsqueeze(-1)), log_keeps)
    lookups = since_before * keys  # what keys find of the fast weights before the chunk
    if write.strengths is not None:
        strengths = cut(write.strengths).unsqueeze(-1)
        system = strengths * (keys @ keys.mT) * between
        known = strengths * torch.cat((values, lookups), dim=-1)
        # The diagonal of the system counts as one.
        solved = torch.linalg.solve_triangular(system, known, upper=False, unitriangular=True)
        values, lookups = solved.split((values.shape[-1], keys.shape[-1]), dim=-1)

    carried, before, written = weights.to(dtype), [], []
    until_end = between[..., -1, :, None] * keys
    chunks = (x.unbind() for x in (values, lookups, since_before[..., -1:, :], until_end.mT))
    for value, lookup, kept, added in zip(*chunks, strict=True):
        before.append(carried)
        written.append(value if write.strengths is None else value - lookup @ carried)
        carried = kept * carried + added @ written[-1]
    within = (queries @ keys.mT) * between
    reads = since_before * queries @ torch.stack(before) + within @ torch.stack(written)
    reads = reads.movedim(3, 1).flatten(0, 1)[:steps]
    return reads.to(weights.dtype), carried.to(weights.dtype)


def _kept(starts: Tensor, log_keeps: Tensor | None) -> tuple[Tensor, Tensor]:
    """Returns what the steps of a chunk still hold of what was there: nothing of other episodes.

    Args:
        starts: ``(..., 1, C)``, zeros and ones.
        log_keeps: ``(..., H, C)``.

    Returns:
        The share of the fast weights before the chunk after step t, ``(..., H, t, 1)``, and that of
        what step s wrote after step t, ``(..., H, t, s)``, zero for later s; H may be 1.
    """
    episodes = starts.cumsum(-1)
    before = (episodes == 0).to(starts.dtype)
    between = (episodes.unsqueeze(-1) == episodes.unsqueeze(-2)).to(starts.dtype).tril()
    if log_keeps is not None:
        before = before * log_keeps.cumsum(-1).exp()
        between = between * _sums_between(log_keeps).exp()
    return before.unsqueeze(-1), between


def _sums_between(x: Tensor) -> Tensor:
    """Returns the sums of x after s up to t, ``(..., t, s)``, zero where t is not after s.

    Each is summed by itself: differences of running sums lose what follows a large number.
    """
    return x.unsqueeze(-1).expand(*x.shape, x.shape[-1]).tril(-1).cumsum(-2)
