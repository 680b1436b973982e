"""The contract of memory cells, over the whole table."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from agents.cells import CELLS, MemoryCell, make_cell
from agents.cells.gru import GRU
from agents.cells.lstm import LSTM
from agents.cells.state import State, index_state, map_state
from agents.cells.unroll import unroll

INPUT_SIZE = 5
# In a batch of another size a product of matrices adds its terms in another order. A step has some
# ten products and quotients in a row, with at most 30 terms of order one: a few hundred roundings.
ROUNDING = 1000 * torch.finfo(torch.float64).eps
NTM_SIZES = {"hidden_size": 6, "memory_size": 5, "word_size": 3}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "none": ("none", {}),
    "lstm": ("lstm", {"hidden_size": 6}),
    "gru": ("gru", {"hidden_size": 6}),
    "ntm": ("ntm", NTM_SIZES),
    "ntm-many-heads": (
        "ntm",
        NTM_SIZES
        | {"num_read_heads": 2, "num_write_heads": 3, "controller": "feedforward"}
        | {"shift_range": 2, "learned_initial_memory": True},
    ),
    "framestack": ("framestack", {"stack_size": 3}),
}


@pytest.fixture(params=CASES)
def cell(request: pytest.FixtureRequest) -> MemoryCell[Any]:
    torch.manual_seed(0)
    name, memory_kwargs = CASES[request.param]
    return make_cell(name, INPUT_SIZE, **memory_kwargs).double()


def tensors(nested: tuple[Any, ...]) -> list[Tensor]:
    """All tensors of a state, or of an output and a state."""
    parts = (tensors(part) if isinstance(part, tuple) else [part] for part in nested)
    return [tensor for part in parts for tensor in part]


def states_after(cell: MemoryCell[Any], rows: int, steps: int = 3) -> State:
    """A state that has seen something, with gradients."""
    state = cell.initial_state(rows)
    for _ in range(steps):
        _, state = cell(torch.randn(rows, INPUT_SIZE, dtype=torch.float64), state)
    return map_state(lambda x: x.detach().clone().requires_grad_(), state)


def random_input(*shape: int) -> Tensor:
    return torch.randn(*shape, INPUT_SIZE, dtype=torch.float64, requires_grad=True)


def test_every_cell_of_the_table_is_tested() -> None:
    assert {name for name, _ in CASES.values()} == set(CELLS)


def test_shapes_and_types(cell: MemoryCell[Any]) -> None:
    for batch_size, dtype in ((1, torch.float32), (4, torch.float64)):
        cell.to(dtype)
        initial = cell.initial_state(batch_size)
        out, state = cell(torch.randn(batch_size, INPUT_SIZE, dtype=dtype), initial)
        assert out.shape == (batch_size, cell.output_size)
        assert out.dtype == dtype
        for before, after in zip(tensors(initial), tensors(state), strict=True):
            assert before.shape == after.shape
            assert before.shape[0] == batch_size
            assert before.dtype == after.dtype == dtype


def test_the_state_is_where_the_parameters_are(cell: MemoryCell[Any]) -> None:
    state = cell.to("meta").initial_state(2)
    assert all(x.is_meta for x in tensors(state))


def test_a_step_is_pure(cell: MemoryCell[Any]) -> None:
    x, state = random_input(3), states_after(cell, 3)
    inputs = [x, *tensors(state)]
    copies, versions = [y.detach().clone() for y in inputs], [y._version for y in inputs]
    attributes = {name: value for name, value in vars(cell).items() if name[0] != "_"}
    first, again = cell(x, state), cell(x, state)
    assert [y._version for y in inputs] == versions
    assert vars(cell).items() >= attributes.items()
    for y, copy in zip(inputs, copies, strict=True):
        assert torch.equal(y, copy)
    for y, z in zip(tensors(first), tensors(again), strict=True):
        assert torch.equal(y, z)


def test_rows_are_independent(cell: MemoryCell[Any]) -> None:
    x, state = random_input(3), states_after(cell, 3)
    both = cell(x, state)
    alone = cell(x[1:2], index_state(state, slice(1, 2)))
    for y, z in zip(tensors(both), tensors(alone), strict=True):
        torch.testing.assert_close(y[1:2], z, rtol=0, atol=ROUNDING)
    inputs = [x, *tensors(state)]
    for gradient in torch.autograd.grad(both[0][1].sum(), inputs, materialize_grads=True):
        assert not gradient[[0, 2]].any()


def test_an_episode_start_resets_its_row_alone(cell: MemoryCell[Any]) -> None:
    xs, state = random_input(4, 3), states_after(cell, 3)
    starts = torch.zeros(4, 3, dtype=torch.bool)
    kept, kept_last, _ = unroll(cell, xs, state, starts)
    starts[2, 1] = True
    outs, last, _ = unroll(cell, xs, state, starts)
    fresh, fresh_last, _ = unroll(cell, xs[2:], cell.initial_state(3), starts[:2])
    torch.testing.assert_close(outs[:2], kept[:2], rtol=0, atol=ROUNDING)
    torch.testing.assert_close(outs[2:, 1], fresh[:, 1], rtol=0, atol=ROUNDING)
    torch.testing.assert_close(outs[:, [0, 2]], kept[:, [0, 2]], rtol=0, atol=ROUNDING)
    for x, y, z in zip(tensors(last), tensors(kept_last), tensors(fresh_last), strict=True):
        torch.testing.assert_close(x[1], z[1], rtol=0, atol=ROUNDING)
        torch.testing.assert_close(x[[0, 2]], y[[0, 2]], rtol=0, atol=ROUNDING)


def test_a_broken_state_does_not_survive_an_episode_start(cell: MemoryCell[Any]) -> None:
    broken = map_state(lambda x: torch.full_like(x, torch.nan), states_after(cell, 2))
    xs, starts = random_input(2, 2), torch.tensor([[True, True], [False, False]])
    outs, last, _ = unroll(cell, xs, broken, starts)
    gradients = torch.autograd.grad(outs.sum(), [xs, *cell.parameters()])
    assert all(x.isfinite().all() for x in (outs, *tensors(last), *gradients))


class Unrolled(nn.Module):
    """A cell over a sequence, as a function of tensors only."""

    def __init__(self, cell: MemoryCell[Any], structure: State, starts: Tensor) -> None:
        super().__init__()
        self.cell, self.structure, self.starts = cell, structure, starts

    def forward(self, xs: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        remaining = iter(parts)
        state = map_state(lambda _: next(remaining), self.structure)
        return tuple(tensors(unroll(self.cell, xs, state, self.starts)[:2]))


def test_gradients_are_those_of_finite_differences(cell: MemoryCell[Any]) -> None:
    xs, state = random_input(4, 2), states_after(cell, 2)
    starts = torch.tensor([[False, True], [False, False], [True, False], [False, False]])
    unrolled, parts = Unrolled(cell, state, starts), tensors(state)
    names = [name for name, _ in unrolled.named_parameters()]

    def function(*inputs: Tensor) -> tuple[Tensor, ...]:
        split = 1 + len(parts)
        weights = dict(zip(names, inputs[split:], strict=True))
        result: tuple[Tensor, ...] = functional_call(unrolled, weights, inputs[:split])
        return result

    assert torch.autograd.gradcheck(function, (xs, *parts, *cell.parameters()), fast_mode=True)


def test_trace_takes_the_same_step(cell: MemoryCell[Any]) -> None:
    x, state = random_input(3), states_after(cell, 3)
    stepped, traced = cell(x, state), cell.trace(x, state)
    for y, z in zip(tensors(stepped), tensors(traced[:2]), strict=True):
        assert torch.equal(y, z)
    assert all(len(seen) == 3 for seen in traced[2].values())


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


@pytest.mark.parametrize("name", CELLS)
def test_only_a_cell_with_memory_learns_to_remember(name: str) -> None:
    """Four equally likely symbols; the first step shows one, the fifth asks for it."""
    torch.manual_seed(1)
    kwargs = {
        "none": {},
        "ntm": {"hidden_size": 16, "memory_size": 8, "word_size": 8},
        "framestack": {"stack_size": 5},
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
        ("ltsm", {}, "memory is 'ltsm'; allowed: none, lstm, gru, ntm, framestack"),
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
        ("framestack", {"stack_size": 0}, "stack_size is 0; allowed: integers from 1 on"),
        ("ntm", {"learned_initial_memory": 1}, "learned_initial_memory is 1; allowed: False, True"),
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
