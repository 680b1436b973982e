"""Cells whose state is a linear recurrence: minGRU, LRU and FFM."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from agents.cells import make_cell
from agents.cells.ffm import FFM, FFMState
from agents.cells.lru import LRU, LRUState
from agents.cells.mingru import MinGRU
from tests.agents.cells import linear_reference

INPUT_SIZE = 4
# A step of the reference sums some 30 terms of order one in another order than ours.
ROUNDING = 1000 * torch.finfo(torch.float64).eps
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "mingru": ("mingru", {"hidden_size": 5}),
    "lru": ("lru", {"hidden_size": 5, "state_size": 3}),
    "lru-ring": ("lru", {"hidden_size": 4, "state_size": 6, "r_min": 0.8, "max_phase": 0.5}),
    "ffm": ("ffm", {"hidden_size": 5, "memory_size": 3, "context_size": 2}),
    "ffm-one": ("ffm", {"hidden_size": 2, "memory_size": 1, "context_size": 1}),
}


@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_the_paper(case: str) -> None:
    name, memory_kwargs = CASES[case]
    cell = make_cell(name, INPUT_SIZE, **memory_kwargs).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    weights = {key: value.detach().numpy() for key, value in cell.named_parameters()}
    step = getattr(linear_reference, name)
    state = cell.initial_state(2)
    rows: list[Any] = [_as_numbers(name, state, row) for row in range(2)]
    with torch.no_grad():
        for _ in range(6):
            x = torch.randn(2, INPUT_SIZE, dtype=torch.float64)
            out, state = cell(x, state)
            for row in range(2):
                expected, rows[row] = step(x[row].numpy(), rows[row], weights)
                np.testing.assert_allclose(out[row].numpy(), expected, rtol=0, atol=ROUNDING)
                found = _as_numbers(name, state, row)
                np.testing.assert_allclose(found, rows[row], rtol=0, atol=ROUNDING)


def _as_numbers(name: str, state: Any, row: int) -> Any:
    if name == "mingru":
        return state.hidden[row].tolist()
    return torch.complex(state.real[row], state.imag[row]).tolist()


def test_the_first_eigenvalues_of_an_lru_lie_on_the_ring() -> None:
    cell = LRU(INPUT_SIZE, state_size=4000, r_min=0.6, r_max=0.9, max_phase=1.0).double()
    real, imag = cell._decay()
    eigenvalues = torch.complex(real, imag)
    sizes, angles = eigenvalues.abs(), eigenvalues.angle()
    # Nothing lies outside but for the rounding of float32, in which they were drawn.
    assert 0.6 - 1e-6 <= sizes.min() < 0.62
    assert 0.88 < sizes.max() <= 0.9 + 1e-6
    assert 0 <= angles.min() < 0.02
    assert 0.98 < angles.max() <= 1.0 + 1e-6
    # Uniform in area: the squares are uniform, with a mean whose error is 0.13 / sqrt(4000).
    middle = (0.36 + 0.81) / 2
    assert abs(sizes.square().mean().item() - middle) < 5 * 0.13 / math.sqrt(4000)
    torch.testing.assert_close(cell.gamma_log.exp().square(), 1 - sizes.square())


@pytest.mark.parametrize(("r_min", "r_max"), [(0.0, 1.0), (1.0, 1.0), (0.999, 1.0)])
def test_an_lru_starts_inside_the_unit_circle(r_min: float, r_max: float) -> None:
    cell = LRU(INPUT_SIZE, state_size=1000, r_min=r_min, r_max=r_max)
    for parameter in (cell.nu_log, cell.theta_log, cell.gamma_log):
        assert parameter.isfinite().all()
    real, imag = cell.double()._decay()
    assert torch.hypot(real, imag).max() < 1


@pytest.mark.parametrize("change", [-300.0, -5.0, 0.0, 5.0, 300.0])
def test_no_parameters_let_an_lru_grow(change: float) -> None:
    cell = LRU(INPUT_SIZE, state_size=50)
    with torch.no_grad():
        for parameter in (cell.nu_log, cell.theta_log):
            parameter.add_(change)
    real, imag = cell._decay()
    # One rounding each of the size, of cosine and sine, and of the products.
    assert torch.hypot(real, imag).max() <= 1 + 4 * torch.finfo(torch.float32).eps


def test_the_first_weights_of_an_lru_keep_the_size_of_what_passes() -> None:
    """A thousand numbers and more: the estimates of their variances deviate by some 4 percent."""
    torch.manual_seed(0)
    cell = LRU(3, hidden_size=64, state_size=32)
    # B has 64 inputs, C 32 for each of two parts; half of the variance is that of each part.
    for weight, variance in ((cell.B, 0.5 / 64), (cell.C, 1 / 32)):
        assert 0.8 < weight.var().item() / variance < 1.25


def test_left_alone_an_lru_turns_and_decays() -> None:
    cell = LRU(INPUT_SIZE, state_size=3).double()
    with torch.no_grad():
        cell.B.zero_()
        state = LRUState(*torch.randn(2, 2, 3, dtype=torch.float64))
        start = torch.complex(*state)
        for _ in range(20):
            _, state = cell(torch.randn(2, INPUT_SIZE, dtype=torch.float64), state)
        eigenvalues = torch.complex(*cell._decay())
    torch.testing.assert_close(torch.complex(*state), start * eigenvalues**20)


def test_what_ffm_was_shown_once_turns_and_decays() -> None:
    cell = FFM(INPUT_SIZE, memory_size=3, context_size=2).double()
    with torch.no_grad():
        x = torch.randn(1, INPUT_SIZE, dtype=torch.float64)
        _, first = cell(x, cell.initial_state(1))
        assert not first.imag.any()
        cell.inputs.weight.zero_()
        cell.inputs.bias.zero_()
        state: FFMState = first
        for _ in range(30):
            _, state = cell(x, state)
    exponents = -cell.alpha.abs().unsqueeze(1) - 1j * cell.omega
    torch.testing.assert_close(torch.complex(*state), first.real * (30 * exponents.detach()).exp())


def test_the_slowest_and_the_fastest_trace_of_ffm() -> None:
    cell = FFM(INPUT_SIZE)
    kept = (-cell.alpha.abs().double()).exp().tolist()
    assert kept[0] ** 1024 == pytest.approx(0.01, rel=1e-4)
    assert kept[-1] == pytest.approx(0.5, rel=1e-6)
    assert (2 * math.pi / cell.omega).tolist() == pytest.approx([1, 342, 683, 1024])


def test_a_mingru_stays_among_its_candidates() -> None:
    cell = MinGRU(INPUT_SIZE, 7)
    with torch.no_grad():
        nn.init.normal_(cell.gate.weight, std=3)
        state = cell.initial_state(5)
        low, high = state.hidden, state.hidden
        for _ in range(50):
            x = torch.randn(5, INPUT_SIZE)
            _, state = cell(x, state)
            low, high = low.minimum(cell.candidate(x)), high.maximum(cell.candidate(x))
            # Interpolation rounds by the size of its ends.
            slack = 4 * torch.finfo(torch.float32).eps * (high - low)
            assert bool((state.hidden >= low - slack).all())
            assert bool((state.hidden <= high + slack).all())


def test_the_biases_of_a_mingru_are_spread_so_that_units_keep_for_longer_and_longer() -> None:
    cell = MinGRU(INPUT_SIZE, 5)
    assert cell.gate.bias.tolist() == [1.0, 0.0, -1.0, -2.0, -3.0]


@pytest.mark.parametrize(
    ("name", "memory_kwargs", "message"),
    [
        ("mingru", {"hidden_size": 0}, "hidden_size is 0; allowed: integers from 1 on"),
        ("lru", {"hidden_size": 0}, "hidden_size is 0; allowed: integers from 1 on"),
        ("lru", {"state_size": 0}, "state_size is 0; allowed: integers from 1 on"),
        ("lru", {"r_max": 1.5}, "r_max is 1.5; allowed: numbers above 0 up to 1"),
        ("lru", {"r_max": 0.5, "r_min": 0.6}, "r_min is 0.6; allowed: numbers from 0 to 0.5"),
        ("lru", {"max_phase": 0}, "max_phase is 0; allowed: numbers above 0 up to 6.28319"),
        ("ffm", {"hidden_size": 0}, "hidden_size is 0; allowed: integers from 1 on"),
        ("ffm", {"memory_size": 0}, "memory_size is 0; allowed: integers from 1 on"),
        ("ffm", {"context_size": 0}, "context_size is 0; allowed: integers from 1 on"),
    ],
)
def test_bad_arguments(name: str, memory_kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="allowed") as error:
        make_cell(name, INPUT_SIZE, **memory_kwargs)
    assert message in str(error.value)
