"""Cells of the table in lower precision, far from where they start, and for long."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from agents.cells import MemoryCell
from agents.cells.state import State, map_state, state_tensors
from agents.cells.unroll import unroll, unroll_steps
from tests.agents.cells.cases import (
    CASES,
    INPUT_SIZE,
    converted,
    differentiable,
    leaf,
    make_case,
    random_input,
    state_after,
)

STEPS, ROWS = 6, 3
# Of a rollout, the last `PLAIN` steps go one by one, and those before by the fast path, if there is
# one. A cell that takes a good part of a millisecond a step even so plays fewer steps.
LONG, LONG_OF_HEAVY_CELLS, PLAIN = 10_000, 1_000, 500
HEAVY = ("ntm", "dnc", "salu", "mnm", "titans")


def numbers(cell: MemoryCell[Any], xs: Tensor, state: State, starts: Tensor) -> list[Tensor]:
    """Outputs, last state and own losses, in float64."""
    with torch.no_grad():
        return [x.double() for x in state_tensors(unroll(cell, xs, state, starts))]


# A machine that sorts its slots by usage allocates them in another order where a precision of three
# digits makes them equal; they are tested in the other one, and `test_dnc.py` has bfloat16.
COARSE = [case for case in CASES if not case.startswith("dnc")]


@pytest.mark.parametrize(
    ("case", "dtype"),
    [*((case, torch.float32) for case in CASES), *((case, torch.bfloat16) for case in COARSE)],
)
def test_a_lower_precision_loses_no_more_than_it_must(case: str, dtype: torch.dtype) -> None:
    """Whoever rounds inputs, state and parameters moves the results.

    A computation of some ten roundings one after the other may move them ten times as far, and ten
    roundings of the largest number beside. One that loses more has a better formula.
    """
    cell = make_case(case)
    low = copy.deepcopy(cell).to(dtype)
    exact = copy.deepcopy(low).double()
    xs, starts = random_input(STEPS, ROWS).to(dtype), torch.rand(STEPS, ROWS) < 0.2
    state = converted(state_after(cell, ROWS), dtype)
    found = numbers(low, xs, state, starts)
    wide = xs.double(), converted(state, torch.float64)
    expected = numbers(exact, *wide, starts)

    eps = torch.finfo(dtype).eps

    def rounded(x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return x
        return x.detach() * (1 + eps * (2 * torch.rand_like(x) - 1).sign())

    moved = [torch.zeros_like(x) for x in expected]
    for _ in range(8):
        other = copy.deepcopy(exact)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.copy_(rounded(parameter))
        results = numbers(other, rounded(wide[0]), map_state(rounded, wide[1]), starts)
        moved = [(x - y).abs().maximum(z) for x, y, z in zip(results, expected, moved, strict=True)]
    for x, y, z in zip(found, expected, moved, strict=True):
        largest = y.abs().max() if y.numel() else 0.0
        assert bool(((x - y).abs() <= 10 * z + 10 * eps * largest).all())


def scale(factor: float) -> Callable[[MemoryCell[Any]], None]:
    """Multiplies the parameters: gates saturate, shut with the one sign and open with the other."""

    def change(cell: MemoryCell[Any]) -> None:
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter.mul_(factor)

    return change


def leave(cell: MemoryCell[Any]) -> None:
    """Leaves the parameters as they are."""


# What is done to the parameters, and what inputs and state are multiplied by.
EXTREMES: dict[str, tuple[Callable[[MemoryCell[Any]], None], float, float]] = {
    "no input": (leave, 0.0, 1.0),
    "zero memory": (leave, 1.0, 0.0),
    "zero parameters": (scale(0.0), 1.0, 1.0),
    "zero everything": (scale(0.0), 0.0, 0.0),
    "large inputs": (leave, 1e4, 1.0),
    "huge inputs": (leave, 1e8, 1.0),
    "saturated gates": (scale(100.0), 1.0, 1.0),
    "gates saturated the other way": (scale(-100.0), 1.0, 1.0),
}


@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_stay_finite(case: str, extreme: str) -> None:
    change, input_scale, state_scale = EXTREMES[extreme]
    cell = make_case(case)
    xs = leaf(input_scale * random_input(STEPS, ROWS).float())
    state = map_state(lambda x: (x * state_scale).to(x.dtype), state_after(cell, ROWS))
    change(cell.float())
    state = converted(state, torch.float32)
    unrolled = unroll(cell, xs, state, torch.rand(STEPS, ROWS) < 0.2)
    values = differentiable(unrolled)
    inputs = [*differentiable(xs, state), *cell.parameters()]
    total = torch.stack([x.mean() for x in values if x.numel()]).sum()
    gradients = torch.autograd.grad(total, inputs, materialize_grads=True)
    for x in (*values, *gradients):
        assert x.isfinite().all()


@pytest.mark.parametrize("case", CASES)
def test_a_long_rollout_stays_finite(case: str) -> None:
    cell = make_case(case).float()
    steps = LONG_OF_HEAVY_CELLS if case.startswith(HEAVY) else LONG
    # The inputs have a mean, which adds up in a memory that forgets nothing.
    xs, starts = torch.randn(steps, 2, INPUT_SIZE) + 0.5, torch.zeros(steps, 2, dtype=torch.bool)
    with torch.no_grad():
        first = unroll(cell, xs[:-PLAIN], cell.initial_state(2), starts[:-PLAIN])
        second = unroll_steps(cell, xs[-PLAIN:], first.state, starts[-PLAIN:])
    for unrolled in (first, second):
        assert all(x.isfinite().all() for x in state_tensors(unrolled))
