"""Linear recurrences over time: in order and in pairs, against a loop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from agents.cells.parts import scan as scan_module
from agents.cells.parts.scan import complex_scan, in_order, in_pairs, scan
from tests.agents.cells.cases import PATTERNS, starts_of

Scan = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
LENGTHS = [1, 2, 3, 4, 5, 7, 8, 33]


def looped(decays: Tensor, inputs: Tensor, state: Tensor, starts: Tensor) -> Tensor:
    """The recurrence, row by row."""
    states = torch.zeros_like(inputs)
    for b in range(inputs.shape[1]):
        before = state[b]
        for t in range(len(inputs)):
            if starts[t, b]:
                before = torch.zeros_like(before)
            before = decays[t, b] * before + inputs[t, b]
            states[t, b] = before
    return states


def numbers(T: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Decays of sizes around 1, inputs, a state: three rows of two numbers."""
    return (
        torch.randn(T, 3, 2, dtype=dtype),
        torch.randn(T, 3, 2, dtype=dtype),
        torch.randn(3, 2, dtype=dtype),
    )


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("T", LENGTHS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("run", [in_order, in_pairs])
def test_it_is_the_recurrence(run: Scan, dtype: torch.dtype, T: int, pattern: str) -> None:
    decays, inputs, state = numbers(T, dtype)
    starts = starts_of(pattern, T, 3)
    expected = looped(decays, inputs, state, starts)
    # Each of T steps rounds twice, by the size of its numbers.
    atol = 10 * T * torch.finfo(torch.float64).eps * expected.abs().max().item()
    found = run(decays, inputs, state, starts)
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("T", [1, 2, 5])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("run", [in_order, in_pairs])
def test_gradients_are_those_of_finite_differences(
    run: Scan, dtype: torch.dtype, T: int, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, "_run", run)
    starts = starts_of(pattern, T, 3)
    leaves = tuple(x.requires_grad_() for x in numbers(T, dtype))
    assert torch.autograd.gradcheck(
        lambda decays, inputs, state: scan(decays, inputs, state, starts), leaves, fast_mode=True
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_decays_that_all_steps_share(dtype: torch.dtype) -> None:
    decays, inputs, state = numbers(9, dtype)
    shared = decays[0, 0].requires_grad_()
    starts = starts_of("random", 9, 3)
    found = scan(shared, inputs, state, starts)
    assert torch.equal(found, scan(shared.expand(9, 3, 2), inputs, state, starts))
    assert torch.autograd.gradcheck(
        lambda decay: scan(decay, inputs, state, starts), shared, fast_mode=True
    )


@pytest.mark.parametrize("run", [in_order, in_pairs])
def test_small_decays_over_a_long_time_keep_their_precision(run: Scan) -> None:
    """A quotient of products of decays would be zero by zero here."""
    decays = torch.full((3000, 1, 1), 1e-3)
    inputs = torch.randn(3000, 1, 1)
    states = run(decays, inputs, torch.ones(1, 1), torch.zeros(3000, 1, dtype=torch.bool))
    expected = (
        inputs[1:] + 1e-3 * inputs[:-1] + 1e-6 * torch.cat((torch.ones(1, 1, 1), inputs[:-2]))
    )
    torch.testing.assert_close(states[1:], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
@pytest.mark.parametrize("run", [in_order, in_pairs])
def test_nothing_broken_crosses_a_start(run: Scan, broken: float) -> None:
    decays, inputs, state = numbers(8, torch.float64)
    starts = torch.zeros(8, 3, dtype=torch.bool)
    starts[0, 0] = starts[5, 1] = True
    expected = run(decays, inputs, state, starts)
    state[0] = inputs[3, 1] = decays[2, 1] = broken
    found = run(decays, inputs, state, starts)
    assert not found[2:5, 1].isfinite().any()
    found[2:5, 1] = expected[2:5, 1]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("run", [in_order, in_pairs])
def test_a_broken_state_has_no_gradient_into_what_starts(
    run: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, "_run", run)
    decays, inputs, state = leaves = [x.requires_grad_() for x in numbers(4, torch.float64)]
    with torch.no_grad():
        state.fill_(torch.nan)
    states = scan(decays, inputs, state, starts_of("first", 4, 3))
    gradients = torch.autograd.grad(states.sum(), leaves)
    assert all(x.isfinite().all() for x in (states, *gradients))
    assert not gradients[2].any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_complex_numbers_in_two_parts(dtype: torch.dtype) -> None:
    decays, inputs, state = (
        (x.real.to(dtype), x.imag.to(dtype)) for x in numbers(6, torch.complex128)
    )
    starts = starts_of("random", 6, 3)
    real, imag = complex_scan(decays, inputs, state, starts)
    assert real.dtype == imag.dtype == dtype
    decay, x, before = (
        torch.complex(re.double(), im.double()) for re, im in (decays, inputs, state)
    )
    expected = looped(decay, x, before, starts)
    # Two roundings a step of the sizes met; 16 bits are rounded once, at the end.
    atol = 24 * torch.finfo(dtype).eps * expected.abs().max().item()
    torch.testing.assert_close(real.double(), expected.real, rtol=0, atol=atol)
    torch.testing.assert_close(imag.double(), expected.imag, rtol=0, atol=atol)
