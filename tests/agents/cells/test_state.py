"""Memory states: map, where, detach, index, cat."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from agents.cells.state import cat_states, detach_state, index_state, map_state, where_state


class Inner(NamedTuple):
    flat: Tensor


class Empty(NamedTuple):
    pass


class Outer(NamedTuple):
    matrix: Tensor
    inner: Inner
    nothing: Empty


def make_state(offset: float = 0.0, rows: int = 3) -> Outer:
    """A nested state whose row i holds ``i + offset`` everywhere."""
    row = torch.arange(rows) + offset
    return Outer(row.view(-1, 1, 1).expand(rows, 2, 4), Inner(row.view(-1, 1)), Empty())


def row_values(state: Outer) -> list[float]:
    """The value of every row; all fields must agree, and keep their shapes."""
    rows = len(state.matrix)
    assert type(state) is Outer
    assert type(state.inner) is Inner
    assert state.nothing == Empty()
    assert state.matrix.shape == (rows, 2, 4)
    assert state.inner.flat.shape == (rows, 1)
    assert (state.matrix == state.inner.flat.view(-1, 1, 1)).all()
    return state.inner.flat.flatten().tolist()


def test_map_applies_to_every_tensor_of_all_states() -> None:
    total = map_state(lambda x, y, z: x + 10 * y + z, make_state(), make_state(1), make_state(0.5))
    assert row_values(total) == [10.5, 22.5, 34.5]


def test_map_refuses_states_of_different_structure() -> None:
    with pytest.raises(ValueError, match="shorter"):
        map_state(torch.add, make_state(), make_state()[:2])


def test_where_replaces_whole_rows() -> None:
    mixed = where_state(torch.tensor([True, False, True]), make_state(100), make_state())
    assert row_values(mixed) == [100, 1, 102]


def test_where_lets_nothing_through_from_rows_not_taken() -> None:
    nowhere = make_state(float("nan"))
    taken = where_state(torch.zeros(3, dtype=torch.bool), nowhere, make_state())
    assert row_values(taken) == [0, 1, 2]


def test_detach_cuts_every_tensor_off() -> None:
    state = map_state(lambda x: x.clone().requires_grad_() * 2, make_state())
    detached = detach_state(state)
    assert state.inner.flat.requires_grad
    assert not detached.matrix.requires_grad
    assert not detached.inner.flat.requires_grad
    assert row_values(detached) == [0, 2, 4]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (slice(1, 3), [1, 2]),
        (torch.tensor([2, 0, 2]), [2, 0, 2]),
        (torch.tensor([False, True, False]), [1]),
    ],
)
def test_index_selects_rows(rows: slice | Tensor, expected: list[float]) -> None:
    assert row_values(index_state(make_state(), rows)) == expected


def test_cat_joins_rows() -> None:
    joined = cat_states([make_state(), make_state(7, rows=1), make_state(20, rows=2)])
    assert row_values(joined) == [0, 1, 2, 7, 20, 21]


def test_an_empty_state_passes_through_everything() -> None:
    mask = torch.tensor([True, False])
    for result in (
        map_state(torch.add, Empty(), Empty()),
        where_state(mask, Empty(), Empty()),
        detach_state(Empty()),
        index_state(Empty(), mask),
        cat_states([Empty(), Empty()]),
    ):
        assert result == Empty()
        assert type(result) is Empty
