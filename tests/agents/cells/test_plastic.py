"""The recurrent network with plastic connections."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.cells.none import NoState
from agents.cells.plastic import RULES, Plastic, PlasticState
from agents.cells.state import state_tensors
from tests.agents.cells.plastic_reference import Reference, step

INPUT_SIZE, UNITS = 3, 4


def make_plastic(rule: str, homogeneous: bool = False) -> Plastic:
    """A float64 cell with random parameters."""
    torch.manual_seed(0)
    cell = Plastic(INPUT_SIZE, UNITS, rule, homogeneous).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    return cell


def run(cell: Plastic, xs: Tensor) -> list[PlasticState]:
    """The states after each step."""
    states = [cell.initial_state(xs.shape[1])]
    for x in xs:
        states.append(cell(x, states[-1])[1])
    return states[1:]


@pytest.mark.parametrize("homogeneous", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_it_equals_a_transcription_of_the_papers(rule: str, homogeneous: bool) -> None:
    cell = make_plastic(rule, homogeneous)
    weights = {name: x.detach().numpy() for name, x in cell.named_parameters()}
    nothing = np.zeros((UNITS, UNITS))
    expected = [Reference(np.zeros(UNITS), nothing, nothing) for _ in range(2)]
    xs = torch.randn(8, 2, INPUT_SIZE, dtype=torch.float64)
    for x, state in zip(xs, run(cell, xs), strict=True):
        for row in range(2):
            expected[row] = step(x[row].numpy(), expected[row], weights, rule)
            assert isinstance(state.eligibility, Tensor) == (rule == "retroactive")
            for ours, theirs in zip(state_tensors(state), expected[row], strict=False):
                # Some hundred roundings of numbers of order one.
                found = ours[row].detach().numpy().T
                np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_without_plasticity_it_is_torch_s_recurrent_network(rule: str) -> None:
    cell = make_plastic(rule)
    plain = nn.RNNCell(INPUT_SIZE, UNITS).double()
    with torch.no_grad():
        cell.alpha.zero_()
        plain.weight_ih.copy_(cell.input.weight)
        plain.bias_ih.copy_(cell.input.bias)
        plain.weight_hh.copy_(cell.weight)
        plain.bias_hh.zero_()
    xs, hidden = torch.randn(6, 2, INPUT_SIZE, dtype=torch.float64), None
    for x, state in zip(xs, run(cell, xs), strict=True):
        hidden = plain(x, hidden)
        torch.testing.assert_close(state.hidden, hidden)
    assert state.hebb.any()


@pytest.mark.parametrize("rule", ["hebb", "clip", "modulated", "retroactive"])
def test_traces_stay_between_minus_one_and_one(rule: str) -> None:
    cell = make_plastic(rule)
    with torch.no_grad():  # saturated units, and as much written as can be
        cell.input.weight.mul_(100)
        for name in ("rate", "modulator.bias"):
            if name in dict(cell.named_parameters()):
                cell.get_parameter(name).fill_(20.0)
    last = run(cell, torch.randn(50, 3, INPUT_SIZE, dtype=torch.float64))[-1]
    assert 0.9 < last.hebb.abs().max() <= 1


def test_oja_s_rule_keeps_a_trace_of_what_stays_the_same() -> None:
    """It settles where the trace is the ratio of the two ends, and stays if nothing is active."""
    cell = make_plastic("oja")
    with torch.no_grad():
        cell.rate.fill_(0.0)
        before = torch.tensor([[[0.5, -0.8]]], dtype=torch.float64)
        after = torch.tensor([[[0.9], [-0.7]]], dtype=torch.float64)
        hebb = torch.zeros(1, 2, 2, dtype=torch.float64)
        for _ in range(200):
            state = PlasticState(after.squeeze(2), hebb, NoState())
            hebb, _ = cell._write(before, after, state)
        torch.testing.assert_close(hebb, before / after)
        silent = torch.zeros_like(after)
        kept, _ = cell._write(silent.transpose(1, 2), silent, state._replace(hebb=hebb))
        assert torch.equal(kept, hebb)


@pytest.mark.parametrize("rule", ["modulated", "retroactive"])
def test_nothing_is_written_without_modulation(rule: str) -> None:
    cell = make_plastic(rule)
    with torch.no_grad():
        cell.modulator.weight.zero_()
        cell.modulator.bias.zero_()
    last = run(cell, torch.randn(5, 2, INPUT_SIZE, dtype=torch.float64))[-1]
    assert not last.hebb.any()


def test_modulation_writes_what_was_active_a_step_before() -> None:
    cell = make_plastic("retroactive")
    first, second, third = run(cell, torch.randn(3, 2, INPUT_SIZE, dtype=torch.float64))
    # At the first step no unit was active before, at the second one nothing was waiting yet.
    assert not first.hebb.any()
    assert not second.hebb.any()
    assert isinstance(second.eligibility, Tensor)
    modulation = cell.modulator(third.hidden).tanh().unsqueeze(2)
    torch.testing.assert_close(third.hebb, (modulation * second.eligibility).clamp(-1, 1))


@pytest.mark.parametrize("rule", RULES)
def test_what_is_traced(rule: str) -> None:
    cell = make_plastic(rule)
    xs = torch.randn(4, 2, INPUT_SIZE, dtype=torch.float64)
    before = run(cell, xs[:3])[-1]
    out, _, seen = cell.trace(xs[3], before)
    recurrent = torch.bmm(seen["weights"], before.hidden.unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(out, (cell.input(xs[3]) + recurrent).tanh())
    assert ("modulation" in seen) == (rule in ("modulated", "retroactive"))


@pytest.mark.parametrize("homogeneous", [False, True])
def test_first_parameters(homogeneous: bool) -> None:
    cell = Plastic(INPUT_SIZE, UNITS, homogeneous=homogeneous)
    assert cell.alpha.shape == (() if homogeneous else (UNITS, UNITS))
    assert ((cell.alpha >= 0) & (cell.alpha <= 0.01)).all()
    torch.testing.assert_close(cell.rate.sigmoid(), torch.tensor(0.01))
    assert 0 < cell.weight.abs().max() <= UNITS**-0.5
