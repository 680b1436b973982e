"""Attention by content and by distance in time (Dai et al. 2019, arXiv:1901.02860, section 3.3).

What a step i makes of an earlier step j is the sum of four products: (a) its query with the key of
j, (b) its query with a key made of the distance i - j, (c) a learned vector u with the key of j,
and (d) a learned vector v with the key of the distance. No step has a place of its own, so that an
episode may be of any length.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RelativeAttention(nn.Module):
    """Several heads, each of which attends to a step itself and to a window of earlier ones.

    Projections have no biases. As in the paper's published code, products are divided by the root
    of a head's width. The vectors u and v start at zero.

    Args:
        size: Width of a step, D; a multiple of `num_heads`.
        num_heads: Number of heads, H.
        window: How many earlier steps there are at most, W.
    """

    def __init__(self, size: int, num_heads: int, window: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(size, size, bias=False)
        self.key = nn.Linear(size, size, bias=False)
        self.value = nn.Linear(size, size, bias=False)
        self.distance_key = nn.Linear(size, size, bias=False)
        self.out = nn.Linear(size, size, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(num_heads, 1, size // num_heads))
        self.distance_bias = nn.Parameter(torch.zeros(num_heads, 1, size // num_heads))
        self.distances: Tensor
        self.register_buffer("distances", sinusoids(window, size), persistent=False)

    def forward(self, steps: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Attends.

        Args:
            steps: W earlier steps, oldest first, and T new ones, ``(B, W + T, D)``.
            seen: What each new step attends to, ``(B, T, W + T)`` bool; itself at least, and
                nothing out of its window.

        Returns:
            ``(B, T, D)``, and the heads' weightings ``(B, H, T, W + T)``.
        """
        queries = self._heads(self.query(steps[:, -seen.shape[1] :]))
        distance_keys = self._heads(self.distance_key(self.distances).unsqueeze(0))
        by_content = (queries + self.content_bias) @ self._heads(self.key(steps)).mT
        by_distance = (queries + self.distance_bias) @ distance_keys.mT
        scores = (by_content + align(by_distance)) * queries.shape[-1] ** -0.5
        weights = scores.masked_fill(~seen.unsqueeze(1), -torch.inf).softmax(dim=3)
        read = weights @ self._heads(self.value(steps))
        return self.out(read.transpose(1, 2).flatten(2)), weights

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.num_heads, x.shape[2] // self.num_heads).transpose(1, 2)


def sinusoids(window: int, size: int) -> Tensor:
    """Returns a code for each distance from `window` down to 0, ``(window + 1, size)``.

    The first half are sines, the second cosines, of wavelengths from 2 pi to 10000 times that.
    """
    exponents = torch.arange(0, size, 2, dtype=torch.float64) / size
    distances = torch.arange(window, -1, -1, dtype=torch.float64)
    angles = distances.unsqueeze(1) / 10_000**exponents
    codes = torch.cat((angles.sin(), angles.cos()), dim=1)[:, :size]
    return codes.to(torch.get_default_dtype())


def align(by_distance: Tensor) -> Tensor:
    """Moves the scores of each step to the places where its window stands in time.

    Args:
        by_distance: Scores for the distances W down to 0, ``(..., T, W + 1)``.

    Returns:
        ``(..., T, W + T)``, in row t from column t on; zeros elsewhere.
    """
    steps, width = by_distance.shape[-2], by_distance.shape[-1] - 1 + by_distance.shape[-2]
    # Padded rows that are one number too long: read at their proper length they begin one later
    # each.
    flat = F.pad(by_distance, (0, steps)).flatten(-2)
    return flat[..., : steps * width].reshape(*by_distance.shape[:-1], width)
