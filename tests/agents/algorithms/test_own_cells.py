"""Cells that no algorithm has heard of: with own losses, gradients in a step, large states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

import agents
from agents import MemoryA2C, MemoryPPO, Reinforce
from agents.cells.state import state_tensors
from tests.agents.cells.toy_cells import STATE_BYTES, TOYS, Predictor
from tests.agents.toy_envs import RandomEnv, sync

ARGUMENTS: dict[Any, dict[str, Any]] = {
    MemoryPPO: {"n_steps": 8, "batch_size": 16, "n_epochs": 2, "bptt": 4, "learning_rate": 0.01},
    MemoryA2C: {"n_steps": 8, "bptt": 4, "learning_rate": 0.01},
    Reinforce: {"bptt": 4, "learning_rate": 0.01},
}


def make_model(toy: str, algorithm: Any, **memory_kwargs: Any) -> Any:
    space = spaces.Box(-1.0, 1.0, (3,), np.float32)
    kwargs = {"memory": TOYS[toy], "memory_kwargs": memory_kwargs, "encoder_size": 4}
    return algorithm(
        "MemoryPolicy",
        sync(lambda: RandomEnv(space, spaces.Discrete(3)), 4),
        policy_kwargs=kwargs,
        seed=0,
        **ARGUMENTS[algorithm],
    )


@pytest.mark.parametrize("algorithm", ARGUMENTS)
@pytest.mark.parametrize("toy", TOYS)
def test_it_learns_is_saved_and_loaded(toy: str, algorithm: Any, tmp_path: Path) -> None:
    model = make_model(toy, algorithm)
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    model.learn(100)
    changed = {
        name for name, x in model.policy.named_parameters() if not torch.equal(x, before[name])
    }
    cell = {name for name, _ in model.policy.named_parameters() if "network.memory" in name}
    assert cell
    assert cell <= changed, "every parameter of the cell learns"
    model.save(tmp_path / "model.zip")
    loaded = agents.load(tmp_path / "model.zip")
    obs, state, other = np.ones((2, 3), np.float32), None, None
    for _ in range(3):
        action, state = model.predict(obs, state, deterministic=True)
        again, other = loaded.predict(obs, other, deterministic=True)
        assert np.array_equal(action, again)
        for x, y in zip(state_tensors(state), state_tensors(other), strict=True):
            assert torch.equal(x, y)


@pytest.mark.parametrize("algorithm", ARGUMENTS)
@pytest.mark.parametrize("toy", TOYS)
def test_the_ratio_is_one_before_the_first_step(toy: str, algorithm: Any) -> None:
    model = make_model(toy, algorithm)
    batch = model.rollout()
    steps = batch.steps if algorithm is Reinforce else batch
    now = model.evaluate_batch(steps)
    ratio = (now.log_probs - steps.old_log_probs).exp()
    assert (steps.episode_starts[1:]).any(), "episodes start within chunks"
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0, atol=1e-5)


@pytest.mark.parametrize("algorithm", ARGUMENTS)
def test_a_cell_s_own_loss_is_added_with_its_weight(algorithm: Any) -> None:
    totals = {}
    for weight in (0.0, 0.5, 1.0):
        model = make_model("loss", algorithm, weight=weight)
        losses = model.losses(model.rollout())
        totals[weight] = model.total_loss(losses)
        assert bool(losses["memory_prediction"] > 0) == (weight > 0)
    step = totals[0.5] - totals[0.0]
    assert step > 1e-3
    torch.testing.assert_close(totals[1.0] - totals[0.5], step)
    cell = model.policy.network.memory
    assert isinstance(cell, Predictor)
    (gradient,) = torch.autograd.grad(totals[1.0], cell.guess.weight)
    assert gradient.abs().sum() > 0, "which nothing else reaches"


def test_a_large_state_is_kept_once_for_each_chunk() -> None:
    model = make_model("layers", MemoryPPO)
    batch = model.rollout()
    kept = sum(x.nbytes for x in state_tensors(batch.state))
    chunks = 2 * 4  # of 4 rows
    size = 2 * STATE_BYTES * chunks  # the actor's and the critic's
    assert size <= kept < 1.1 * size
    counter = batch.state.actor[1]
    assert counter.dtype == torch.int64
    assert (counter[4:] > 0).any(), "the counter goes on from chunk to chunk"


@pytest.mark.parametrize("algorithm", ARGUMENTS)
def test_a_rollout_stays_what_it_was_when_another_is_played(algorithm: Any) -> None:
    model = make_model("loss", algorithm)
    model.bptt = model.rollout_buffer.bptt = None
    batch = model.rollout()
    steps = batch.steps if algorithm is Reinforce else batch
    before = [x.clone() for x in (steps.observations, steps.actions, steps.old_values)]
    model.rollout()
    for x, y in zip(before, (steps.observations, steps.actions, steps.old_values), strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize("norm", [0.0, -0.5, float("nan")])
def test_a_gradient_is_not_turned_round(norm: float) -> None:
    env = sync(lambda: RandomEnv(spaces.Box(-1.0, 1.0, (3,), np.float32), spaces.Discrete(3)), 1)
    with pytest.raises(ValueError, match=r"max_grad_norm is .*; allowed: numbers above 0"):
        MemoryA2C("MemoryPolicy", env, max_grad_norm=norm)
