"""Addressing and access on cases built by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from agents.cells.parts import addressing
from agents.cells.parts.addressing import (
    circular_shift,
    content_weighting,
    erase_and_add,
    interpolate,
    read,
    sharpen,
)


def weighting(*weights: float) -> Tensor:
    """The weighting of one head, ``(1, 1, N)``."""
    return torch.tensor([[weights]])


def rows(*values: list[float]) -> Tensor:
    """One memory, or the vectors of several heads: ``(1, rows, W)``."""
    return torch.tensor([values])


MEMORY = rows([3.0, 0.0], [0.0, 0.1], [-2.0, 0.0], [1.0, 1.0])


@pytest.mark.parametrize("scale", [0.01, 1.0, 1e4])
def test_a_strong_key_picks_the_slot_of_its_direction(scale: float) -> None:
    keys = scale * rows([0.0, 5.0], [-1.0, 0.0], [2.0, 2.0])
    found = content_weighting(MEMORY, keys, torch.full((1, 3, 1), 100.0))
    assert found.argmax(dim=-1).tolist() == [[1, 2, 3]]
    assert found.amax(dim=-1).min() > 0.999


def test_content_weights_are_a_softmax_of_cosines() -> None:
    found = content_weighting(MEMORY, rows([1.0, 0.0]), torch.full((1, 1, 1), 2.0))
    cosines = torch.tensor([1.0, 0.0, -1.0, 0.5**0.5])
    torch.testing.assert_close(found[0, 0], torch.softmax(2 * cosines, dim=0))


def test_without_strength_all_slots_weigh_the_same() -> None:
    found = content_weighting(MEMORY, rows([1.0, 0.0]), torch.zeros(1, 1, 1))
    torch.testing.assert_close(found, torch.full((1, 1, 4), 0.25))


def test_an_empty_slot_resembles_no_key_and_has_a_bounded_gradient() -> None:
    memory = torch.zeros(1, 3, 2, requires_grad=True)
    keys = torch.ones(1, 1, 2, requires_grad=True)
    found = content_weighting(memory, keys, torch.ones(1, 1, 1))
    torch.testing.assert_close(found, torch.full((1, 1, 3), 1 / 3))
    for gradient in torch.autograd.grad(found[0, 0, 0], (memory, keys)):
        assert gradient.abs().max() <= 1 / addressing.MIN_NORM


def test_the_gate_chooses_between_content_and_previous_weighting() -> None:
    content, previous = weighting(0.7, 0.2, 0.1), weighting(0.0, 0.0, 1.0)
    assert torch.equal(interpolate(content, previous, torch.zeros(1, 1, 1)), previous)
    assert torch.equal(interpolate(content, previous, torch.ones(1, 1, 1)), content)
    half = interpolate(content, previous, torch.full((1, 1, 1), 0.5))
    torch.testing.assert_close(half, weighting(0.35, 0.1, 0.55))


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [
        ((0.0, 0.0, 1.0), (0.1, 0.6, 0.3, 0.0)),
        ((1.0, 0.0, 0.0), (0.3, 0.0, 0.1, 0.6)),
        ((0.0, 1.0, 0.0), (0.6, 0.3, 0.0, 0.1)),
        ((0.0, 0.5, 0.5), (0.35, 0.45, 0.15, 0.05)),
        ((1.0,), (0.6, 0.3, 0.0, 0.1)),
    ],
)
def test_a_shift_moves_the_focus_around_the_end(
    shifts: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    moved = circular_shift(weighting(0.6, 0.3, 0.0, 0.1), torch.tensor([[shifts]]))
    torch.testing.assert_close(moved, weighting(*expected))


@pytest.mark.parametrize("offset", [-2, -1, 0, 1, 2])
def test_every_offset_of_a_wider_shift(offset: int) -> None:
    shifts = torch.zeros(1, 1, 5)
    shifts[..., offset + 2] = 1
    moved = circular_shift(weighting(0.0, 1.0, 0.0, 0.0, 0.0, 0.0), shifts)
    assert moved.argmax().item() == (1 + offset) % 6


def test_heads_and_rows_shift_on_their_own() -> None:
    weightings = torch.eye(3).expand(2, 3, 3)
    shifts = torch.eye(3)[torch.tensor([[0, 1, 2], [2, 2, 0]])]
    assert circular_shift(weightings, shifts).argmax(-1).tolist() == [[2, 1, 0], [1, 2, 1]]


def test_sharpening_raises_to_a_power() -> None:
    weightings = weighting(0.5, 0.3, 0.2)
    torch.testing.assert_close(sharpen(weightings, torch.ones(1, 1, 1)), weightings)
    squares = torch.tensor([0.25, 0.09, 0.04])
    sharp = sharpen(weightings, torch.full((1, 1, 1), 2.0))
    torch.testing.assert_close(sharp[0, 0], squares / squares.sum())
    sharper = sharpen(weightings, torch.full((1, 1, 1), 50.0))
    torch.testing.assert_close(sharper, weighting(1.0, 0.0, 0.0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 1e4])
@pytest.mark.parametrize(
    "weights", [(0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (1e-30, 1e-38, 0.0), (0.4, 0.3, 0.3)]
)
def test_sharpening_stays_finite(weights: tuple[float, ...], exponent: float) -> None:
    weightings = weighting(*weights).requires_grad_()
    exponents = torch.full((1, 1, 1), exponent, requires_grad=True)
    sharp = sharpen(weightings, exponents)
    torch.testing.assert_close(sharp.sum(), torch.tensor(1.0))
    for gradient in torch.autograd.grad(sharp[0, 0, 0], (weightings, exponents)):
        assert gradient.isfinite().all()


def test_a_read_is_a_weighted_sum_of_slots() -> None:
    weightings = torch.tensor([[[0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.5, 0.0]]])
    torch.testing.assert_close(read(MEMORY, weightings), rows([0.0, 0.1], [0.5, 0.0]))


def test_full_erase_and_add_overwrite_one_slot_exactly() -> None:
    new = rows([7.0, -8.0])
    written = erase_and_add(MEMORY, weighting(0.0, 0.0, 1.0, 0.0), torch.ones(1, 1, 2), new)
    assert torch.equal(written[0, 2], new[0, 0])
    assert torch.equal(written[0, [0, 1, 3]], MEMORY[0, [0, 1, 3]])


def test_all_heads_erase_before_any_adds() -> None:
    weightings = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [1.0, 0.5, 0.0, 0.0]]])
    erase, add = rows([1.0, 0.0], [0.5, 1.0]), rows([2.0, 3.0], [10.0, 20.0])
    expected = MEMORY.clone()
    expected[0, 0] = torch.tensor([3.0 * 0.0 * 0.5 + 2 + 10, 0.0 + 3 + 20])
    expected[0, 1] = torch.tensor([0.0 + 5, 0.1 * 0.5 + 10])
    torch.testing.assert_close(erase_and_add(MEMORY, weightings, erase, add), expected)
    swapped = erase_and_add(MEMORY, weightings.flip(1), erase.flip(1), add.flip(1))
    torch.testing.assert_close(swapped, expected)
