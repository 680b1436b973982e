"""What the LSTM and the GRU share: their gates and first weights."""

from __future__ import annotations

import pytest
import torch

from agents.cells.gru import GRU
from agents.cells.lstm import LSTM
from agents.cells.state import map_state

INPUT_SIZE = 5


def test_traced_gates_are_those_of_the_step() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, INPUT_SIZE, dtype=torch.float64)
    lstm = LSTM(INPUT_SIZE, 6).double()
    state = lstm.initial_state(3)
    for _ in range(2):
        before = state
        out, state, gates = lstm.trace(x, state)
    candidate = (state.cell - gates["forget_gate"] * before.cell) / gates["input_gate"]
    assert candidate.abs().max() < 1
    torch.testing.assert_close(out, gates["output_gate"] * state.cell.tanh())
    gru = GRU(INPUT_SIZE, 6).double()
    hidden = gru.initial_state(3)
    for _ in range(2):
        previous = hidden
        _, hidden, gates = gru.trace(x, hidden)
    z, r = gates["update_gate"], gates["reset_gate"]
    recurrent = previous.hidden @ gru.weight_hh[12:].t()
    candidate = (x @ gru.weight_ih[12:].t() + r * recurrent).tanh()
    torch.testing.assert_close(hidden.hidden, (1 - z) * candidate + z * previous.hidden)


@pytest.mark.parametrize("cell_class", [LSTM, GRU])
def test_recurrent_weights_start_orthogonal_gate_by_gate(cell_class: type[LSTM | GRU]) -> None:
    cell = cell_class(INPUT_SIZE, 6, initialization="orthogonal")
    for gate in cell.weight_hh.chunk(cell.gates):
        torch.testing.assert_close(gate @ gate.t(), torch.eye(6))


def test_orthogonal_biases_start_at_zero_but_for_the_forget_gate_s() -> None:
    lstm = LSTM(INPUT_SIZE, 6, initialization="orthogonal")
    gru = GRU(INPUT_SIZE, 6, initialization="orthogonal")
    assert (lstm.bias_ih + lstm.bias_hh).tolist() == [0.0] * 6 + [1.0] * 6 + [0.0] * 12
    assert (gru.bias_ih + gru.bias_hh).tolist() == [0.0] * 18


@pytest.mark.parametrize("cell_class", [LSTM, GRU])
def test_spread_biases_are_those_of_the_gate_that_keeps_the_state(
    cell_class: type[LSTM | GRU],
) -> None:
    cell = cell_class(INPUT_SIZE, 5)
    biases = (cell.bias_ih + cell.bias_hh).view(cell.gates, 5)
    assert biases[1].tolist() == [-1.0, 0.0, 1.0, 2.0, 3.0]
    assert biases[[0, *range(2, cell.gates)]].count_nonzero() == 0
    for weight in (cell.weight_ih, cell.weight_hh):
        assert 0.5 * 5**-0.5 < weight.abs().max() <= 5**-0.5
    # With a large bias of that gate and no input the state stays; with a small one it goes.
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        state = map_state(torch.ones_like, cell.initial_state(1))
        for bias, kept in ((50.0, 1.0), (-50.0, 0.0)):
            cell.bias_ih.view(cell.gates, 5)[cell.keeping_gate] = bias
            _, after = cell(torch.zeros(1, INPUT_SIZE), state)
            torch.testing.assert_close(after[-1], torch.full((1, 5), kept))


def test_an_unknown_initialization_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"initialization is 'xavier'; allowed: spread, orthogonal"
    ):
        LSTM(INPUT_SIZE, 4, initialization="xavier")
