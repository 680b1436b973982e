"""MNM's compiled sequences: threads, and what training keeps.

What they compute is held against the steps in test_fast_paths and test_mnm_derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from agents.cells.mnm.fast import sequence
from agents.cells.mnm.fast.steps import run_rows
from agents.cells.mnm.fused import FusedMNM
from agents.cells.mnm.mnm_g import MNMG
from agents.cells.mnm.mnm_p import MNMP
from agents.cells.state import state_tensors
from agents.cells.unroll import unroll, unroll_steps
from tests.agents.cells.cases import starts_of

INPUT_SIZE = 3
EPS = torch.finfo(torch.float32).eps


BOTH: list[type[FusedMNM]] = [MNMG, MNMP]


def make_mnm(cls: type[FusedMNM], **memory_kwargs: Any) -> FusedMNM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 6, "memory_layers": 2, "memory_width": 5, "num_heads": 2}
    return cls(INPUT_SIZE, **(sizes | memory_kwargs))


def run(cell: FusedMNM, xs: Tensor, starts: Tensor) -> list[Tensor]:
    """The results of a sequence, and the gradients by inputs and parameters."""
    xs = xs.clone().requires_grad_()
    unrolled = cell.sequence(xs, cell.initial_state(xs.shape[1]), starts)
    total = torch.stack([x.square().sum() for x in state_tensors(unrolled)]).sum()
    return [*state_tensors(unrolled), *torch.autograd.grad(total, [xs, *cell.parameters()])]


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    ("threads", "block_bytes", "blocks", "layer_norm"),
    [(2, 1, 4, False), (2, 2**30, 2, True), (9, 1, 4, True)],
)
def test_neither_threads_nor_blocks_change_what_comes_of_a_row(
    cls: type[FusedMNM],
    threads: int,
    block_bytes: int,
    blocks: int,
    layer_norm: bool,
    set_threads: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of twenty rows, six at a time: four blocks at most, and one for each thread at least.

    Gradients by parameters are sums over rows, in an order that is PyTorch's.
    """
    cell, xs = make_mnm(cls, layer_norm=layer_norm), torch.randn(5, 20, INPUT_SIZE)
    starts = starts_of("random", 5, 20)
    set_threads(1)
    expected = run(cell, xs, starts)
    set_threads(threads)
    monkeypatch.setattr(sequence, "_BLOCK_BYTES", block_bytes)
    taken = []

    def note(first: int, last: int, *rest: Any) -> None:
        taken.append((first, last))
        run_rows(first, last, *rest)

    monkeypatch.setattr(sequence, "run_rows", note)
    shared = len(expected) - len(list(cell.parameters()))
    for k, (found, before) in enumerate(zip(run(cell, xs, starts), expected, strict=True)):
        atol = 0.0 if k < shared else 100 * EPS * max(1.0, before.abs().max().item())
        torch.testing.assert_close(found, before, rtol=0, atol=atol)
    assert len(taken) == blocks
    assert sorted(row for first, last in taken for row in range(first, last)) == list(range(20))


@pytest.mark.parametrize("cls", BOTH)
def test_training_keeps_no_memory_a_step(cls: type[FusedMNM]) -> None:
    """What a step keeps is less than a quarter of the fast weights, 48 kB a row."""
    cell = make_mnm(cls, memory_layers=3, memory_width=64, num_heads=1)

    def kept(steps: int, starts: Tensor) -> int:
        tensors: dict[int, int] = {}

        def note(x: Tensor) -> Tensor:
            tensors[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        xs = torch.randn(steps, 2, INPUT_SIZE)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            unrolled = cell.sequence(xs, cell.initial_state(2), starts[:steps])
        assert unrolled.outs.requires_grad
        return sum(tensors.values())

    memory, none, one = (
        cell.initial_memory.nbytes,
        starts_of("none", 20, 2),
        starts_of("none", 20, 2),
    )
    one[5, 0] = True
    assert 0 < kept(20, none) - kept(10, none) < 10 * 2 * memory / 4
    assert kept(20, one) - kept(20, none) == memory


@pytest.mark.parametrize("cls", BOTH)
def test_long_sequences_are_undone_as_well(cls: type[FusedMNM]) -> None:
    """Each write that is taken off again leaves a rounding: some tens of thousands of them here."""
    cell = make_mnm(cls, memory_width=16, hidden_size=16)
    with torch.no_grad():
        cell.rate.bias.fill_(4.0)
    xs, starts = torch.randn(1000, 2, INPUT_SIZE), starts_of("none", 1000, 2)
    weights = torch.randn(1000, 2, 16)

    def gradients(cell: FusedMNM, xs: Tensor) -> list[Tensor]:
        total = (unroll(cell, xs, cell.initial_state(2), starts).outs * weights).sum()
        return list(torch.autograd.grad(total, list(cell.parameters())))

    found = gradients(cell, xs)
    for x, y in zip(found, gradients(cell.double(), xs.double()), strict=True):
        assert (x - y).abs().max() < 1e-3 * y.abs().max()


@pytest.mark.parametrize("cls", BOTH)
def test_it_can_be_gone_back_twice_and_leaves_the_gradients_that_it_is_given(
    cls: type[FusedMNM],
) -> None:
    cell = make_mnm(cls)
    xs = torch.randn(4, 3, INPUT_SIZE, requires_grad=True)
    unrolled = cell.sequence(xs, cell.initial_state(3), starts_of("random", 4, 3))
    values = [x for x in state_tensors(unrolled) if x.requires_grad]
    given = [torch.ones_like(x) for x in values]
    (first,) = torch.autograd.grad(values, xs, given, retain_graph=True)
    (second,) = torch.autograd.grad(values, xs, given)
    assert first.equal(second)
    assert all(bool((x == 1).all()) for x in given)


@pytest.mark.parametrize("cls", BOTH)
def test_no_rows_are_no_error(cls: type[FusedMNM]) -> None:
    cell, xs = make_mnm(cls), torch.zeros(3, 0, INPUT_SIZE)
    outs, state, losses = unroll(cell, xs, cell.initial_state(0), starts_of("none", 3, 0))
    assert outs.shape == (3, 0, cell.output_size)
    assert state.memory.shape == (0, 2, 5, 5)
    assert losses["recall"].shape == (3, 0)


@pytest.mark.parametrize("cls", BOTH)
def test_old_pairs_are_recalled_step_by_step(cls: type[FusedMNM]) -> None:
    xs = torch.zeros(1, 1, INPUT_SIZE)
    assert make_mnm(cls).takes(xs)
    assert not make_mnm(cls, recall_delay=1).takes(xs)


class LazyG(MNMG):
    """Writes half of what it should."""

    def errors(self, memory: Tensor, layers: Tensor, values: Tensor) -> Tensor:
        return 0.5 * super().errors(memory, layers, values)


class LazyP(MNMP):
    """Writes half of what it should."""

    def errors(self, memory: Tensor, layers: Tensor, values: Tensor) -> Tensor:
        return 0.5 * super().errors(memory, layers, values)


@pytest.mark.parametrize("cls", [LazyG, LazyP])
def test_a_subclass_that_writes_otherwise_goes_step_by_step(cls: type[FusedMNM]) -> None:
    cell = make_mnm(cls)
    assert not cls.keeps_pace
    xs, starts = torch.randn(4, 3, INPUT_SIZE), starts_of("random", 4, 3)
    outs = unroll(cell, xs, cell.initial_state(3), starts).outs
    assert outs.equal(unroll_steps(cell, xs, cell.initial_state(3), starts).outs)
    assert not outs.allclose(cell.sequence(xs, cell.initial_state(3), starts).outs)
