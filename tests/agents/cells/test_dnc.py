"""The differentiable neural computer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.cells.dnc.addressing import allocate
from agents.cells.dnc.cell import DNC, MASK_MIN, DNCState
from agents.cells.lstm import LSTMState
from agents.cells.none import NoState
from agents.cells.unroll import unroll_steps
from tests.agents.cells.dnc_reference import Reference, Setting, step
from tests.agents.cells.ntm_reference import Array

INPUT_SIZE, HIDDEN_SIZE, MEMORY_SIZE, WORD_SIZE = 4, 6, 5, 3
OPTIONS = ("masks", "deallocation", "sharpening", "interface_norm")
EPS = torch.finfo(torch.float64).eps


def make_dnc(scale: float = 1.0, **memory_kwargs: Any) -> DNC:
    """A small float64 machine with random parameters of the given standard deviation."""
    torch.manual_seed(0)
    sizes = {"hidden_size": HIDDEN_SIZE, "memory_size": MEMORY_SIZE, "word_size": WORD_SIZE}
    cell = DNC(INPUT_SIZE, **(sizes | memory_kwargs)).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=scale)
    return cell


def random_state(cell: DNC, rows: int) -> DNCState:
    """A state with weightings that add up to less than one, and links to match."""
    state = cell.initial_state(rows)
    controller = state.controller
    if isinstance(controller, LSTMState):
        controller = LSTMState(*(torch.randn_like(x) for x in controller))
    links = torch.rand_like(state.links) / cell.memory_size
    return DNCState(
        memory=torch.randn_like(state.memory),
        usage=torch.rand_like(state.usage),
        precedence=0.9 * torch.softmax(torch.randn_like(state.precedence), dim=-1),
        links=links * (1 - torch.eye(cell.memory_size, dtype=links.dtype)),
        read_weights=0.8 * torch.softmax(torch.randn_like(state.read_weights), dim=-1),
        write_weights=0.7 * torch.softmax(torch.randn_like(state.write_weights), dim=-1),
        reads=torch.randn_like(state.reads),
        controller=controller,
    )


def row_of(state: DNCState, row: int) -> Reference:
    """One row of a state, for the reference."""

    def array(x: Tensor) -> Array:
        return x[row].detach().numpy()

    *parts, controller = state
    reference: Any = Reference  # a type checker cannot count the parts
    found: Reference = reference(*map(array, parts), tuple(map(array, controller)))
    return found


def flatten(out: Array, state: Reference) -> Array:
    """All numbers of an output and the state after it."""
    return np.concatenate([x.flatten() for x in (out, *state[:-1], *state.controller)])


@pytest.mark.parametrize("controller", ["lstm", "feedforward"])
@pytest.mark.parametrize("num_read_heads", [1, 3])
@pytest.mark.parametrize("options", [(), *((name,) for name in OPTIONS), OPTIONS])
def test_it_equals_a_transcription_of_the_papers(
    options: tuple[str, ...], num_read_heads: int, controller: str
) -> None:
    chosen = {name: name in options for name in OPTIONS}
    cell = make_dnc(num_read_heads=num_read_heads, controller=controller, **chosen)
    setting = Setting(MEMORY_SIZE, WORD_SIZE, num_read_heads, **chosen)
    weights = {name: x.detach().numpy() for name, x in cell.named_parameters()}
    state = random_state(cell, 2)
    expected = [row_of(state, row) for row in range(2)]
    for x in torch.randn(5, 2, INPUT_SIZE, dtype=torch.float64):
        out, state = cell(x, state)
        for row in range(2):
            theirs, expected[row] = step(x[row].numpy(), expected[row], weights, setting)
            ours = flatten(out[row].detach().numpy(), row_of(state, row))
            np.testing.assert_allclose(ours, flatten(theirs, expected[row]), rtol=0, atol=1e-12)


def test_the_interface_starts_as_xavier_s() -> None:
    cell = DNC(INPUT_SIZE)
    weight = cell.interface.weight
    # Several thousand numbers between the ends of a uniform distribution, and some close to them.
    assert 0.99 < weight.abs().max().item() / math.sqrt(6 / sum(weight.shape)) <= 1
    assert not cell.interface.bias.any()


def test_an_episode_starts_with_zeros() -> None:
    state = make_dnc(num_read_heads=3).initial_state(4)
    assert state.memory.shape == (4, MEMORY_SIZE, WORD_SIZE)
    assert state.links.shape == (4, MEMORY_SIZE, MEMORY_SIZE)
    assert state.read_weights.shape == (4, 3, MEMORY_SIZE)
    assert not any(x.any() for x in (*state[:-1], *state.controller))
    assert isinstance(make_dnc(controller="feedforward").initial_state(1).controller, NoState)


def _invariants(cell: DNC, state: DNCState, steps: int) -> None:
    """Checks what holds for every state.

    Each step rounds a number of order one a dozen times for each slot that a sum runs over.
    """
    slack = 12 * cell.memory_size * steps * EPS
    for weights in (state.read_weights, state.write_weights, state.precedence.unsqueeze(1)):
        assert weights.min() >= -slack
        assert weights.sum(-1).max() <= 1 + slack
    assert state.usage.min() >= 0
    assert state.usage.max() <= 1
    assert state.links.min() >= -slack
    assert state.links.sum(1).max() <= 1 + slack
    assert state.links.sum(2).max() <= 1 + slack
    assert not state.links.diagonal(dim1=1, dim2=2).any()


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("options", [(), OPTIONS])
def test_weightings_links_and_usage_stay_in_their_ranges(
    options: tuple[str, ...], scale: float
) -> None:
    cell = make_dnc(scale, **dict.fromkeys(options, True))
    state = cell.initial_state(8)
    with torch.no_grad():
        for t in range(1, 60):
            _, state, seen = cell.trace(torch.randn(8, INPUT_SIZE, dtype=torch.float64), state)
            _invariants(cell, state, t)
            for name in ("free_gates", "read_modes", "erase", "allocation_gate", "write_gate"):
                assert ((seen[name] >= 0) & (seen[name] <= 1)).all()
            for name in ("read_strengths", "write_strength", "sharpness"):
                assert name not in seen or (seen[name] >= 1).all()


def test_a_trace_has_what_heads_weigh_and_the_interface() -> None:
    cell = make_dnc(num_read_heads=2, **dict.fromkeys(OPTIONS, True))
    _, state, seen = cell.trace(
        torch.randn(4, INPUT_SIZE, dtype=torch.float64), random_state(cell, 4)
    )
    for name, heads in (("read_weights", 2), ("write_weights", 1)):
        assert seen[name].shape == (4, heads, MEMORY_SIZE)
        assert torch.equal(seen[name], getattr(state, name))
    assert seen["read_masks"].shape == (4, 2, WORD_SIZE)
    assert seen["write_mask"].min() >= MASK_MIN
    assert seen["sharpness"].shape == (4, 2, 2)
    plain = make_dnc()
    _, _, seen = plain.trace(
        torch.randn(4, INPUT_SIZE, dtype=torch.float64), plain.initial_state(4)
    )
    assert not {"read_masks", "write_mask", "sharpness"} & seen.keys()


class Machine:
    """A machine without a controller's will: the interface is set by hand, for each step."""

    def __init__(self, **memory_kwargs: Any) -> None:
        sizes = {"hidden_size": 4, "memory_size": 6, "word_size": 3, "num_read_heads": 1}
        self.cell = DNC(1, **(sizes | memory_kwargs)).double()
        nn.init.zeros_(self.cell.interface.weight)
        self.state = self.cell.initial_state(1)

    def step(self, **wanted: Any) -> Tensor:
        """Takes a step; returns what was read. Gates not named are shut, modes are content."""
        names = ["key", "strength", "free", "modes"]
        of_read = {
            "key": [0.0] * 3,
            "strength": -50.0,
            "free": -50.0,
            "modes": [-50.0, 50.0, -50.0],
        }
        of_write = {"write_key": [0.0] * 3, "write_strength": -50.0, "erase": [50.0] * 3}
        of_write |= {"vector": [0.0] * 3, "allocate": 50.0, "write": -50.0}
        numbers: dict[str, Any] = of_read | of_write | wanted
        assert numbers.keys() == {*names, *of_write}
        flat = np.concatenate([np.atleast_1d(numbers[name]) for name in (*names, *of_write)])
        with torch.no_grad():
            self.cell.interface.bias.copy_(torch.as_tensor(flat))
            x = torch.zeros(1, 1, dtype=torch.float64)
            _, self.state = self.cell(x, self.state)
        return self.state.reads[0, 0]


WORDS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)


def test_what_a_step_writes_can_be_read_in_it() -> None:
    machine = Machine()
    read = machine.step(vector=[3.0, -4.0, 5.0], write=50.0, key=[3.0, -4.0, 5.0], strength=99.0)
    torch.testing.assert_close(read, torch.tensor([3.0, -4, 5], dtype=torch.float64))


def test_writes_go_to_free_slots_one_after_the_other() -> None:
    machine = Machine()
    for k, word in enumerate(WORDS.tolist()):
        machine.step(vector=word, write=50.0)
        assert machine.state.write_weights[0, 0].argmax() == k
    torch.testing.assert_close(machine.state.memory[0, :3], WORDS)
    assert not machine.state.memory[0, 3:].any()


@pytest.mark.parametrize(("modes", "order"), [([-50.0, -50, 50], 1), ([50.0, -50, -50], -1)])
@pytest.mark.parametrize("sharpening", [False, True])
def test_reads_follow_the_order_of_writing(
    modes: list[float], order: int, sharpening: bool
) -> None:
    machine = Machine()
    for word in WORDS.tolist():
        machine.step(vector=word, write=50.0)
    first = WORDS[0 if order == 1 else 2].tolist()
    torch.testing.assert_close(machine.step(key=first, strength=99.0), torch.tensor(first).double())
    for word in WORDS[[1, 2] if order == 1 else [1, 0]]:
        torch.testing.assert_close(machine.step(modes=modes), word)


@pytest.mark.parametrize("deallocation", [False, True])
def test_a_freed_slot_is_allocated_next(deallocation: bool) -> None:
    machine = Machine(deallocation=deallocation, memory_size=3)
    for word in WORDS.tolist():
        machine.step(vector=word, write=50.0)
    machine.step(key=WORDS[1].tolist(), strength=99.0)
    machine.step(free=50.0)
    assert machine.state.usage[0].tolist() == pytest.approx([1, 0, 1], abs=1e-12)
    left = torch.zeros(3, dtype=torch.float64) if deallocation else WORDS[1]
    torch.testing.assert_close(machine.state.memory[0, 1], left)
    machine.step(vector=[7.0, 7.0, 7.0], write=50.0)
    assert machine.state.write_weights[0, 0].argmax() == 1


def test_a_full_memory_is_written_nowhere_by_allocation() -> None:
    machine = Machine(memory_size=3)
    for word in WORDS.tolist():
        machine.step(vector=word, write=50.0)
    machine.step(vector=[7.0, 7.0, 7.0], write=50.0)
    assert machine.state.write_weights.abs().max() < 1e-12
    torch.testing.assert_close(machine.state.memory[0], WORDS)


def test_slots_are_allocated_in_the_order_of_their_usage() -> None:
    found = allocate(torch.tensor([[0.5, 0.2, 0.9, 0.1]], dtype=torch.float64))
    expected = [0.5 * 0.1 * 0.2, 0.8 * 0.1, 0.1 * 0.1 * 0.2 * 0.5, 0.9]
    assert found[0, 0].tolist() == pytest.approx(expected)
    assert found.sum().item() == pytest.approx(1 - 0.1 * 0.2 * 0.5 * 0.9)


def test_a_long_list_is_sorted_by_usage_but_for_a_thousandth() -> None:
    torch.manual_seed(0)
    usage = 0.9 + 0.1 * torch.rand(20, 256, dtype=torch.float64)
    first = usage.gather(1, allocate(usage)[:, 0].argmax(dim=1, keepdim=True))
    assert (first <= 1.001 * usage.min(dim=1, keepdim=True).values).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_does_not_decide_which_of_equal_slots_comes_first(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    usage = torch.full((100, 32), 0.3, dtype=dtype)
    rounded = usage * (1 + 100 * torch.finfo(dtype).eps * torch.randn_like(usage).sign())
    torch.testing.assert_close(allocate(rounded), allocate(usage), rtol=1e-3, atol=0)
    assert (allocate(usage).diff() < 0).all()
    usage[:, 7] -= 1e-3
    assert (allocate(usage).argmax(-1) == 7).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.0, 30.0, 1e4])
@pytest.mark.parametrize("options", [(), OPTIONS])
def test_extreme_parameters_stay_finite(
    options: tuple[str, ...], scale: float, dtype: torch.dtype
) -> None:
    cell = make_dnc(scale, num_read_heads=2, **dict.fromkeys(options, True)).to(dtype)
    xs = torch.randn(8, 3, INPUT_SIZE, dtype=dtype)
    starts = torch.zeros(8, 3, dtype=torch.bool)
    starts[4, 1] = True
    outs, state, _ = unroll_steps(cell, xs, cell.initial_state(3), starts)
    gradients = torch.autograd.grad(outs.sum(), list(cell.parameters()))
    assert all(x.isfinite().all() for x in (outs, *state[:-1], *gradients))
