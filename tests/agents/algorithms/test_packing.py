"""Streams in shared columns: each is there whole, below others, and little is padded."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.algorithms.packing import Packed, in_parts, pack
from memory_envs.stream import StreamBatch


def _batch(sizes: list[int], parts: int = 0, seed: int = 0) -> StreamBatch:
    rng = np.random.default_rng(seed)
    shape = (max(sizes), len(sizes))
    inside = np.arange(max(sizes))[:, None] < np.array(sizes)
    mask = (rng.random(shape) < 0.5) & inside
    wide = shape if not parts else (*shape, parts)
    targets = rng.integers(1, 9, wide) * (mask if not parts else mask[..., None])
    inputs = rng.integers(1, 99, (*shape, 3)) * inside[..., None]
    lengths = np.ones(len(sizes), np.int64)
    return StreamBatch(inputs, targets, mask, np.array(sizes, np.int64), lengths)


def _unpacked(packed: Packed, row: int) -> tuple[Any, ...]:
    times, columns = np.nonzero(packed.rows == row)
    assert len(set(columns.tolist())) == 1
    assert times.tolist() == list(range(times[0], times[0] + len(times)))
    assert packed.starts[times, columns].tolist() == [True] + [False] * (len(times) - 1)
    return tuple(part[times, columns] for part in packed[:3])


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(0, 2))
def test_every_stream_is_there_whole_and_nothing_else(sizes: list[int], parts: int) -> None:
    batch = _batch(sizes, parts)
    packed = pack(batch)
    for row, size in enumerate(sizes):
        for found, wanted in zip(_unpacked(packed, row), batch[:3], strict=True):
            np.testing.assert_array_equal(found, wanted[:size, row])
            assert found.dtype == wanted.dtype
    nothing = packed.rows < 0
    assert (~nothing).sum() == sum(sizes)
    assert packed.starts.sum() == len(sizes)
    assert not packed.due[nothing].any()
    assert not packed.inputs[nothing].any()
    assert len(packed.rows) <= 2 * max(sizes)


def test_streams_of_one_length_stay_side_by_side() -> None:
    batch = _batch([7] * 12)
    packed = pack(batch)
    for found, wanted in zip(packed[:3], batch[:3], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert packed.starts[0].all()


def test_little_of_babi_is_padding() -> None:
    env: Any = gym.make_vec("Stream-bAbI-v0", num_envs=128, split="test", level="sentence")
    for seed in range(0, 1280, 128):
        env.reset(seed=seed)
        batch = env.unwrapped.batch()
        packed = pack(batch)
        assert batch.sizes.sum() < 0.5 * len(batch.mask) * 128
        assert (packed.rows < 0).mean() < 0.1


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 80))
def test_parts_are_as_large_as_they_may_be(sizes: list[int], most: int) -> None:
    batch = _batch(sizes)
    parts = list(in_parts(batch, most))
    assert np.concatenate([part.sizes for part in parts]).tolist() == sizes
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        total = int(part.sizes.sum())
        assert total <= most or len(part.sizes) == 1
        assert following is None or total + following.sizes[0] > most
        assert len(part.mask) == part.sizes.max()
    column = 0
    for part in parts:
        rows = len(part.sizes)
        wanted = batch.inputs[: len(part.mask), column : column + rows]
        np.testing.assert_array_equal(part.inputs, wanted)
        column += rows


@pytest.mark.parametrize("memory", ["lstm", "gru", "dnc", "salu", "mnm-p"])
def test_what_a_stream_shares_its_column_with_does_not_matter(memory: str) -> None:
    import torch

    from agents import Supervised, make_vec_env
    from agents.algorithms.supervised import answer, as_streams

    env = make_vec_env("Stream-Copy-v0", 9, max_length=6, bits=2)
    policy_kwargs = {"memory": memory, "net_arch": []}
    model = Supervised("MemoryPolicy", env, seed=1, policy_kwargs=policy_kwargs)
    model.rollout()
    inner: Any = env.env
    drawn = inner.batch()
    packed = pack(drawn)
    assert packed.rows.shape[1] < 9
    with torch.no_grad():
        together = answer(model.policy, as_streams(packed, model.device))[0].probs()
        for row, alone in enumerate(in_parts(drawn, 1)):
            one = answer(model.policy, as_streams(pack(alone), model.device))[0].probs()
            mine = packed.rows[packed.due] == row
            torch.testing.assert_close(together[mine], one)
