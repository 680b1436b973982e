"""The LSTM with a look-up table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.cells.salu import SALU, SALUState, Table, look_up
from agents.cells.state import detach_state, state_tensors
from agents.cells.unroll import unroll, unroll_steps
from tests.agents.cells.salu_reference import Reference, Sizes, step

INPUT_SIZE, HIDDEN_SIZE = 4, 5


def make_salu(sizes: Sizes) -> SALU:
    """A float64 cell with random parameters."""
    torch.manual_seed(0)
    cell = SALU(INPUT_SIZE, HIDDEN_SIZE, *sizes).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    return cell


def run(cell: SALU, steps: int, rows: int = 1) -> SALUState:
    state = cell.initial_state(rows)
    for x in torch.randn(steps, rows, INPUT_SIZE, dtype=torch.float64):
        _, state = cell(x, state)
    return state


@pytest.mark.parametrize(
    "sizes", [Sizes(20, 3, 2, 1), Sizes(4, 2, 3, 1), Sizes(3, 2, 3, 3), Sizes(1, 2, 2, 2)]
)
def test_it_equals_a_transcription_of_the_paper(sizes: Sizes) -> None:
    cell = make_salu(sizes)
    weights = {name: x.detach().numpy() for name, x in cell.named_parameters()}
    state = cell.initial_state(2)
    units = np.zeros(HIDDEN_SIZE)
    expected = [Reference([], np.zeros(sizes.value_size), units, units) for _ in range(2)]
    for x in torch.randn(9, 2, INPUT_SIZE, dtype=torch.float64):
        out, state = cell(x, state)
        for row in range(2):
            theirs, expected[row] = step(x[row].numpy(), expected[row], weights, sizes)
            blank = sizes.memory_size - len(expected[row].written)
            assert state.filled[row] == sizes.memory_size - blank
            pairs: list[tuple[Tensor, Any]] = [
                (out, theirs),
                (state.read, expected[row].read),
                (state.controller.hidden, expected[row].hidden),
                (state.controller.cell, expected[row].cell),
            ]
            for part, table in enumerate(state.table):
                entries = [[pair[part] for pair in heads] for heads in expected[row].written]
                pairs.append((table[:, blank:], np.array(entries)))
                assert not table[row, :blank].any()
            for ours, theirs in pairs:
                # Some hundred roundings of numbers up to ten.
                np.testing.assert_allclose(ours[row].detach().numpy(), theirs, rtol=0, atol=1e-12)


def test_the_oldest_entry_is_overwritten() -> None:
    cell = make_salu(Sizes(3, 2, 2, 2))
    state = cell.initial_state(1)
    written: list[Tensor] = []
    for x in torch.randn(7, 1, INPUT_SIZE, dtype=torch.float64):
        _, state, seen = cell.trace(x, state)
        written.append(seen["write_values"])
        kept = torch.stack(written[-3:], dim=1)
        assert torch.equal(state.table.values[:, -kept.shape[1] :], kept)


def test_a_key_finds_what_was_written_under_it() -> None:
    keys = torch.eye(4).mul(30.0).view(1, 4, 1, 4)
    values = torch.arange(8.0).view(1, 4, 1, 2)
    everything = torch.ones(1, 4, dtype=torch.bool)
    query = torch.tensor([[[0.0, 0.0, 1.0, 0.0]]])
    read, weights = look_up(query, [Table(keys, values)], everything)
    torch.testing.assert_close(read, values[:, 2, 0])
    torch.testing.assert_close(weights, torch.tensor([[[0.0, 0.0, 1.0, 0.0]]]))
    # Of two tables it makes one; what is not there is not read, whatever stands in its place.
    halves = [Table(keys[:, :1], values[:, :1]), Table(keys[:, 1:], values[:, 1:])]
    torch.testing.assert_close(look_up(query, halves, everything)[0], read)
    absent = torch.tensor([[True, True, False, True]])
    read, weights = look_up(query, halves, absent)
    torch.testing.assert_close(weights, torch.tensor([[[1.0, 1.0, 0.0, 1.0]]]) / 3)
    torch.testing.assert_close(read, values[:, [0, 1, 3], 0].mean(dim=1))


def test_heads_look_up_the_entries_of_all_and_their_mean_is_read() -> None:
    keys = torch.eye(4).mul(30.0).view(1, 2, 2, 4)
    values = torch.arange(8.0).view(1, 2, 2, 2)
    queries = torch.eye(4)[None, [1, 2]]
    read, _ = look_up(queries, [Table(keys, values)], torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(read, (values[:, 0, 1] + values[:, 1, 0]) / 2)


def test_a_step_reads_what_it_has_just_written() -> None:
    cell = make_salu(Sizes(4, 2, 3, 1))
    state = run(cell, 1)
    torch.testing.assert_close(state.read, state.table.values[:, -1, 0])


def test_traced_weightings_are_distributions_over_the_entries_that_are_there() -> None:
    cell = make_salu(Sizes(4, 2, 3, 2))
    state = cell.initial_state(3)
    for t in range(6):
        x = torch.randn(3, INPUT_SIZE, dtype=torch.float64)
        _, state, seen = cell.trace(x, state)
        assert seen["read_weights"].shape == (3, 2, 8)
        weights = seen["read_weights"].view(3, 2, 4, 2)
        torch.testing.assert_close(weights.sum((2, 3)), torch.ones_like(weights[..., 0, 0]))
        there = min(t + 1, 4)
        assert not weights[:, :, : 4 - there].any()
        assert (weights[:, :, 4 - there :] > 0).all()
        assert torch.equal(seen["read_values"][:, 0], state.read)


def test_a_sequence_of_several_blocks_equals_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.cells.salu._BLOCK", 4)
    cell = make_salu(Sizes(6, 2, 3, 2))
    xs = torch.randn(15, 3, INPUT_SIZE, dtype=torch.float64, requires_grad=True)
    starts = torch.rand(15, 3) < 0.1
    state = detach_state(run(cell, 2, rows=3))
    found, expected = (path(cell, xs, state, starts) for path in (unroll, unroll_steps))
    inputs = [xs, *cell.parameters()]
    gradients = [torch.autograd.grad(one.outs.square().sum(), inputs) for one in (found, expected)]
    # Some thousand roundings of numbers up to a hundred.
    torch.testing.assert_close(
        [*state_tensors(found), *gradients[0]],
        [*state_tensors(expected), *gradients[1]],
        rtol=0,
        atol=1e-10,
    )
