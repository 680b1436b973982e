"""Compiled products of matrices, against NumPy's in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from agents.cells.parts.kernels import Floats
from agents.cells.parts.products import add_outer, add_packed_product, add_product, dots, pack


def outer(left: Floats, right: Floats, out: Floats) -> None:
    add_outer(np.ascontiguousarray(left.T), right, out)


def transposed(left: Floats, right: Floats, out: Floats) -> None:
    product = np.full_like(out, np.nan)
    dots(np.ascontiguousarray(left), np.ascontiguousarray(right.T), product)
    out += product


def packed(left: Floats, right: Floats, out: Floats) -> None:
    add_packed_product(left, pack(torch.from_numpy(right)).numpy(), out)


@pytest.mark.parametrize("product", [add_product, packed, outer, transposed])
@pytest.mark.parametrize("rows", [1, 2, 3, 6, 11])
@pytest.mark.parametrize("inner", [1, 3, 4, 5, 50])
@pytest.mark.parametrize("columns", [1, 15, 16, 33])
def test_products(
    product: Callable[[Floats, Floats, Floats], None], rows: int, inner: int, columns: int
) -> None:
    random = np.random.default_rng(0)
    left = random.standard_normal((rows, 2 * inner)).astype(np.float32)[:, ::2]
    right, out = (random.standard_normal((n, columns)).astype(np.float32) for n in (inner, rows))
    expected = out.astype(np.float64) + left.astype(np.float64) @ right.astype(np.float64)
    sizes = np.abs(out) + np.abs(left) @ np.abs(right)
    product(left, right, out)
    # A rounding for each product and each sum, of a number no larger than the sum of the sizes.
    assert (np.abs(out - expected) <= 2 * (inner + 1) * np.finfo(np.float32).eps * sizes).all()
