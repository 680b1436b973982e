from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from torch import Tensor

from agents.algorithms.buffer import MemoryRolloutBuffer, Step, minibatches


class _State(NamedTuple):
    memory: Tensor


def _step(t: int, rows: int = 3, reward: float = 0.0, value: float = 0.0) -> Step:
    """A step whose numbers say where they come from: 100 * t + row."""
    name = 100 * t + torch.arange(rows)
    return Step(
        observations={"image": name.repeat_interleave(2).view(rows, 2), "place": name},
        actions=name,
        rewards=torch.full((rows,), reward),
        episode_starts=torch.zeros(rows, dtype=torch.bool),
        values=torch.full((rows,), value),
        log_probs=name.float(),
        masks=(name % 2 == 0).unsqueeze(-1),
    )


def _filled(steps: int, bptt: int | None, capacity: int | None = None) -> MemoryRolloutBuffer:
    buffer = MemoryRolloutBuffer(capacity or steps, bptt, gamma=0.9, gae_lambda=0.8)
    for t in range(steps):
        step = _step(t)
        buffer.add(step, _State(step.actions.unsqueeze(-1)))
    buffer.compute_returns_and_advantages(torch.zeros(3), torch.zeros(3, dtype=torch.bool))
    return buffer


def _add(buffer: MemoryRolloutBuffer, reward: float, value: float, start: bool) -> None:
    step = _step(0, 1, reward, value)._replace(episode_starts=torch.tensor([start]))
    buffer.add(step, _State(torch.zeros(1, 1)))


def test_advantages_by_hand() -> None:
    gamma, lam = 0.5, 0.25
    buffer = MemoryRolloutBuffer(3, None, gamma, lam)
    _add(buffer, 1.0, 2.0, start=True)
    _add(buffer, 2.0, 4.0, start=False)  # the episode ends with this step
    _add(buffer, 3.0, 6.0, start=True)
    buffer.compute_returns_and_advantages(torch.tensor([8.0]), torch.tensor([False]))
    third = 3.0 + gamma * 8.0 - 6.0
    second = 2.0 - 4.0
    first = 1.0 + gamma * 4.0 - 2.0 + gamma * lam * second
    assert buffer.advantages.flatten().tolist() == [first, second, third]
    assert buffer.returns.flatten().tolist() == [first + 2.0, second + 4.0, third + 6.0]


def test_the_end_after_the_last_step_cuts_the_last_value() -> None:
    buffer = MemoryRolloutBuffer(1, None, 0.5, 1.0)
    _add(buffer, 1.0, 0.0, start=True)
    buffer.compute_returns_and_advantages(torch.tensor([8.0]), torch.tensor([True]))
    assert buffer.returns.item() == 1.0


@pytest.mark.parametrize(("gamma", "lam"), [(0.99, 0.95), (0.9, 1.0), (1.0, 0.0)])
def test_advantages_equal_those_of_sb3(gamma: float, lam: float) -> None:
    rng = np.random.default_rng(0)
    steps, rows = 20, 4
    space = spaces.Discrete(2)
    theirs = RolloutBuffer(steps, space, space, "cpu", lam, gamma, rows)
    ours = MemoryRolloutBuffer(steps, None, gamma, lam)
    for _ in range(steps):
        rewards, values = rng.normal(size=(2, rows)).astype(np.float32)
        starts = rng.random(rows) < 0.2
        zeros = np.zeros((rows, 1))
        theirs.add(zeros, zeros, rewards, starts, torch.as_tensor(values), torch.zeros(rows))
        step = _step(0, rows)._replace(
            rewards=torch.as_tensor(rewards),
            values=torch.as_tensor(values),
            episode_starts=torch.as_tensor(starts),
        )
        ours.add(step, _State(torch.zeros(rows, 1)))
    last_values, dones = torch.randn(rows), rng.random(rows) < 0.5
    theirs.compute_returns_and_advantage(last_values, dones)
    ours.compute_returns_and_advantages(last_values, torch.as_tensor(dones))
    np.testing.assert_allclose(ours.advantages.numpy(), theirs.advantages, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.returns.numpy(), theirs.returns, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bptt", [None, 2, 6])
def test_minibatches_are_whole_chunks_each_once(bptt: int | None) -> None:
    buffer = _filled(6, bptt)
    length = bptt or 6
    seen = []
    generator = torch.Generator().manual_seed(0)
    for batch in minibatches(buffer.chunks(), 2 * length, generator):
        steps, columns = batch.actions.shape
        assert steps == length
        assert columns <= 2
        for column in range(columns):
            names = batch.actions[:, column]
            # Consecutive steps of one row, whose chunk begins where a state was kept.
            assert (names.diff() == 100).all()
            assert int(names[0]) // 100 % length == 0
            assert batch.state[0][column].item() == names[0]
            assert isinstance(batch.observations, dict)
            assert torch.equal(batch.observations["place"][:, column], names)
            assert torch.equal(batch.observations["image"][:, column, 1], names)
            assert torch.equal(batch.old_log_probs[:, column], names.float())
            assert batch.masks is not None
            assert torch.equal(batch.masks[:, column, 0], names % 2 == 0)
            seen += names.tolist()
    assert sorted(seen) == [100 * t + row for t in range(6) for row in range(3)]


def test_the_generator_decides_the_order() -> None:
    def order(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        batches = minibatches(_filled(8, 2).chunks(), 2, generator)
        return [int(batch.actions[0, 0]) for batch in batches]

    assert order(0) == order(0) != order(1)


def test_chunks_come_in_order() -> None:
    batch = _filled(4, 2).chunks()
    assert batch.actions.tolist() == [[0, 1, 2, 200, 201, 202], [100, 101, 102, 300, 301, 302]]
    assert batch.state[0].flatten().tolist() == [0, 1, 2, 200, 201, 202]
    assert torch.equal(batch.advantages, _filled(4, 2).cut(_filled(4, 2).advantages))


def test_it_grows_and_keeps_what_it_has() -> None:
    buffer = _filled(7, None, capacity=2)
    assert buffer.capacity == 8
    expected = [[100 * t + row for row in range(3)] for t in range(7)]
    assert buffer.data.actions.tolist() == expected
    batch = buffer.chunks()
    assert isinstance(batch.observations, dict)
    assert batch.observations["image"].shape == (7, 3, 2)


def test_reset_forgets_and_keeps_the_room() -> None:
    buffer = _filled(5, None)
    buffer.reset()
    assert buffer.size == 0
    buffer.add(_step(9), _State(torch.full((3, 1), 9.0)))
    buffer.compute_returns_and_advantages(torch.zeros(3), torch.zeros(3, dtype=torch.bool))
    batch = buffer.chunks()
    assert batch.actions.tolist() == [[900, 901, 902]]
    assert batch.state[0].flatten().tolist() == [9.0, 9.0, 9.0]


def test_what_is_added_is_copied() -> None:
    buffer = MemoryRolloutBuffer(2, None, 1.0, 1.0)
    step = _step(1)
    buffer.add(step, _State(torch.zeros(3, 1)))
    step.actions.zero_()
    assert buffer.data.actions.tolist() == [[100, 101, 102]]


def test_no_memory_is_taken_before_the_first_step() -> None:
    buffer = MemoryRolloutBuffer(10**15, None, 1.0, 1.0)
    with pytest.raises(RuntimeError, match="empty; collect a rollout first"):
        buffer.chunks()
