"""The compiled sequence of the DNC, beyond what holds for every fast path."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from agents.cells.base import Unrolled
from agents.cells.dnc.cell import DNC, DNCState
from agents.cells.dnc.fast.sequence import ROWS_OF_A_THREAD
from agents.cells.parts.threads import row_chunks
from agents.cells.state import map_state, state_tensors
from agents.cells.unroll import unroll_steps
from tests.agents.cells.cases import PATTERNS, leaf, starts_of

INPUT_SIZE = 3
EPS = torch.finfo(torch.float32).eps


def make_dnc(hidden_size: int, memory_size: int, word_size: int, num_read_heads: int) -> DNC:
    torch.manual_seed(0)
    cell = DNC(INPUT_SIZE, hidden_size, memory_size, word_size, num_read_heads)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.5)
    return cell


def later_state(cell: DNC, rows: int) -> DNCState:
    state = cell.initial_state(rows)
    with torch.no_grad():
        for x in torch.randn(4, rows, INPUT_SIZE):
            _, state = cell(x, state)
    return map_state(leaf, state)


def numbers(unrolled: Unrolled, inputs: list[Tensor]) -> list[Tensor]:
    """Outputs, last state, and the gradients of a weighted sum of both."""
    values = [unrolled.outs, *state_tensors(unrolled.state)]
    generator = torch.Generator().manual_seed(0)
    weighted = [(x * torch.randn(x.shape, generator=generator)).sum() for x in values]
    total = torch.stack(weighted).sum()
    return [*values, *torch.autograd.grad(total, inputs, materialize_grads=True)]


# Heads one and many; slots that fill up groups of four, leave some over, or are one.
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(
    ("steps", "rows", "sizes"),
    [
        (1, 1, (3, 1, 1, 1)),
        (7, 3, (6, 5, 3, 2)),
        (17, 2, (5, 8, 4, 3)),
        (6, 19, (4, 7, 2, 1)),
        (40, 2, (8, 32, 16, 2)),
    ],
)
def test_it_equals_the_time_loop(
    steps: int, rows: int, sizes: tuple[int, int, int, int], pattern: str
) -> None:
    cell = make_dnc(*sizes)
    state = later_state(cell, rows)
    # Neither contiguous nor of unit stride.
    xs = torch.randn(rows, steps, 2 * INPUT_SIZE)[..., ::2].transpose(0, 1).requires_grad_()
    starts = starts_of(pattern, steps, rows)
    inputs = [xs, *state_tensors(state), *cell.parameters()]
    fused = numbers(cell.sequence(xs, state, starts), inputs)
    stepped = numbers(unroll_steps(cell, xs, state, starts), inputs)
    # A step has some ten products in a row, over at most 40 numbers; gradients add up steps.
    rounding = 100 * steps * EPS
    for x, y in zip(fused, stepped, strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=rounding * max(1.0, y.abs().max().item()))


def test_threads_share_the_rows() -> None:
    """In threads of 9 and 10 rows; the products of all threads add up in another order."""
    cell = make_dnc(6, 8, 4, 2)
    state, starts = later_state(cell, 19), starts_of("random", 5, 19)
    xs = torch.randn(5, 19, INPUT_SIZE, requires_grad=True)
    inputs = [xs, *state_tensors(state), *cell.parameters()]
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            assert len(row_chunks(19, ROWS_OF_A_THREAD)) == threads
            found.append(numbers(cell.sequence(xs, state, starts), inputs))
    finally:
        torch.set_num_threads(before)
    for x, y in zip(*found, strict=True):
        atol = 100 * EPS * max(1.0, y.abs().max().item())
        torch.testing.assert_close(x, y, rtol=0, atol=atol)


def test_no_rows_are_no_error() -> None:
    cell = make_dnc(4, 5, 3, 2)
    xs, starts = torch.zeros(3, 0, INPUT_SIZE), torch.zeros(3, 0, dtype=torch.bool)
    outs = cell.sequence(xs.requires_grad_(), cell.initial_state(0), starts).outs
    assert outs.shape == (3, 0, 10)
    assert torch.autograd.grad(outs.sum(), xs)[0].shape == xs.shape


def test_it_can_be_gone_back_twice_and_leaves_the_gradients_that_it_is_given() -> None:
    cell = make_dnc(4, 5, 3, 2)
    xs = torch.randn(6, 4, INPUT_SIZE, requires_grad=True)
    outs, state, _ = cell.sequence(xs, cell.initial_state(4), starts_of("random", 6, 4))
    values = [outs, *state_tensors(state)]
    given = [torch.ones_like(x) for x in values]
    (first,) = torch.autograd.grad(values, xs, given, retain_graph=True)
    (second,) = torch.autograd.grad(values, xs, given)
    assert first.equal(second)
    assert all(bool((x == 1).all()) for x in given)


def test_it_leaves_the_state_that_it_is_given() -> None:
    cell = make_dnc(4, 5, 3, 2)
    state = later_state(cell, 4)
    copies = [x.clone() for x in state_tensors(state)]
    cell.sequence(torch.randn(6, 4, INPUT_SIZE), state, starts_of("first", 6, 4))
    for x, y in zip(state_tensors(state), copies, strict=True):
        assert x.equal(y)


def test_slots_too_short_to_have_a_direction_have_no_gradient_by_their_length() -> None:
    """From zero memory and zero keys, where a cosine counts lengths as more than they are."""
    cell = make_dnc(4, 5, 3, 2)
    nn.init.zeros_(cell.interface.weight)
    nn.init.zeros_(cell.interface.bias)
    state = map_state(leaf, cell.initial_state(2))
    xs, starts = torch.randn(3, 2, INPUT_SIZE), starts_of("none", 3, 2)
    inputs = [*state_tensors(state), *cell.parameters()]
    fused = numbers(cell.sequence(xs, state, starts), inputs)
    stepped = numbers(unroll_steps(cell, xs, state, starts), inputs)
    for x, y in zip(fused, stepped, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [300.0, 1000.0])
def test_an_interface_may_hold_numbers_whose_powers_float32_does_not_have(scale: float) -> None:
    """Strengths and modes of some hundreds; the kernels' exponential stops at a power of 87.

    The larger scale has modes that far apart, the smaller one still writes with such strengths.
    """
    cell = make_dnc(4, 8, 2, 3)
    with torch.no_grad():
        cell.interface.weight.mul_(scale)
        xs, starts = torch.randn(12, 20, INPUT_SIZE), starts_of("random", 12, 20)
        fused = cell.sequence(xs, cell.initial_state(20), starts)
        stepped = unroll_steps(cell, xs, cell.initial_state(20), starts)
    for x, y in zip(state_tensors(fused), state_tensors(stepped), strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=1e-3 * y.abs().max().item())


@pytest.mark.parametrize("option", ["masks", "deallocation", "sharpening", "interface_norm"])
def test_what_is_not_compiled_goes_step_by_step(option: str) -> None:
    xs = torch.zeros(1, 1, INPUT_SIZE)
    assert DNC(INPUT_SIZE).takes(xs)
    assert not DNC(INPUT_SIZE).takes(xs.double())
    assert not DNC(INPUT_SIZE, **{option: True}).takes(xs)  # type: ignore[arg-type]
    assert not DNC(INPUT_SIZE, controller="feedforward").takes(xs)


def test_links_are_kept_for_some_steps_only() -> None:
    cell = make_dnc(4, 64, 3, 1)
    saved: list[int] = []

    def pack(x: Tensor) -> Tensor:
        saved.append(x.numel())
        return x

    xs, starts = torch.randn(100, 1, INPUT_SIZE), starts_of("none", 100, 1)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        cell.sequence(xs, cell.initial_state(1), starts)
    of_all_steps = 100 * 64 * 64
    assert saved
    assert sum(saved) < 0.5 * of_all_steps
