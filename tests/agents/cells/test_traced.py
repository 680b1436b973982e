"""What cells show of a step: one set of names, and the numbers that the papers say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.agents.cells import dnc_reference, mnm_reference, ntm_reference
from tests.agents.cells.cases import CASES, INPUT_SIZE, make_case, random_input, state_after

PAIRED = {"write_keys", "write_values", "read_keys", "read_values"}
KEYED = {"ntm", "dnc", "salu", "fwp", "delta", "gated-delta", "mnm-g", "mnm-p", "titans"}


@pytest.mark.parametrize("case", CASES)
def test_names_and_shapes_are_those_that_the_base_class_says(case: str) -> None:
    cell = make_case(case)
    _, _, seen = cell.trace(random_input(3), state_after(cell, 3))
    expected = PAIRED if CASES[case][0] in KEYED else set()
    assert seen.keys() & PAIRED == expected
    for name in expected | {name for name in seen if name.endswith("_weights")}:
        assert seen[name].dim() == 3, name
    for kind in ("keys", "values") if expected else ():
        written, read = seen[f"write_{kind}"], seen[f"read_{kind}"]
        assert written.shape[2] == read.shape[2], kind
    if expected:
        assert seen["write_keys"].shape[1] == seen["write_values"].shape[1]
        assert seen["read_values"].shape[1] in (1, seen["read_keys"].shape[1])
    shares = ("_gate", "_gates", "_rates", "_weights", "usage", "links")
    for name in seen:
        if name.endswith(shares):
            assert ((seen[name] >= 0) & (seen[name] <= 1 + 1e-12)).all(), name


def weights_of(cell: Any) -> dict[str, Any]:
    torch.nn.init.normal_(cell.interface.bias)
    return {name: x.detach().numpy() for name, x in cell.state_dict().items()}


def row(state: tuple[Any, ...]) -> list[Any]:
    """The only row of a state's tensors."""
    return [x[0].detach().numpy() if isinstance(x, Tensor) else tuple(row(x)) for x in state]


def assert_seen(seen: dict[str, Tensor], expected: dict[str, Any]) -> None:
    for name, numbers in expected.items():
        found = seen[name][0].detach().numpy()
        np.testing.assert_allclose(
            found, np.reshape(numbers, found.shape), rtol=0, atol=1e-11, err_msg=name
        )


@pytest.mark.parametrize("case", ["mnm-p", "mnm-p-as-printed", "mnm-p-bare"])
def test_mnm_p_shows_what_its_transcription_writes_and_reads(case: str) -> None:
    cell: Any = make_case(case)
    weights = weights_of(cell)
    options = mnm_reference.Options(
        cell.num_heads, cell.linear_values, cell.normalized_writes, cell.recall_decay
    )
    state = cell.initial_state(1)
    memory, read, (hidden, kept), _ = row(state)
    theirs = mnm_reference.Reference(list(memory), read, hidden, kept, [])
    for x in torch.randn(4, 1, INPUT_SIZE, dtype=torch.float64):
        _, state, seen = cell.trace(x, state)
        _, theirs, _ = mnm_reference.step(x[0].numpy(), theirs, weights, options, local=True)
        keys, values = zip(*theirs.written[0], strict=True)
        assert_seen(seen, {"write_keys": keys, "write_values": values, "read_values": theirs.read})
        found = [
            mnm_reference.function(theirs.memory, key, options.linear_values)[-1]
            for key in seen["read_keys"][0].detach().numpy()
        ]
        np.testing.assert_allclose(np.mean(found, axis=0), theirs.read, rtol=0, atol=1e-11)


@pytest.mark.parametrize("case", ["ntm", "ntm-many-heads"])
def test_ntm_shows_what_its_transcription_writes_and_reads(case: str) -> None:
    cell: Any = make_case(case)
    weights = weights_of(cell)
    sizes = ntm_reference.Sizes(
        *(cell.num_read_heads, cell.num_write_heads, cell.memory_size, cell.word_size),
        cell.shift_range,
    )
    state = cell.initial_state(1)
    theirs = ntm_reference.Reference(*row(state))
    for x in torch.randn(4, 1, INPUT_SIZE, dtype=torch.float64):
        _, state, seen = cell.trace(x, state)
        entering = np.concatenate([x[0].numpy(), theirs.reads.flatten()])
        hidden, _ = ntm_reference.control(entering, theirs.controller, weights)
        numbers = (weights["interface.weight"] @ hidden + weights["interface.bias"]).tolist()
        count = sizes.num_read_heads + sizes.num_write_heads
        heads = [ntm_reference.take_head(numbers, sizes) for _ in range(count)]
        words = np.reshape(numbers, (sizes.num_write_heads, 2, sizes.word_size))
        _, theirs = ntm_reference.step(x[0].numpy(), theirs, weights, sizes)
        expected = {
            "read_keys": [head.key for head in heads[: sizes.num_read_heads]],
            "write_keys": [head.key for head in heads[sizes.num_read_heads :]],
            "read_values": theirs.reads,
            "write_values": np.tanh(words[:, 1]),
            "read_weights": theirs.read_weights,
            "write_weights": theirs.write_weights,
            "interpolation_gates": [head.gate for head in heads],
        }
        assert_seen(seen, expected)


@pytest.mark.parametrize("case", ["dnc", "dnc-all-options"])
def test_dnc_shows_what_its_transcription_writes_and_reads(case: str) -> None:
    cell: Any = make_case(case)
    weights = weights_of(cell)
    options = CASES[case][1]
    names = ("masks", "deallocation", "sharpening", "interface_norm")
    setting = dnc_reference.Setting(
        *(cell.memory_size, cell.word_size, cell.num_read_heads),
        *(options.get(name, False) for name in names),
    )
    state = cell.initial_state(1)
    theirs = dnc_reference.Reference(*row(state))
    for x in torch.randn(4, 1, INPUT_SIZE, dtype=torch.float64):
        _, state, seen = cell.trace(x, state)
        entering = np.concatenate([x[0].numpy(), theirs.reads.flatten()])
        hidden, _ = ntm_reference.control(entering, theirs.controller, weights)
        flat = weights["interface.weight"] @ hidden + weights["interface.bias"]
        if setting.interface_norm:
            flat = dnc_reference.normed(flat, weights)
        numbers = flat.tolist()
        heads = [
            dnc_reference.take_read_head(numbers, setting) for _ in range(setting.num_read_heads)
        ]
        write = dnc_reference.take_write_head(numbers, setting)
        _, theirs = dnc_reference.step(x[0].numpy(), theirs, weights, setting)
        expected = {
            "read_keys": [head.key for head in heads],
            "write_keys": write.key,
            "read_values": theirs.reads,
            "write_values": write.vector,
            "read_weights": theirs.read_weights,
            "write_weights": theirs.write_weights,
            "usage": theirs.usage,
            "links": theirs.links,
            "free_gates": [head.free for head in heads],
            "allocation_gate": write.allocate,
            "write_gate": write.gate,
        }
        assert_seen(seen, expected)
