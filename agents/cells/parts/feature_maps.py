"""Feature maps: what stands in a memory of fast weights for a key or a query."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.cells.parts.addressing import MIN_NORM

# How many times more features `dpfp` makes than it is given numbers.
DPFP_GROWTH = 2


def elu_plus_one(x: Tensor) -> Tensor:
    """Returns ``elu(x) + 1``, which is positive (Katharopoulos et al. 2020, equation 7)."""
    return F.elu(x) + 1


def dpfp(x: Tensor) -> Tensor:
    """Deterministic parameter-free projection (Schlag et al. 2021, equation 37, with nu = 1).

    The rectified numbers stand before the rectified negative ones, and each is multiplied by the
    next one, in a circle. Few products are not zero, so that different keys share few of them.

    Args:
        x: ``(..., K)``.

    Returns:
        Numbers from 0 on, ``(..., 2 * K)``.
    """
    rectified = torch.cat((x, -x), dim=-1).relu()
    return rectified * rectified.roll(-1, dims=-1)


def unit_length(x: Tensor) -> Tensor:
    """Returns vectors of length 1; one shorter than `MIN_NORM` is divided by that."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length.clamp(min=MIN_NORM)


def dpfp_shares(x: Tensor) -> Tensor:
    """Returns `dpfp` divided by its sum (Schlag et al. 2021, equation 29), or by `MIN_NORM`."""
    features = dpfp(x)
    return features / features.sum(dim=-1, keepdim=True).clamp(min=MIN_NORM)
