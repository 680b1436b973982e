"""The contract of memory cells, over the whole table."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from agents.cells import CELLS, MemoryCell, make_cell
from agents.cells.state import State, index_state, map_state, state_tensors
from agents.cells.unroll import unroll
from tests.agents.cells.cases import (
    CASES,
    INPUT_SIZE,
    ROUNDING,
    WITH_TOYS,
    differentiable,
    make_case,
    random_input,
    state_after,
)


@pytest.fixture(params=WITH_TOYS)
def cell(request: pytest.FixtureRequest) -> MemoryCell[Any]:
    return make_case(request.param)


def assert_same(found: Any, expected: Any, tolerance: float = ROUNDING) -> None:
    """Outputs, states or losses are the same but for rounding."""
    for x, y in zip(state_tensors(found), state_tensors(expected), strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=tolerance)


def test_every_cell_of_the_table_is_tested() -> None:
    assert {name for name, _ in CASES.values()} == set(CELLS)


def test_shapes_and_types(cell: MemoryCell[Any]) -> None:
    for batch_size, dtype in ((1, torch.float32), (4, torch.float64)):
        cell.to(dtype)
        initial = cell.initial_state(batch_size)
        out, state, losses = cell.forward_with_losses(
            torch.randn(batch_size, INPUT_SIZE, dtype=dtype), initial
        )
        assert out.shape == (batch_size, cell.output_size)
        for before, after in zip(state_tensors(initial), state_tensors(state), strict=True):
            assert before.shape == after.shape
            assert before.shape[0] == batch_size
            assert before.dtype == after.dtype
        assert losses.keys() == cell.loss_weights.keys()
        assert all(loss.shape == (batch_size,) for loss in losses.values())
        assert {x.dtype for x in differentiable(out, state, losses)} == {dtype}


def test_the_state_is_where_the_parameters_are(cell: MemoryCell[Any]) -> None:
    state = cell.to("meta").initial_state(2)
    assert all(x.is_meta for x in state_tensors(state))


def test_a_step_is_pure(cell: MemoryCell[Any]) -> None:
    x, state = random_input(3), state_after(cell, 3)
    inputs = [x, *state_tensors(state), *cell.parameters(), *cell.buffers()]
    copies, versions = [y.detach().clone() for y in inputs], [y._version for y in inputs]
    attributes = {name: value for name, value in vars(cell).items() if name[0] != "_"}
    first, again = cell(x, state), cell(x, state)
    assert [y._version for y in inputs] == versions
    assert vars(cell).items() >= attributes.items()
    for y, copy in zip(inputs, copies, strict=True):
        assert torch.equal(y, copy)
    assert_same(first, again, tolerance=0)


def test_rows_are_independent(cell: MemoryCell[Any]) -> None:
    x, state = random_input(3), state_after(cell, 3)
    both = cell.forward_with_losses(x, state)
    alone = cell.forward_with_losses(x[1:2], index_state(state, slice(1, 2)))
    assert_same(map_state(lambda y: y[1:2], both), alone)
    inputs = differentiable(x, state)
    gradients = torch.autograd.grad(both[0][1].sum(), inputs, materialize_grads=True)
    assert gradients[0][1].any()
    for gradient in gradients:
        assert not gradient[[0, 2]].any()


def test_the_order_of_the_rows_does_not_matter(cell: MemoryCell[Any]) -> None:
    xs, state, order = random_input(4, 5), state_after(cell, 5), torch.tensor([3, 0, 4, 2, 1])
    starts = torch.rand(4, 5) < 0.3
    outs, last, losses = unroll(cell, xs, state, starts)
    moved = unroll(cell, xs[:, order], index_state(state, order), starts[:, order])
    expected = (outs[:, order], index_state(last, order), map_state(lambda x: x[:, order], losses))
    assert_same(moved, expected)


def test_an_episode_start_resets_its_row_alone(cell: MemoryCell[Any]) -> None:
    xs, state = random_input(4, 3), state_after(cell, 3)
    starts = torch.zeros(4, 3, dtype=torch.bool)
    kept = unroll(cell, xs, state, starts)
    starts[2, 1] = True
    found = unroll(cell, xs, state, starts)
    fresh = unroll(cell, xs[2:], cell.initial_state(3), starts[:2])
    others = torch.tensor([0, 2])
    for name in ("outs", *cell.loss_weights):
        x, y, z = (r.outs if name == "outs" else r.losses[name] for r in (found, kept, fresh))
        assert_same((x[:2], x[2:, 1], x[:, others]), (y[:2], z[:, 1], y[:, others]))
    assert_same(index_state(found.state, others), index_state(kept.state, others))
    assert_same(index_state(found.state, slice(1, 2)), index_state(fresh.state, slice(1, 2)))


def broken(x: Tensor) -> Tensor:
    """What no step would make: no number, or where the type has none the largest one."""
    if x.is_floating_point():
        return torch.full_like(x, torch.nan)
    return torch.full_like(x, True if x.dtype == torch.bool else torch.iinfo(x.dtype).max)


def test_a_broken_state_does_not_survive_an_episode_start(cell: MemoryCell[Any]) -> None:
    state = map_state(broken, state_after(cell, 2))
    xs, starts = random_input(2, 2), torch.tensor([[True, True], [False, False]])
    found = unroll(cell, xs, state, starts)
    assert_same(found, unroll(cell, xs, cell.initial_state(2), starts))
    gradients = torch.autograd.grad(
        found.outs.sum(), [xs, *cell.parameters()], materialize_grads=True
    )
    assert all(x.isfinite().all() for x in gradients)


class Unrolled(nn.Module):
    """A cell over a sequence, as a function of tensors only."""

    def __init__(self, cell: MemoryCell[Any], structure: State, starts: Tensor) -> None:
        super().__init__()
        self.cell, self.structure, self.starts = cell, structure, starts

    def forward(self, xs: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        remaining = iter(parts)
        state = map_state(lambda _: next(remaining), self.structure)
        return tuple(differentiable(unroll(self.cell, xs, state, self.starts)))


def test_gradients_are_those_of_finite_differences(cell: MemoryCell[Any]) -> None:
    xs, state = random_input(4, 2), state_after(cell, 2)
    starts = torch.tensor([[False, True], [False, False], [True, False], [False, False]])
    unrolled, parts = Unrolled(cell, state, starts), state_tensors(state)
    names = [name for name, _ in unrolled.named_parameters()]

    def function(*inputs: Tensor) -> tuple[Tensor, ...]:
        split = 1 + len(parts)
        weights = dict(zip(names, inputs[split:], strict=True))
        result: tuple[Tensor, ...] = functional_call(unrolled, weights, inputs[:split])
        return result

    assert torch.autograd.gradcheck(function, (xs, *parts, *cell.parameters()), fast_mode=True)


def test_trace_takes_the_same_step(cell: MemoryCell[Any]) -> None:
    x, state = random_input(3), state_after(cell, 3)
    out, after, seen = cell.trace(x, state)
    assert_same((out, after), cell(x, state), tolerance=0)
    assert all(len(y) == 3 for y in seen.values())


def test_losses_come_with_the_same_step(cell: MemoryCell[Any]) -> None:
    x, state = random_input(3), state_after(cell, 3)
    out, after, losses = cell.forward_with_losses(x, state)
    assert_same((out, after), cell(x, state))
    assert all(loss.isfinite().all() for loss in losses.values())


@pytest.mark.parametrize("name", CELLS)
def test_only_a_cell_with_memory_learns_to_remember(name: str) -> None:
    """Four equally likely symbols; the first step shows one, the fifth asks for it."""
    torch.manual_seed(1)
    kwargs: dict[str, dict[str, Any]] = {
        "none": {},
        "memory-net": {"memory_size": 16},
        "ntm": {"hidden_size": 16, "memory_size": 8, "word_size": 8},
        "dnc": {"hidden_size": 16, "memory_size": 8, "word_size": 8},
        "salu": {"hidden_size": 16, "memory_size": 8, "key_size": 8, "value_size": 8},
        "framestack": {"stack_size": 5},
        "gtrxl": {"hidden_size": 16, "num_layers": 1, "memory_size": 4},
    }
    cell = make_cell(name, 4, **kwargs.get(name, {"hidden_size": 16}))
    readout = nn.Linear(cell.output_size, 4)
    optimizer = torch.optim.Adam([*cell.parameters(), *readout.parameters()], lr=0.02)
    symbols = torch.arange(4)
    xs = torch.cat((torch.eye(4).unsqueeze(0), torch.zeros(4, 4, 4)))
    starts = torch.zeros(5, 4, dtype=torch.bool)
    starts[0] = True
    for _ in range(150):
        outs, _, _ = unroll(cell, xs, cell.initial_state(4), starts)
        loss = nn.functional.cross_entropy(readout(outs[-1]), symbols)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    chance = torch.tensor(4.0).log()
    assert (loss < 0.1 * chance) == (name != "none")
    assert loss < 1.1 * chance


@pytest.mark.parametrize(
    ("name", "memory_kwargs", "message"),
    [
        ("lstm", {"input_size": 3}, "argument of memory 'lstm' is 'input_size'"),
        ("ntm", {"variant": "paper", "memory_size": 2}, "shift_range is 1"),
        ("ltsm", {}, f"memory is 'ltsm'; allowed: {', '.join(CELLS)}"),
        ("ltsm", {}, "(did you mean 'lstm'?)"),
        (
            "none",
            {"hidden_size": 3},
            "memory 'none' is 'hidden_size'; allowed: nothing",
        ),
        (
            "lstm",
            {"hiden_size": 3},
            "allowed: hidden_size, initialization (did you mean 'hidden_size'?)",
        ),
        ("lstm", {"hidden_size": 0}, "hidden_size is 0; allowed: integers from 1 on"),
        ("gru", {"hidden_size": 2.0}, "hidden_size is 2.0; allowed: integers from 1 on"),
        ("gru", {"hidden_size": True}, "hidden_size is True; allowed: integers from 1 on"),
        ("ntm", {"hidden_size": None}, "hidden_size is None; allowed: integers from 1 on"),
        ("ntm", {"memory_size": 0}, "memory_size is 0; allowed: integers from 1 on"),
        ("ntm", {"word_size": -1}, "word_size is -1; allowed: integers from 1 on"),
        ("ntm", {"num_read_heads": 0}, "num_read_heads is 0; allowed: integers from 1 on"),
        ("ntm", {"num_write_heads": 0}, "num_write_heads is 0; allowed: integers from 1 on"),
        ("ntm", {"shift_range": -1}, "shift_range is -1; allowed: integers from 0 on"),
        ("ntm", {"shift_range": 4, "memory_size": 8}, "shift_range is 4; allowed: at most 3"),
        ("ntm", {"controller": "gru"}, "controller is 'gru'; allowed: lstm, feedforward"),
        ("salu", {"memory_size": 0}, "memory_size is 0; allowed: integers from 1 on"),
        ("salu", {"key_size": 0}, "key_size is 0; allowed: integers from 1 on"),
        ("salu", {"value_size": 1.0}, "value_size is 1.0; allowed: integers from 1 on"),
        ("salu", {"num_heads": 0}, "num_heads is 0; allowed: integers from 1 on"),
        ("plastic", {"rule": "hebbian"}, "rule is 'hebbian'; allowed: hebb, oja, clip, modulated"),
        ("plastic", {"homogeneous": 0}, "homogeneous is 0; allowed: False, True"),
        ("framestack", {"stack_size": 0}, "stack_size is 0; allowed: integers from 1 on"),
        ("gtrxl", {"num_layers": 0}, "num_layers is 0; allowed: integers from 1 on"),
        ("gtrxl", {"num_heads": 0}, "num_heads is 0; allowed: integers from 1 on"),
        ("gtrxl", {"num_heads": 3}, "num_heads is 3; allowed: divisors of hidden_size, 64"),
        ("gtrxl", {"memory_size": 0}, "memory_size is 0; allowed: integers from 1 on"),
        ("ntm", {"learned_initial_memory": 1}, "learned_initial_memory is 1; allowed: False, True"),
        ("fwp", {"hidden_size": 0}, "hidden_size is 0; allowed: integers from 1 on"),
        ("fwp", {"num_heads": 0}, "num_heads is 0; allowed: integers from 1 on"),
        ("fwp", {"key_size": 1.5}, "key_size is 1.5; allowed: integers from 1 on"),
        ("fwp", {"value_size": -1}, "value_size is -1; allowed: integers from 1 on"),
        ("fwp", {"feature_map": "relu"}, "feature_map is 'relu'; allowed: elu, dpfp"),
        ("delta", {"conv_size": 0}, "conv_size is 0; allowed: integers from 1 on"),
        ("delta", {"feature_map": "elu"}, "feature_map is 'elu'; allowed: silu, dpfp"),
        ("gated-delta", {"num_heads": 0}, "num_heads is 0; allowed: integers from 1 on"),
        ("titans", {"memory_width": 0}, "memory_width is 0; allowed: integers from 1 on"),
        ("titans", {"memory_layers": 0}, "memory_layers is 0; allowed: integers from 1 on"),
        ("ntm", {"variant": "tutorial"}, "variant is 'tutorial'; allowed: paper, notebook"),
        ("dnc", {"num_read_heads": 0}, "num_read_heads is 0; allowed: integers from 1 on"),
        ("dnc", {"controller": "gru"}, "controller is 'gru'; allowed: lstm, feedforward"),
        ("dnc", {"masks": 1}, "masks is 1; allowed: False, True"),
        ("dnc", {"interface_norm": None}, "interface_norm is None; allowed: False, True"),
    ],
)
def test_bad_arguments(name: str, memory_kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match="allowed") as error:
        make_cell(name, INPUT_SIZE, **memory_kwargs)
    assert message in str(error.value)


@pytest.mark.parametrize("name", CELLS)
def test_bad_input_size(name: str) -> None:
    with pytest.raises(ValueError, match=r"input_size is 0; allowed: integers from 1 on"):
        make_cell(name, 0)
