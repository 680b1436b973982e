"""The fast path of every cell that has one, against its steps."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor

from agents.cells import CELLS, MemoryCell
from agents.cells.base import FusedCell, Unrolled
from agents.cells.state import state_tensors
from agents.cells.unroll import unroll, unroll_steps
from tests.agents.cells.cases import (
    CASES,
    INPUT_SIZE,
    PATTERNS,
    ROUNDINGS,
    converted,
    differentiable,
    make_case,
    starts_of,
    state_after,
)


def precision(cell: MemoryCell[Any]) -> torch.dtype | None:
    """Float64 if the cell's fast path takes that, where an error shows better; None without one."""
    for dtype in (torch.float64, torch.float32):
        xs = torch.zeros(1, 1, INPUT_SIZE, dtype=dtype)
        if isinstance(cell, FusedCell) and cell.takes(xs):
            return dtype
    return None


FAST = [case for case in CASES if precision(make_case(case)) is not None]


def make_fast(case: str) -> tuple[FusedCell[Any], torch.dtype]:
    """The cell, and the precision of its fast path."""
    cell = cast(FusedCell[Any], make_case(case))
    return cell, cast(torch.dtype, precision(cell))


def test_every_cell_with_a_fast_path_is_tested() -> None:
    fused = {name for name, cls in CELLS.items() if issubclass(cls, FusedCell)}
    assert {CASES[case][0] for case in FAST} == fused


def with_gradients(unrolled: Unrolled, inputs: list[Tensor]) -> list[Tensor]:
    """Outputs, last state and own losses, and the gradients of a weighted sum of all."""
    values = state_tensors(unrolled)
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros((), dtype=unrolled.outs.dtype)
    for x in differentiable(unrolled):
        total = total + (x * torch.randn(x.shape, dtype=x.dtype, generator=generator)).sum()
    return [*values, *torch.autograd.grad(total, inputs, materialize_grads=True)]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("steps", "rows"), [(1, 1), (2, 3), (13, 4), (40, 2)])
@pytest.mark.parametrize("case", FAST)
def test_it_does_what_the_steps_do(case: str, steps: int, rows: int, pattern: str) -> None:
    cell, dtype = make_fast(case)
    state = converted(state_after(cell, rows), dtype)
    cell.to(dtype)
    xs = torch.randn(steps, rows, INPUT_SIZE, dtype=dtype, requires_grad=True)
    starts = starts_of(pattern, steps, rows)
    inputs = [*differentiable(xs, state), *cell.parameters()]
    fast, plain = unroll(cell, xs, state, starts), unroll_steps(cell, xs, state, starts)
    assert fast.losses.keys() == plain.losses.keys()
    # The roundings of a step; gradients are sums over steps and rows of numbers of order one.
    rounding = ROUNDINGS * torch.finfo(dtype).eps
    pairs = zip(with_gradients(fast, inputs), with_gradients(plain, inputs), strict=True)
    for x, y in pairs:
        largest = y.double().abs().max().item() if y.numel() else 0.0
        torch.testing.assert_close(x, y, rtol=0, atol=rounding * max(1.0, largest))


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
@pytest.mark.parametrize("case", FAST)
def test_nothing_broken_crosses_an_episode_start(case: str, broken: float) -> None:
    cell, dtype = make_fast(case)
    cell.to(dtype)
    xs = torch.randn(9, 2, INPUT_SIZE, dtype=dtype)
    starts = torch.zeros(9, 2, dtype=torch.bool)
    starts[5, 0] = True
    whole = unroll(cell, xs, cell.initial_state(2), starts).outs
    xs[2, 0] = broken
    outs = unroll(cell, xs, cell.initial_state(2), starts).outs
    assert not torch.equal(outs[2, 0], whole[2, 0])
    for x, y in ((outs[5:], whole[5:]), (outs[:, 1], whole[:, 1]), (outs[:2], whole[:2])):
        torch.testing.assert_close(x, y, rtol=0, atol=ROUNDINGS * torch.finfo(dtype).eps)


@pytest.mark.parametrize("case", FAST)
def test_nothing_broken_is_hidden(case: str) -> None:
    cell, dtype = make_fast(case)
    cell.to(dtype)
    xs = torch.randn(6, 2, INPUT_SIZE, dtype=dtype)
    xs[2, 0] = torch.nan
    starts = torch.zeros(6, 2, dtype=torch.bool)
    starts[5, 0] = True
    fast, plain = (run(cell, xs, cell.initial_state(2), starts) for run in (unroll, unroll_steps))
    assert fast.outs[2, 0].isnan().any()
    for x, y in zip(state_tensors(fast), state_tensors(plain), strict=True):
        assert torch.equal(x.isnan(), y.isnan())
    parameters = list(cell.parameters())
    if parameters:
        gradients = torch.autograd.grad(fast.outs[2].sum(), parameters, materialize_grads=True)
        assert any(x.isnan().any() for x in gradients)


@pytest.mark.parametrize("case", FAST)
def test_no_rows_are_no_error(case: str) -> None:
    cell, dtype = make_fast(case)
    cell.to(dtype)
    xs, starts = torch.zeros(3, 0, INPUT_SIZE, dtype=dtype), torch.zeros(3, 0, dtype=torch.bool)
    outs = unroll(cell, xs, cell.initial_state(0), starts).outs
    assert outs.shape == (3, 0, cell.output_size)
