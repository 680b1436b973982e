"""The time loop, and fused paths against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numba import njit
from torch import Tensor, nn

from agents.cells import make_cell
from agents.cells.base import FusedCell, MemoryCell, Unrolled
from agents.cells.gru import GRU, GRUState
from agents.cells.lstm import LSTM, LSTMState
from agents.cells.ntm import NTM
from agents.cells.parts.kernels import Floats, exp, sigmoid, tanh
from agents.cells.state import detach_state, map_state
from agents.cells.unroll import unroll, unroll_steps
from tests.agents.cells.cases import PATTERNS, starts_of

FUSED: list[type[LSTM | GRU]] = [LSTM, GRU]
STEPS, ROWS, INPUT_SIZE, HIDDEN_SIZE = 6, 4, 3, 5


class CountState(NamedTuple):
    total: Tensor


class Counter(MemoryCell[CountState]):
    """Adds its input to a count that starts at 100."""

    def __init__(self) -> None:
        super().__init__(1, 1)

    def initial_state(self, batch_size: int) -> CountState:
        return CountState(torch.full((batch_size, 1), 100.0))

    def forward(self, x: Tensor, state: CountState) -> tuple[Tensor, CountState]:
        count = state.total + x
        return count, CountState(count)


def test_every_step_is_taken_in_order_and_rows_restart() -> None:
    xs = torch.tensor([[1.0, 2.0], [10.0, 20.0], [5.0, 6.0]]).unsqueeze(-1)
    starts = torch.tensor([[False, True], [True, False], [False, False]])
    outs, last, _ = unroll(Counter(), xs, CountState(torch.zeros(2, 1)), starts)
    assert outs.squeeze(-1).tolist() == [[1, 102], [110, 122], [115, 128]]
    assert last.total.flatten().tolist() == [115, 128]


def test_unrolling_in_chunks_is_unrolling_at_once() -> None:
    xs, starts = torch.randn(STEPS, ROWS, INPUT_SIZE), starts_of("random", STEPS, ROWS)
    for name in ("lstm", "gru", "ntm"):
        cell = make_cell(name, INPUT_SIZE, hidden_size=HIDDEN_SIZE)
        outs, last, _ = unroll(cell, xs, cell.initial_state(ROWS), starts)
        first, middle, _ = unroll(cell, xs[:2], cell.initial_state(ROWS), starts[:2])
        second, end, _ = unroll(cell, xs[2:], middle, starts[2:])
        torch.testing.assert_close(outs, torch.cat((first, second)))
        torch.testing.assert_close(last, end)


def results(
    unrolled: tuple[Tensor, tuple[Any, ...]], inputs: list[Tensor], weights: list[Tensor]
) -> list[Tensor]:
    """Outputs, last state, and the gradients of a weighted sum of both."""
    values = [unrolled[0], *unrolled[1]]
    loss = torch.stack([(v * w).sum() for v, w in zip(values, weights, strict=True)]).sum()
    return [*values, *torch.autograd.grad(loss, inputs, materialize_grads=True)]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(
    ("steps", "rows", "units"),
    [(1, 1, 1), (1, 5, 8), (7, 1, 3), (6, 4, 5), (40, 3, 33), (9, 70, 64)],
)
@pytest.mark.parametrize("cell_class", FUSED)
def test_the_fused_path_equals_the_time_loop(
    cell_class: type[LSTM | GRU], steps: int, rows: int, units: int, pattern: str
) -> None:
    torch.manual_seed(0)
    cell: FusedCell[Any] = cell_class(INPUT_SIZE, units)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=units**-0.5)
    # Neither contiguous nor of unit stride.
    xs = torch.randn(rows, steps, 2 * INPUT_SIZE)[..., ::2].transpose(0, 1).requires_grad_()
    state = map_state(lambda x: torch.randn_like(x).requires_grad_(), cell.initial_state(rows))
    inputs = [xs, *state, *cell.parameters()]
    weights = [torch.randn(steps, rows, units), *map(torch.randn_like, state)]
    starts = starts_of(pattern, steps, rows)
    fused = results(cell.sequence(xs, state, starts)[:2], inputs, weights)
    stepped = results(unroll_steps(cell, xs, state, starts)[:2], inputs, weights)
    # Each of the steps adds a few roundings of the largest number that it sums.
    rounding = 10 * steps * torch.finfo(torch.float32).eps
    for x, y in zip(fused, stepped, strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=rounding * max(1.0, y.abs().max().item()))


class Leaky(LSTM):
    """An LSTM whose outputs are halved, in the step alone."""

    def forward(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        out, state = super().forward(x, state)
        return 0.5 * out, state


class Halving(MemoryCell[LSTMState]):
    """What halves the outputs of the steps of any cell that it is put before."""

    def forward(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        out, state = super().forward(x, state)  # type: ignore[safe-super]  # of the cell after it
        return 0.5 * out, state


class HalvedLSTM(Halving, LSTM):
    """An LSTM whose step is changed by a class beside it."""


class QuickLeaky(Leaky):
    """The same, which halves the outputs of a whole sequence, too."""

    def sequence(self, xs: Tensor, state: LSTMState, starts: Tensor) -> Unrolled:
        unrolled = super().sequence(xs, state, starts)
        return unrolled._replace(outs=0.5 * unrolled.outs)


@pytest.mark.parametrize("cell_class", [*FUSED, QuickLeaky])
def test_unroll_takes_the_fused_path(
    cell_class: type[LSTM | GRU], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell: FusedCell[Any] = cell_class(INPUT_SIZE, HIDDEN_SIZE)
    fused = object()
    monkeypatch.setattr(cell, "sequence", lambda *_: fused)
    xs = torch.zeros(STEPS, ROWS, INPUT_SIZE)
    assert unroll(cell, xs, cell.initial_state(ROWS), starts_of("none", STEPS, ROWS)) is fused


@pytest.mark.parametrize("cell_class", FUSED)
def test_the_fused_path_can_be_gone_back_twice(cell_class: type[LSTM | GRU]) -> None:
    cell: FusedCell[Any] = cell_class(INPUT_SIZE, HIDDEN_SIZE)
    xs = torch.randn(STEPS, ROWS, INPUT_SIZE, requires_grad=True)
    outs, _, _ = cell.sequence(xs, cell.initial_state(ROWS), starts_of("random", STEPS, ROWS))
    (first,) = torch.autograd.grad(outs.sum(), xs, retain_graph=True)
    (second,) = torch.autograd.grad(outs.sum(), xs)
    assert first.equal(second)


@pytest.mark.parametrize("cell_class", FUSED)
def test_the_fused_path_leaves_the_gradients_that_it_is_given(
    cell_class: type[LSTM | GRU],
) -> None:
    cell: FusedCell[Any] = cell_class(INPUT_SIZE, HIDDEN_SIZE)
    xs = torch.randn(STEPS, ROWS, INPUT_SIZE, requires_grad=True)
    outs, state, _ = cell.sequence(xs, cell.initial_state(ROWS), starts_of("random", STEPS, ROWS))
    given = [torch.ones_like(x) for x in (outs, *state)]
    torch.autograd.grad([outs, *state], xs, given)
    assert all(bool((x == 1).all()) for x in given)


@pytest.mark.parametrize(("name", "exact"), [("sigmoid", torch.sigmoid), ("tanh", torch.tanh)])
def test_nonlinearities_of_the_kernels(name: str, exact: Callable[[Tensor], Tensor]) -> None:
    xs = torch.cat([torch.linspace(-100, 100, 200_001), torch.tensor([torch.inf, -torch.inf])])
    found = np.empty(len(xs), np.float32)
    _APPLY[name](xs.numpy(), found)
    error = (torch.as_tensor(found).double() - exact(xs.double())).abs().max().item()
    assert error < {"sigmoid": 1e-7, "tanh": 2e-7}[name]


@njit
def _apply_sigmoid(xs: Floats, found: Floats) -> None:
    for k in range(len(xs)):
        found[k] = sigmoid(xs[k])


@njit
def _apply_tanh(xs: Floats, found: Floats) -> None:
    for k in range(len(xs)):
        found[k] = tanh(xs[k])


@njit
def _apply_exp(xs: Floats, found: Floats) -> None:
    for k in range(len(xs)):
        found[k] = exp(xs[k])


_APPLY: dict[str, Any] = {"exp": _apply_exp, "sigmoid": _apply_sigmoid, "tanh": _apply_tanh}


def test_the_kernels_exponential() -> None:
    xs = torch.cat([torch.linspace(-87, 87, 200_001), torch.zeros(1)])
    found = np.empty(len(xs), np.float32)
    _APPLY["exp"](xs.numpy(), found)
    exact = xs.double().exp()
    assert ((torch.as_tensor(found).double() - exact).abs() / exact).max() < 3e-7
    assert found[-1] == 1
    _APPLY["exp"](np.array([-1e30, -np.inf, np.nan], np.float32), found[:3])
    assert found[0] == found[1] < 1e-37
    assert np.isnan(found[2])


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_float64_goes_step_by_step(name: str) -> None:
    cell = make_cell(name, INPUT_SIZE, hidden_size=HIDDEN_SIZE).double()
    xs = torch.randn(STEPS, ROWS, INPUT_SIZE, dtype=torch.float64)
    starts = starts_of("random", STEPS, ROWS)
    outs, last, _ = unroll(cell, xs, cell.initial_state(ROWS), starts)
    expected, final, _ = unroll_steps(cell, xs, cell.initial_state(ROWS), starts)
    assert outs.equal(expected)
    assert all(x.equal(y) for x, y in zip(last, final, strict=True))


@pytest.mark.parametrize(("cell_class", "torch_class"), [(LSTM, nn.LSTM), (GRU, nn.GRU)])
def test_the_fused_path_equals_torch(
    cell_class: type[LSTM | GRU], torch_class: type[nn.LSTM | nn.GRU]
) -> None:
    torch.manual_seed(0)
    cell: FusedCell[Any] = cell_class(INPUT_SIZE, HIDDEN_SIZE)
    reference = torch_class(INPUT_SIZE, HIDDEN_SIZE)
    reference.load_state_dict({f"{name}_l0": x for name, x in cell.state_dict().items()})
    xs = torch.randn(STEPS, ROWS, INPUT_SIZE)
    outs, last, _ = cell.sequence(xs, cell.initial_state(ROWS), starts_of("none", STEPS, ROWS))
    expected, final = reference(xs)
    torch.testing.assert_close(outs, expected)
    for x, y in zip(last, final if isinstance(final, tuple) else (final,), strict=True):
        torch.testing.assert_close(x, y.squeeze(0))
    torch.autograd.backward([outs.square().sum(), expected.square().sum()])
    for name, parameter in cell.named_parameters():
        torch.testing.assert_close(parameter.grad, getattr(reference, f"{name}_l0").grad)


@pytest.mark.parametrize("name", ["lstm", "gru", "ntm"])
def test_no_gradient_crosses_an_episode_start(name: str) -> None:
    cell = make_cell(name, INPUT_SIZE, hidden_size=HIDDEN_SIZE)
    xs = torch.randn(STEPS, ROWS, INPUT_SIZE, requires_grad=True)
    starts = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    starts[3, 1] = True
    outs, _, _ = unroll(cell, xs, cell.initial_state(ROWS), starts)
    (gradient,) = torch.autograd.grad(outs[-1].sum(), xs)
    reached = gradient.abs().sum(-1) > 0
    assert not reached[:3, 1].any()
    assert reached[3:, 1].all()
    assert reached[:, [0, 2, 3]].all()


@pytest.mark.parametrize("starts", [False, True])
def test_a_learned_initial_state_learns_from_a_start_in_the_middle(starts: bool) -> None:
    cell = NTM(INPUT_SIZE, hidden_size=HIDDEN_SIZE, learned_initial_memory=True)
    xs = torch.randn(2, 1, INPUT_SIZE)
    foreign = detach_state(cell.initial_state(1))
    outs, _, _ = unroll(cell, xs, foreign, torch.tensor([[False], [starts]]))
    (gradient,) = torch.autograd.grad(outs.sum(), cell.initial_memory, materialize_grads=True)
    assert bool(gradient.any()) == starts


@pytest.mark.parametrize("name", ["none", "lstm"])
@pytest.mark.parametrize(
    ("xs", "starts", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool), "the shape of xs is (2, 3)"),
        (torch.zeros(0, 2, 3), torch.zeros(0, 2, dtype=torch.bool), "allowed: (T, B, 3)"),
        (torch.zeros(2, 2, 4), torch.zeros(2, 2, dtype=torch.bool), "allowed: (T, B, 3)"),
        (torch.zeros(2, 2, 3), torch.zeros(2, 1, dtype=torch.bool), "starts is (2, 1)"),
        (torch.zeros(2, 2, 3), torch.zeros(2, 2), "starts is (2, 2) of torch.float32"),
    ],
)
def test_bad_input(name: str, xs: Tensor, starts: Tensor, message: str) -> None:
    cell = make_cell(name, 3)
    with pytest.raises(ValueError, match="allowed") as error:
        unroll(cell, xs, cell.initial_state(2), starts)
    assert message in str(error.value)


class Eager(GRU):
    """A GRU whose episodes start with ones."""

    def initial_state(self, batch_size: int) -> GRUState:
        return GRUState(torch.ones_like(super().initial_state(batch_size).hidden))


@pytest.mark.parametrize("cell_class", [Leaky, HalvedLSTM, Eager])
def test_a_subclass_that_changes_the_step_goes_step_by_step(cell_class: type[LSTM | GRU]) -> None:
    cell: FusedCell[Any] = cell_class(INPUT_SIZE, HIDDEN_SIZE)
    xs, starts = torch.randn(STEPS, ROWS, INPUT_SIZE), starts_of("random", STEPS, ROWS)
    outs = unroll(cell, xs, cell.initial_state(ROWS), starts).outs
    assert outs.equal(unroll_steps(cell, xs, cell.initial_state(ROWS), starts).outs)
    fused = cell.sequence(xs, cell.initial_state(ROWS), starts)[0]
    assert not outs.allclose(fused), "so that the test above can fail"


class Thrifty(LSTM):
    """An LSTM with a loss of its own: its cell states are to stay small."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.loss_weights = {"size": 0.1}

    def forward_with_losses(
        self, x: Tensor, state: LSTMState
    ) -> tuple[Tensor, LSTMState, dict[str, Tensor]]:
        out, state = self(x, state)
        return out, state, {"size": state.cell.square().mean(dim=1)}


def test_a_subclass_with_a_loss_of_its_own_gives_it() -> None:
    cell = Thrifty(INPUT_SIZE, HIDDEN_SIZE)
    xs = torch.randn(STEPS, ROWS, INPUT_SIZE)
    unrolled = unroll(cell, xs, cell.initial_state(ROWS), starts_of("random", STEPS, ROWS))
    assert unrolled.losses.keys() == {"size"}
    torch.testing.assert_close(
        unrolled.losses["size"][-1], unrolled.state.cell.square().mean(dim=1)
    )


def test_a_state_of_other_rows_is_refused() -> None:
    cell = LSTM(INPUT_SIZE, HIDDEN_SIZE)
    xs, starts = torch.zeros(2, 3, INPUT_SIZE), torch.zeros(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"the state has \{1\} rows; allowed: 3 as of xs"):
        unroll(cell, xs, cell.initial_state(1), starts)
