"""The neural Turing machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.cells.lstm import LSTM, LSTMState
from agents.cells.none import NoState
from agents.cells.ntm import INITIAL_MEMORY, NTM, NTMState
from agents.cells.unroll import unroll
from tests.agents.cells import notebook_reference
from tests.agents.cells.ntm_reference import Array, Reference, Sizes, step

INPUT_SIZE, HIDDEN_SIZE, MEMORY_SIZE, WORD_SIZE = 4, 6, 5, 3


def make_ntm(scale: float = 1.0, **memory_kwargs: Any) -> NTM:
    """A small float64 machine with random parameters of the given standard deviation."""
    torch.manual_seed(0)
    sizes = {"hidden_size": HIDDEN_SIZE, "memory_size": MEMORY_SIZE, "word_size": WORD_SIZE}
    cell = NTM(INPUT_SIZE, **(sizes | memory_kwargs)).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=scale)
    return cell


def random_state(cell: NTM, rows: int) -> NTMState:
    """Any state that a machine can be in."""
    state = cell.initial_state(rows)
    controller = state.controller
    if isinstance(controller, LSTMState):
        controller = LSTMState(*(torch.randn_like(x) for x in controller))
    return NTMState(
        torch.randn_like(state.memory),
        torch.softmax(torch.randn_like(state.read_weights), dim=-1),
        torch.softmax(torch.randn_like(state.write_weights), dim=-1),
        torch.randn_like(state.reads),
        controller,
    )


def row_of(state: NTMState, row: int) -> Reference:
    """One row of a state, for the reference."""

    def array(x: Tensor) -> Array:
        return x[row].detach().numpy()

    return Reference(
        array(state.memory),
        array(state.read_weights),
        array(state.write_weights),
        array(state.reads),
        tuple(array(x) for x in state.controller),
    )


def flatten(out: Array, state: Reference) -> Array:
    """All numbers of an output and the state after it."""
    return np.concatenate([x.flatten() for x in (out, *state[:4], *state.controller)])


@pytest.mark.parametrize("controller", ["lstm", "feedforward"])
@pytest.mark.parametrize(
    ("num_read_heads", "num_write_heads", "shift_range"),
    [(1, 1, 1), (2, 1, 2), (1, 2, 0), (3, 2, 1)],
)
def test_it_equals_a_transcription_of_the_paper(
    num_read_heads: int, num_write_heads: int, shift_range: int, controller: str
) -> None:
    cell = make_ntm(
        num_read_heads=num_read_heads,
        num_write_heads=num_write_heads,
        shift_range=shift_range,
        controller=controller,
    )
    sizes = Sizes(num_read_heads, num_write_heads, MEMORY_SIZE, WORD_SIZE, shift_range)
    weights = {name: x.detach().numpy() for name, x in cell.named_parameters()}
    state = random_state(cell, 2)
    expected = [row_of(state, row) for row in range(2)]
    for x in torch.randn(5, 2, INPUT_SIZE, dtype=torch.float64):
        out, state = cell(x, state)
        for row in range(2):
            theirs, expected[row] = step(x[row].numpy(), expected[row], weights, sizes)
            ours = flatten(out[row].detach().numpy(), row_of(state, row))
            np.testing.assert_allclose(ours, flatten(theirs, expected[row]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("fresh", [False, True])
def test_the_notebook_s_variant_equals_a_transcription_of_it(fresh: bool) -> None:
    cell = make_ntm(variant="notebook")
    weights = {name: x.detach().numpy() for name, x in cell.named_parameters()}
    state = cell.initial_state(2) if fresh else random_state(cell, 2)
    expected = [row_of(state, row) for row in range(2)]
    for x in torch.randn(5, 2, INPUT_SIZE, dtype=torch.float64):
        out, state = cell(x, state)
        for row in range(2):
            theirs, expected[row] = notebook_reference.step(x[row].numpy(), expected[row], weights)
            ours = flatten(out[row].detach().numpy(), row_of(state, row))
            np.testing.assert_allclose(ours, flatten(theirs, expected[row]), rtol=0, atol=1e-12)


def test_the_notebook_s_variant_starts_like_pytorch_s_layers() -> None:
    torch.manual_seed(0)
    cell = NTM(8, hidden_size=64, memory_size=16, word_size=20, variant="notebook")
    for parameter in cell.parameters():
        assert 0.95 / 8 < parameter.abs().max() <= 1 / 8
    assert not cell.initial_state(1).memory.any()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_notebook_s_variant_learns_its_copy_task(seed: int) -> None:
    """Five vectors of 8 bits, each to be said at once; after 500 updates the loss was 0.0021."""
    torch.manual_seed(seed)
    cell = NTM(8, hidden_size=64, memory_size=128, word_size=20, variant="notebook")
    readout = nn.Linear(cell.output_size, 8)
    optimizer = torch.optim.Adam([*cell.parameters(), *readout.parameters()], lr=0.01)
    starts = torch.zeros(5, 1, dtype=torch.bool)
    losses = []
    for _ in range(500):
        bits = torch.randint(2, (5, 1, 8)).float()
        outs = unroll(cell, bits, cell.initial_state(1), starts).outs
        loss = nn.functional.binary_cross_entropy_with_logits(readout(outs), bits)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[49] > 0.1
    assert max(losses[-50:]) < 0.01


def test_an_episode_starts_with_all_heads_on_slot_0_of_an_equal_memory() -> None:
    state = make_ntm(num_read_heads=2, num_write_heads=3).initial_state(4)
    assert state.memory.shape == (4, MEMORY_SIZE, WORD_SIZE)
    torch.testing.assert_close(state.memory, torch.full_like(state.memory, INITIAL_MEMORY))
    for weights, heads in ((state.read_weights, 2), (state.write_weights, 3)):
        assert weights.shape == (4, heads, MEMORY_SIZE)
        assert (weights[..., 0] == 1).all()
        assert not weights[..., 1:].any()
    assert state.reads.shape == (4, 2, WORD_SIZE)
    assert not state.reads.any()
    assert isinstance(make_ntm(controller="feedforward").initial_state(1).controller, NoState)


def test_a_step_reads_what_it_has_just_written() -> None:
    cell = make_ntm(scale=0.0)
    head = 2 * (WORD_SIZE + 1 + 1 + 3 + 1)
    per_head = head // 2
    with torch.no_grad():
        bias = cell.interface.bias
        for start in (0, per_head):
            bias[start + WORD_SIZE + 1] = -1000  # the gate keeps the previous weighting
            bias[start + WORD_SIZE + 3] = 1000  # no shift
        bias[head : head + WORD_SIZE] = 1000  # erase all
        bias[head + WORD_SIZE :] = torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64)
    out, state = cell(torch.zeros(1, INPUT_SIZE, dtype=torch.float64), cell.initial_state(1))
    written = torch.tensor([[0.1, -0.2, 0.3]], dtype=torch.float64).tanh()
    torch.testing.assert_close(state.memory[:, 0], written)
    unwritten = cell.initial_state(1).memory[:, 1:]
    assert torch.equal(state.memory[:, 1:], unwritten)
    torch.testing.assert_close(state.reads[:, 0], written)
    torch.testing.assert_close(out[:, HIDDEN_SIZE:], written)


def test_a_read_head_finds_by_content_what_the_step_wrote() -> None:
    """Equation 5 compares the key with M(t), which the write heads have changed already."""
    torch.manual_seed(0)
    cell = NTM(3, hidden_size=4, memory_size=8, word_size=4)
    word = torch.tensor([0.9, -0.9, 0.9, 0.9])
    with torch.no_grad():
        cell.interface.weight.zero_()
        bias = cell.interface.bias
        # Both heads: key, strength, gate, shifts, exponent. Then erase and add.
        by_content = [*word.atanh().tolist(), 20.0, 20.0, -20.0, 20.0, -20.0, 0.0]
        in_place = [0.0, 0.0, 0.0, 0.0, 0.0, -20.0, -20.0, 20.0, -20.0, 0.0]
        bias.copy_(torch.tensor([*by_content, *in_place, *[20.0] * 4, *word.atanh().tolist()]))
    _, state = cell(torch.zeros(1, 3), cell.initial_state(1))
    assert state.read_weights[0, 0, 0] > 0.99
    torch.testing.assert_close(state.reads[0, 0], word, atol=0.02, rtol=0)


def test_initial_memory_is_learned_only_on_demand() -> None:
    fixed, learned = make_ntm(), make_ntm(learned_initial_memory=True)
    names = {name for name, _ in fixed.named_parameters()}
    assert {name for name, _ in learned.named_parameters()} - names == {"initial_memory"}
    assert fixed.state_dict().keys() == names
    assert torch.equal(learned.initial_state(3).memory[2], learned.initial_memory)


def test_traced_weightings_are_distributions_that_the_next_state_holds() -> None:
    cell = make_ntm(num_read_heads=2, num_write_heads=3)
    _, state, seen = cell.trace(
        torch.randn(4, INPUT_SIZE, dtype=torch.float64), random_state(cell, 4)
    )
    for name, heads in (("read_weights", 2), ("write_weights", 3)):
        assert seen[name].shape == (4, heads, MEMORY_SIZE)
        assert torch.equal(seen[name], getattr(state, name))
        assert (seen[name] >= 0).all()
        torch.testing.assert_close(seen[name].sum(-1), torch.ones(4, heads, dtype=torch.float64))
    torch.testing.assert_close(seen["shifts"].sum(-1), torch.ones(4, 5, dtype=torch.float64))
    assert (seen["exponents"] >= 1).all()
    assert (seen["strengths"] >= 0).all()
    for name in ("interpolation_gates", "erase"):
        assert ((seen[name] >= 0) & (seen[name] <= 1)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.0, 30.0, 1e4])
def test_extreme_parameters_stay_finite(scale: float, dtype: torch.dtype) -> None:
    cell = make_ntm(scale, num_read_heads=2, num_write_heads=2).to(dtype)
    xs = torch.randn(8, 3, INPUT_SIZE, dtype=dtype)
    starts = torch.zeros(8, 3, dtype=torch.bool)
    starts[4, 1] = True
    outs, state, _ = unroll(cell, xs, cell.initial_state(3), starts)
    gradients = torch.autograd.grad(outs.sum(), list(cell.parameters()))
    tensors: list[Tensor] = [outs, *state[:4], *gradients]
    assert all(x.isfinite().all() for x in tensors)
    for weights in (state.read_weights, state.write_weights):
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, dtype=dtype))


def test_the_controller_s_forget_gates_start_open() -> None:
    controller = NTM(3, hidden_size=4).controller
    assert isinstance(controller, LSTM)
    assert controller.bias_ih[4:8].tolist() == [1.0] * 4
