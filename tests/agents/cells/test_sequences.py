"""Cells that run a sequence in PyTorch's own operations, against the time loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agents.cells import make_cell
from agents.cells.base import FusedCell, Unrolled
from agents.cells.state import State, map_state, state_tensors
from agents.cells.unroll import unroll, unroll_steps

INPUT_SIZE = 3
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "framestack": ("framestack", {"stack_size": 4}),
    "framestack of 1": ("framestack", {"stack_size": 1}),
}


@pytest.fixture(params=CASES)
def cell(request: pytest.FixtureRequest) -> FusedCell[Any]:
    torch.manual_seed(0)
    name, memory_kwargs = CASES[request.param]
    cell = make_cell(name, INPUT_SIZE, **memory_kwargs).double()
    assert isinstance(cell, FusedCell)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.5)
    return cell


def starts_of(pattern: str, steps: int, rows: int) -> Tensor:
    """Episode starts ``(steps, rows)`` after a named pattern."""
    starts = torch.full((steps, rows), pattern == "all")
    match pattern:
        case "first":
            starts[0] = True
        case "last":
            starts[-1, rows // 2 :] = True
        case "random":
            starts = torch.rand(steps, rows) < 0.3
    return starts


def make_inputs(cell: FusedCell[Any], steps: int, rows: int) -> tuple[Tensor, State]:
    """Inputs that are neither contiguous nor of unit stride, and a state that has seen some."""
    before = torch.randn(3, rows, INPUT_SIZE, dtype=torch.float64)
    # One row enters with an episode that starts a step late.
    late = torch.zeros(3, rows, dtype=torch.bool)
    late[1, 0] = True
    state = unroll_steps(cell, before, cell.initial_state(rows), late).state
    xs = torch.randn(rows, steps, 2 * INPUT_SIZE, dtype=torch.float64)[..., ::2].transpose(0, 1)
    return xs.requires_grad_(), map_state(
        lambda x: x.detach().clone().requires_grad_(x.is_floating_point()), state
    )


def results(unrolled: Unrolled, inputs: list[Tensor]) -> list[Tensor]:
    """Outputs, last state, and the gradients of a weighted sum of both."""
    values = [unrolled.outs, *state_tensors(unrolled.state)]
    generator = torch.Generator().manual_seed(1)
    loss = torch.stack(
        [
            (x * torch.randn(x.shape, dtype=torch.float64, generator=generator)).sum()
            for x in values
            if x.is_floating_point()
        ]
    ).sum()
    return [*values, *torch.autograd.grad(loss, inputs, materialize_grads=True)]


@pytest.mark.parametrize("pattern", ["none", "first", "last", "all", "random"])
@pytest.mark.parametrize(("steps", "rows"), [(1, 1), (1, 3), (7, 1), (40, 3)])
def test_a_sequence_equals_the_time_loop(
    cell: FusedCell[Any], steps: int, rows: int, pattern: str
) -> None:
    xs, state = make_inputs(cell, steps, rows)
    starts = starts_of(pattern, steps, rows)
    floats = [x for x in state_tensors(state) if x.requires_grad]
    inputs = [xs, *floats, *cell.parameters()]
    found = results(cell.sequence(xs, state, starts), inputs)
    expected = results(unroll_steps(cell, xs, state, starts), inputs)
    # Each step adds some hundred roundings of the largest number that it sums.
    rounding = 100 * steps * torch.finfo(torch.float64).eps
    for x, y in zip(found, expected, strict=True):
        assert x.dtype == y.dtype
        largest = y.abs().max().item() if y.numel() else 0.0
        torch.testing.assert_close(x, y, rtol=0, atol=rounding * max(1.0, largest))


def test_inputs_of_every_type_take_the_sequence(
    cell: FusedCell[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fused = object()
    monkeypatch.setattr(cell, "sequence", lambda *_: fused)
    starts = torch.zeros(2, 2, dtype=torch.bool)
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        cell.to(dtype)
        xs = torch.zeros(2, 2, INPUT_SIZE, dtype=dtype)
        assert unroll(cell, xs, cell.initial_state(2), starts) is fused


def test_nan_neither_crosses_an_episode_start_nor_is_hidden(cell: FusedCell[Any]) -> None:
    xs, state = make_inputs(cell, 4, 2)
    starts = torch.tensor([[False, False], [False, False], [True, True], [False, False]])
    broken = xs.detach().clone()
    broken[1, 0] = torch.nan
    outs, last, _ = cell.sequence(broken, state, starts)
    expected, final, _ = unroll_steps(cell, broken, state, starts)
    assert outs[1, 0].isnan().any()
    assert torch.equal(outs.isnan(), expected.isnan())
    assert outs[[0, 2, 3]].isfinite().all()
    for x, y in zip(state_tensors(last), state_tensors(final), strict=True):
        assert torch.equal(x.isfinite(), y.isfinite())
        assert x.isfinite().all()
    parameters = list(cell.parameters())
    if parameters:
        gradients = torch.autograd.grad(outs[1, 0].sum(), parameters, materialize_grads=True)
        assert any(x.isnan().any() for x in gradients)


def test_a_state_left_behind_may_be_nan(cell: FusedCell[Any]) -> None:
    xs, state = make_inputs(cell, 4, 2)
    broken = map_state(lambda x: x * torch.nan if x.is_floating_point() else x, state)
    starts = starts_of("first", 4, 2)
    outs, last, _ = cell.sequence(xs, broken, starts)
    expected, _, _ = cell.sequence(xs, state, starts)
    assert torch.equal(outs, expected)
    gradients = torch.autograd.grad(outs.sum(), [xs, *cell.parameters()])
    assert all(x.isfinite().all() for x in (*state_tensors(last), *gradients))


def test_no_rows_are_no_error(cell: FusedCell[Any]) -> None:
    xs = torch.zeros(3, 0, INPUT_SIZE, dtype=torch.float64)
    starts = torch.zeros(3, 0, dtype=torch.bool)
    outs = unroll(cell, xs, cell.initial_state(0), starts).outs
    assert outs.shape == (3, 0, cell.output_size)
