"""The derivatives of MNM's compiled sequences, which are worked out by hand, in float64.

Compiled code takes float32, where an error hides among roundings. The same code runs here as plain
Python and in float64, with NumPy's products and functions, against PyTorch's derivatives of steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from agents.cells.base import Unrolled
from agents.cells.mnm.fast import errors, norm, row, sequence, squash, steps
from agents.cells.mnm.fused import FusedMNM
from agents.cells.mnm.memory import SMALL_SQUARE
from agents.cells.mnm.mnm_g import MNMG
from agents.cells.mnm.mnm_p import MNMP
from agents.cells.parts import kernels
from agents.cells.state import map_state
from agents.cells.unroll import unroll_steps
from tests.agents.cells.cases import INPUT_SIZE, PATTERNS, differentiable, leaf, starts_of

STEPS, ROWS, UNITS = 4, 2, 3
Array = npt.NDArray[np.float64]


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def add_product(left: Array, right: Array, out: Array) -> None:
    out += left @ right


def add_packed_product(left: Array, right: Array, out: Array) -> None:
    out += left @ right[0]


def add_outer(left: Array, right: Array, out: Array) -> None:
    out += left.T @ right


def dots(left: Array, right: Array, out: Array) -> None:
    out[:] = left @ right.T


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has sequences run as plain Python, as exactly as float64 is."""
    exact = {
        "add_product": add_product,
        "add_packed_product": add_packed_product,
        "add_outer": add_outer,
        "dots": dots,
        "sigmoid": sigmoid,
        "tanh": np.tanh,
        "pack": lambda matrix: matrix.unsqueeze(0),
        "_SMALL_SQUARE": SMALL_SQUARE,
        "_EPS": norm.EPS,
    }
    for module in (kernels, squash, norm, errors, row, steps, sequence):
        for name, value in list(vars(module).items()):
            if name in exact:
                monkeypatch.setattr(module, name, exact[name])
            elif hasattr(value, "py_func"):
                monkeypatch.setattr(module, name, value.py_func)


def results(unrolled: Unrolled, inputs: list[Tensor]) -> list[Tensor]:
    """Outputs, last state and own losses, and the gradients of a weighted sum of all."""
    values = differentiable(unrolled)
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(x.shape, dtype=x.dtype, generator=generator) for x in values]
    return [*values, *torch.autograd.grad(values, inputs, weights)]


# The scale of MNM-g's errors, 1 / L or 2 / H, has to be exact in float32.
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(
    "options",
    [
        {"memory_layers": 1},
        {"memory_layers": 1, "num_heads": 2, "linear_values": True, "normalized_writes": False},
        {"memory_layers": 2, "num_heads": 4, "recall_weight": 0.0},
        {"memory_layers": 2, "num_heads": 2, "layer_norm": True},
        {"memory_layers": 2, "num_heads": 1, "controller": "feedforward"},
        {"memory_layers": 4, "num_heads": 2, "rate_per_layer": True, "linear_values": True},
        {"memory_layers": 4, "num_heads": 1, "rate_per_layer": False, "normalized_writes": False},
    ],
)
@pytest.mark.parametrize("cls", [MNMG, MNMP])
@pytest.mark.usefixtures("plain")
def test_they_are_pytorch_s(cls: type[FusedMNM], options: dict[str, Any], pattern: str) -> None:
    torch.manual_seed(0)
    cell = cls(INPUT_SIZE, hidden_size=UNITS, memory_width=5, **options).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.5)
    state = map_state(lambda x: leaf(x + 0.3 * torch.randn_like(x)), cell.initial_state(ROWS))
    xs = torch.randn(STEPS, ROWS, INPUT_SIZE, dtype=torch.float64, requires_grad=True)
    starts = starts_of(pattern, STEPS, ROWS)
    inputs = [*differentiable(xs, state), *cell.parameters()]
    found = results(cell.sequence(xs, state, starts), inputs)
    expected = results(unroll_steps(cell, xs, state, starts), inputs)
    for x, y in zip(found, expected, strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=1e-10 * max(1.0, y.abs().max().item()))
