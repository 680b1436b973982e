"""The deep memory of Titans, which is written by gradient descent."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.cells import titans
from agents.cells.parts.delta_rule import Write, write_step
from agents.cells.state import detach_state, map_state, state_tensors
from agents.cells.titans import Titans, TitansState, associative_gradient, recall, total_length
from agents.cells.unroll import unroll
from tests.agents.cells.fast_weights_reference import Array, Sizes
from tests.agents.cells.titans_reference import Reference, step

INPUT_SIZE = 4
SIZES = {"hidden_size": 6, "memory_width": 5, "key_size": 3, "value_size": 4}


def make(scale: float = 1.0, **kwargs: Any) -> Titans:
    """A small float64 cell with random parameters of the given standard deviation."""
    torch.manual_seed(0)
    cell = Titans(INPUT_SIZE, **(SIZES | kwargs)).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=scale)
    return cell


def test_the_gates_start_where_the_module_says() -> None:
    torch.manual_seed(0)
    cell = Titans(INPUT_SIZE)
    _, _, seen = cell.trace(torch.randn(200, INPUT_SIZE), cell.initial_state(200))
    for name, expected in (("momentum_gate", 0.5), ("write_rates", 0.12), ("forget_gate", 0.0025)):
        assert 0.8 < seen[name].median().item() / expected < 1.25


def random_memory(*widths: int, rows: int = 3) -> tuple[Tensor, ...]:
    shapes = pairwise(widths)
    return tuple(
        torch.randn(rows, *shape, dtype=torch.float64, requires_grad=True) for shape in shapes
    )


def row_of(state: TitansState, row: int) -> Reference:
    """One row of a state, for the reference."""
    return Reference(*([x[row].detach().numpy() for x in part] for part in state))


def flatten(out: Array, state: Reference) -> Array:
    """All numbers of an output and the state after it."""
    return np.concatenate([np.ravel(x) for x in (out, *state[0], *state[1], *state[2])])


@pytest.mark.parametrize("longest", [0.1, 1e6])
@pytest.mark.parametrize(("memory_layers", "conv_size"), [(1, 1), (2, 4), (3, 2)])
def test_it_equals_a_transcription_of_the_paper(
    memory_layers: int, conv_size: int, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(titans, "LONGEST_GRADIENT", longest)
    cell = make(0.5, memory_layers=memory_layers, conv_size=conv_size)
    sizes = Sizes(1, SIZES["key_size"], SIZES["value_size"], conv_size)
    weights = {key: x.detach().numpy() for key, x in cell.named_parameters()}
    state = map_state(lambda x: 0.5 * torch.randn_like(x), cell.initial_state(2))
    expected = [row_of(state, row) for row in range(2)]
    lengths = []
    for x in torch.randn(4, 2, INPUT_SIZE, dtype=torch.float64):
        out, state, seen = cell.trace(x, state)
        lengths.append(seen["gradient_length"])
        for row in range(2):
            theirs, expected[row] = step(x[row].numpy(), expected[row], weights, sizes, longest)
            ours = flatten(out[row].detach().numpy(), row_of(state, row))
            np.testing.assert_allclose(ours, flatten(theirs, expected[row]), rtol=1e-11, atol=1e-11)
    assert bool((torch.stack(lengths) > longest).any()) == (longest < 1), "both are tried"


@pytest.mark.parametrize("widths", [(3, 4), (3, 5, 4), (3, 5, 2, 4)])
def test_the_gradient_by_hand_is_autograd_s(widths: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    memory = random_memory(*widths)
    keys, values = torch.randn(2, 3, 2, 1, dtype=torch.float64)
    keys, values = keys.expand(3, 2, 3) + torch.rand(3), values.expand(3, 2, 4) + torch.rand(4)
    keys.requires_grad_()
    loss = (recall(memory, keys) - values).square().sum()
    expected = torch.autograd.grad(loss, memory, create_graph=True)
    found = associative_gradient(memory, keys, values)
    # Ten roundings or so, of sums of some ten numbers of order ten.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    # Its own derivatives are those of autograd's gradient.
    weights = [torch.randn_like(x) for x in found]
    inputs = [*memory, keys]
    second, theirs = (
        torch.autograd.grad(
            torch.stack([(x * w).sum() for x, w in zip(parts, weights, strict=True)]).sum(), inputs
        )
        for parts in (found, expected)
    )
    torch.testing.assert_close(second, theirs, rtol=0, atol=1e-11)


def test_one_layer_without_momentum_and_forgetting_is_the_delta_rule() -> None:
    """A rate of theta is a strength of 2 theta: equation 12 has no half."""
    torch.manual_seed(0)
    (weights,) = random_memory(3, 4)
    key = torch.nn.functional.normalize(torch.randn(3, 1, 3, dtype=torch.float64), dim=-1)
    value, rate = torch.randn(3, 1, 4, dtype=torch.float64), 0.3
    (gradient,) = associative_gradient((weights,), key, value)
    write = Write(key, key, value, torch.full((3, 1), 2 * rate, dtype=torch.float64))
    _, expected = write_step(weights.unsqueeze(1), write)
    torch.testing.assert_close(weights - rate * gradient, expected.squeeze(1))


def test_what_is_written_again_and_again_is_remembered() -> None:
    torch.manual_seed(0)
    memory = Titans(INPUT_SIZE).double().initial_state(1).memory
    key = torch.nn.functional.normalize(torch.randn(1, 1, 16, dtype=torch.float64), dim=-1)
    value = torch.randn(1, 1, 16, dtype=torch.float64)
    first = (recall(memory, key) - value).norm()
    for _ in range(500):
        gradient = associative_gradient(memory, key, value)
        memory = tuple(w - 0.1 * g for w, g in zip(memory, gradient, strict=True))
    assert (recall(memory, key) - value).norm() < 0.01 * first


def test_a_long_gradient_is_shortened_and_keeps_its_direction() -> None:
    cell = make(3.0)
    state = cell.initial_state(2)
    _, after, seen = cell.trace(torch.randn(2, INPUT_SIZE).double(), state)
    assert (seen["gradient_length"] > titans.LONGEST_GRADIENT).all()
    rate = seen["write_rates"][:, 0]
    torch.testing.assert_close(total_length(after.surprise), rate * titans.LONGEST_GRADIENT)


def test_a_step_without_a_graph_is_the_same() -> None:
    cell = make()
    x, state = torch.randn(2, INPUT_SIZE).double(), cell.initial_state(2)
    with torch.no_grad():
        found = cell(x, state)
    for ours, theirs in zip(state_tensors(found), state_tensors(cell(x, state)), strict=True):
        assert not ours.requires_grad
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("starts", [False, True])
def test_the_initial_memory_learns_from_a_start_in_the_middle(starts: bool) -> None:
    cell = make(0.5)
    xs = torch.randn(2, 1, INPUT_SIZE, dtype=torch.float64)
    foreign = detach_state(cell.initial_state(1))
    outs = unroll(cell, xs, foreign, torch.tensor([[False], [starts]])).outs
    gradients = torch.autograd.grad(outs.sum(), list(cell.initial_memory), materialize_grads=True)
    assert all(bool(x.any()) == starts for x in gradients)


def test_the_memory_learns_to_be_written_from_what_is_read_later() -> None:
    """The gradient of a later output reaches the gates of an earlier write: second derivatives."""
    cell = make(0.5)
    x = torch.randn(1, INPUT_SIZE, dtype=torch.float64)
    _, state = cell(x, cell.initial_state(1))
    out, _ = cell(torch.randn(1, INPUT_SIZE).double(), state)
    (gradient,) = torch.autograd.grad(out.sum(), cell.gates.weight)
    assert (gradient.abs().sum(dim=1) > 0).all()
