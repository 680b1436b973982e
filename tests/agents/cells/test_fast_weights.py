"""The cells of fast weights: against the papers, and all steps at once against the time loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.cells import make_cell
from agents.cells.gated_delta import GatedDeltaNet
from agents.cells.parts import delta_rule
from agents.cells.parts.delta_rule import Write, recall, write_chunks, write_step
from agents.cells.parts.fast_weights import FastWeightCell, FastWeightState
from agents.cells.state import map_state, state_tensors
from agents.cells.unroll import unroll
from tests.agents.cells import fast_weights_reference as reference
from tests.agents.cells.cases import starts_of
from tests.agents.cells.fast_weights_reference import Array, Reference, Sizes

INPUT_SIZE = 4
SIZES = {"hidden_size": 6, "num_heads": 2, "key_size": 3, "value_size": 5}
ReferenceStep: TypeAlias = Callable[
    [Array, Reference, reference.Weights, Sizes], tuple[Array, Reference]
]
CASES: dict[str, tuple[str, dict[str, Any], ReferenceStep]] = {
    "fwp-elu": ("fwp", {}, partial(reference.fwp_step, feature_map="elu")),
    "fwp-dpfp": (
        "fwp",
        {"feature_map": "dpfp"},
        partial(reference.fwp_step, feature_map="dpfp"),
    ),
    "delta-silu": ("delta", {}, partial(reference.delta_step, feature_map="silu")),
    "delta-dpfp": (
        "delta",
        {"feature_map": "dpfp", "conv_size": 1},
        partial(reference.delta_step, feature_map="dpfp"),
    ),
    "delta-dpfp-conv": (
        "delta",
        {"feature_map": "dpfp", "conv_size": 2},
        partial(reference.delta_step, feature_map="dpfp"),
    ),
    "gated-delta": ("gated-delta", {}, reference.gated_delta_step),
    "gated-delta-no-conv": ("gated-delta", {"conv_size": 1}, reference.gated_delta_step),
}
NAMES = sorted({name for name, _, _ in CASES.values()})


def make(name: str, **kwargs: Any) -> FastWeightCell:
    """A small cell with random parameters, so large that nothing is nearly linear."""
    torch.manual_seed(0)
    cell = make_cell(name, INPUT_SIZE, **(SIZES | kwargs))
    assert isinstance(cell, FastWeightCell)
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    return cell.double()


def random_state(cell: FastWeightCell, rows: int) -> FastWeightState:
    """Any state that a cell can be in; the sums of linear attention are positive."""
    state = map_state(torch.randn_like, cell.initial_state(rows))
    return state._replace(weights=state.weights.abs())


def row_of(state: FastWeightState, row: int) -> Reference:
    """One row of a state, for the reference; without sums, no column is for them."""
    weights = state.weights[row].detach().mT.numpy()
    values = SIZES["value_size"]
    return Reference(
        [matrix[:values] for matrix in weights],
        [matrix[values] for matrix in weights if len(matrix) > values],
        [x[row].detach().numpy() for x in state.recent],
    )


def flatten(out: Array, state: Reference) -> Array:
    """All numbers of an output and the state after it."""
    return np.concatenate([np.ravel(x) for x in (out, *state[0], *state[1], *state[2])])


@pytest.mark.parametrize("case", CASES)
def test_it_equals_a_transcription_of_the_paper(case: str) -> None:
    name, kwargs, reference_step = CASES[case]
    cell = make(name, **kwargs)
    sizes = Sizes(SIZES["num_heads"], SIZES["key_size"], SIZES["value_size"], cell.layer.conv_size)
    weights = {key: x.detach().numpy() for key, x in cell.named_parameters()}
    state = random_state(cell, 2)
    expected = [row_of(state, row) for row in range(2)]
    for x in torch.randn(6, 2, INPUT_SIZE, dtype=torch.float64):
        out, state = cell(x, state)
        for row in range(2):
            theirs, expected[row] = reference_step(x[row].numpy(), expected[row], weights, sizes)
            ours = flatten(out[row].detach().numpy(), row_of(state, row))
            np.testing.assert_allclose(ours, flatten(theirs, expected[row]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_every_precision_goes_in_chunks_and_stays_what_it_is(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = make(name).to(dtype)
    monkeypatch.setattr(cell, "forward", None)  # no step is taken
    xs, starts = torch.randn(5, 3, INPUT_SIZE, dtype=dtype), starts_of("random", 5, 3)
    outs, state, _ = unroll(cell, xs, cell.initial_state(3), starts)
    assert {x.dtype for x in (outs, *state_tensors(state))} == {dtype}


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_are_no_error(name: str) -> None:
    cell = make(name)
    xs = torch.zeros(3, 0, INPUT_SIZE, dtype=torch.float64)
    starts = torch.zeros(3, 0, dtype=torch.bool)
    assert unroll(cell, xs, cell.initial_state(0), starts).outs.shape == (3, 0, 6)


@pytest.mark.parametrize("name", NAMES)
def test_traced_weights_are_those_of_the_next_state(name: str) -> None:
    cell = make(name)
    x = torch.randn(3, INPUT_SIZE, dtype=torch.float64)
    _, state, seen = cell.trace(x, random_state(cell, 3))
    assert seen["weights"] is state.weights
    heads, features = state.weights.shape[1:3]
    assert seen["write_keys"].shape == seen["read_keys"].shape == (3, 1, heads * features)
    assert seen["read_values"].shape == seen["write_values"].shape
    assert seen["read_values"].shape == (3, 1, heads * SIZES["value_size"])


def random_write(steps: int, rows: int, gated: bool, delta: bool) -> Write:
    """Keys of length 1 and random strengths and shares."""
    keys = torch.randn(2, steps, rows, 2, 3, dtype=torch.float64)
    queries, keys = keys / keys.norm(dim=-1, keepdim=True)
    values = torch.randn(steps, rows, 2, 5, dtype=torch.float64)
    strengths = torch.rand(steps, rows, 2, dtype=torch.float64) if delta else None
    shares = torch.rand(steps, rows, 2, dtype=torch.float64).log() if gated else None
    return Write(queries, keys, values, strengths, shares)


def step_of(write: Write, t: int) -> Write:
    return Write(
        write.queries[t],
        write.keys[t],
        write.values[t],
        None if write.strengths is None else write.strengths[t],
        None if write.log_keeps is None else write.log_keeps[t],
    )


def step_by_step(weights: Tensor, write: Write, starts: Tensor) -> tuple[Tensor, Tensor]:
    reads = []
    for t, start in enumerate(starts):
        weights = torch.where(start.view(-1, 1, 1, 1), 0, weights)
        read, weights = write_step(weights, step_of(write, t))
        reads.append(read)
    return torch.stack(reads), weights


@pytest.mark.parametrize("length", [1, 2, 5, 16, 64])
@pytest.mark.parametrize(
    ("gated", "delta"), [(False, False), (True, False), (False, True), (True, True)]
)
def test_chunks_of_every_length_equal_the_steps(
    length: int, gated: bool, delta: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_rule, "CHUNK", length)
    torch.manual_seed(0)
    write = random_write(33, 3, gated, delta)
    weights = torch.randn(3, 2, 3, 5, dtype=torch.float64)
    starts = starts_of("random", 33, 3)
    ours, theirs = write_chunks(weights, write, starts), step_by_step(weights, write, starts)
    # Keys of length 1 and strengths up to 1 keep the system's solution as small as the values, so
    # that 33 steps of some 30 roundings stay far below this.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


def test_what_follows_a_large_decay_keeps_its_precision() -> None:
    write = random_write(8, 1, gated=True, delta=True)
    assert write.log_keeps is not None
    write.log_keeps[2] = -1e9
    write.log_keeps[4] = -torch.inf
    starts, weights = torch.zeros(8, 1, dtype=torch.bool), torch.randn(1, 2, 3, 5).double()
    ours, theirs = write_chunks(weights, write, starts), step_by_step(weights, write, starts)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_linear_attention_is_attention_over_all_steps() -> None:
    """Katharopoulos et al. 2020, equation 5: a mean of all values, weighed by likeness."""
    cell = make("fwp")
    xs = torch.randn(7, 1, INPUT_SIZE, dtype=torch.float64)
    state, steps = cell.initial_state(1), []
    for x in xs:
        _, state, seen = cell.trace(x, state)
        names = ("read_keys", "write_keys", "write_values", "read_values")
        steps.append([seen[name].view(1, SIZES["num_heads"], -1) for name in names])
    queries, keys, values, reads = zip(*steps, strict=True)
    likeness = torch.einsum("tbhk,sbhk->bhts", torch.stack(queries), torch.stack(keys)).tril()
    shares = likeness / likeness.sum(dim=-1, keepdim=True)
    expected = torch.einsum("bhts,sbhv->tbhv", shares, torch.stack(values))
    torch.testing.assert_close(torch.stack(reads), expected)


def test_a_query_that_resembles_no_key_reads_nothing() -> None:
    cell = make("fwp", feature_map="dpfp")
    with torch.no_grad():
        cell.layer.project.weight.zero_()
    _, _, seen = cell.trace(torch.randn(2, INPUT_SIZE).double(), cell.initial_state(2))
    assert not seen["read_values"].any()


def test_the_delta_rule_replaces_what_a_key_finds_and_nothing_else() -> None:
    torch.manual_seed(0)
    weights = torch.randn(1, 1, 3, 5, dtype=torch.float64)
    axes = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q.view(3, 1, 1, 3)
    value = torch.randn(1, 1, 5, dtype=torch.float64)
    for strength in (0.0, 0.3, 1.0):
        write = Write(axes[0], axes[0], value, torch.full((1, 1), strength).double())
        found, after = write_step(weights, write)
        torch.testing.assert_close(found, torch.lerp(recall(weights, axes[0]), value, strength))
        for other in axes[1:]:
            torch.testing.assert_close(recall(after, other), recall(weights, other))


def test_the_short_convolution_sees_the_last_steps_of_its_own_episode() -> None:
    """A query is made of the last `conv_size` inputs; a start hides those before it."""
    cell = make("delta", conv_size=3)
    xs = torch.randn(6, 1, INPUT_SIZE, dtype=torch.float64, requires_grad=True)
    starts = torch.tensor([False, False, False, True, False, False]).unsqueeze(1)
    projected, _ = cell.layer.enter_all(xs, cell.initial_state(1).recent, starts)
    seen = []
    for query in projected.queries.flatten(1).sum(dim=1):
        (gradient,) = torch.autograd.grad(query, xs, retain_graph=True)
        seen.append(gradient.abs().sum(dim=(1, 2)).nonzero().flatten().tolist())
    assert seen == [[0], [0, 1], [0, 1, 2], [3], [3, 4], [3, 4, 5]]


def test_with_nothing_forgotten_the_gated_delta_rule_is_the_delta_rule() -> None:
    step = step_of(random_write(1, 3, gated=False, delta=True), 0)
    weights = torch.randn(3, 2, 3, 5, dtype=torch.float64)
    kept = step._replace(log_keeps=torch.zeros(3, 2, dtype=torch.float64))
    torch.testing.assert_close(write_step(weights, kept), write_step(weights, step))
    lost = step._replace(log_keeps=torch.full((3, 2), -torch.inf, dtype=torch.float64))
    fresh = write_step(torch.zeros_like(weights), step)
    torch.testing.assert_close(write_step(weights, lost), fresh)


def test_heads_start_with_memories_from_10_to_1000_steps() -> None:
    cell = GatedDeltaNet(INPUT_SIZE, num_heads=3)
    with torch.no_grad():
        cell.decay.weight.zero_()
    _, _, seen = cell.trace(torch.randn(2, INPUT_SIZE), cell.initial_state(2))
    kept = torch.tensor([-0.1, -0.01, -0.001]).exp().expand(2, 3)
    torch.testing.assert_close(seen["keep_gates"], kept)
