from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import LinearSchedule

from agents import MemoryA2C, MemoryPPO
from agents.algorithms.buffer import Batch, MemoryRolloutBuffer
from tests.agents.toy_envs import RandomEnv, sync

STEPS = 8
ROWS = 4


def _model(algorithm: Any = MemoryPPO, **kwargs: Any) -> Any:
    """A model with a rollout, whose optimizer is plain gradient descent."""
    space = spaces.MultiDiscrete([3, 2])
    env = sync(lambda: RandomEnv(spaces.Discrete(5), space), ROWS)
    if algorithm is MemoryPPO:
        kwargs = {"batch_size": STEPS * ROWS, "n_epochs": 1, **kwargs}
    policy_kwargs = {
        "memory": "gru",
        "memory_kwargs": {"hidden_size": 8},
        "optimizer_class": torch.optim.SGD,
        "optimizer_kwargs": {},
    }
    model = algorithm(
        "MemoryPolicy",
        env,
        **{"n_steps": STEPS, "learning_rate": 0.1, "seed": 0, "max_grad_norm": 1e9, **kwargs},
        policy_kwargs=policy_kwargs,
    )
    model.rollout()
    return model


def _parameters(model: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.policy.parameters()])


def _descend(model: Any, loss: Callable[[Any, Any], Any], rate: float = 0.1) -> torch.Tensor:
    """The parameters after one step of gradient descent on a loss of (batch, evaluation)."""
    twin = copy.copy(model)
    twin.policy = copy.deepcopy(model.policy)
    batch = model.rollout_buffer.chunks()
    parameters = list(twin.policy.parameters())
    gradients = torch.autograd.grad(loss(batch, twin.evaluate_batch(batch)), parameters)
    return torch.cat(
        [(p - rate * g).detach().flatten() for p, g in zip(parameters, gradients, strict=True)]
    )


def _shift_old(model: Any) -> None:
    """Makes the rollout look as if it came from another policy, so that clipping matters."""
    generator = torch.Generator().manual_seed(0)
    data = model.rollout_buffer.data
    data.log_probs.add_(torch.randn(data.log_probs.shape, generator=generator), alpha=0.4)
    data.values.add_(torch.randn(data.values.shape, generator=generator))


def test_one_update_of_ppo_is_the_papers_equation() -> None:
    model = _model(ent_coef=0.01, vf_coef=0.7, clip_range=0.3, clip_range_vf=0.5)
    _shift_old(model)
    # `train` does so, too; a second time changes nothing.
    model.policy.critic.track(model.rollout_buffer.returns)

    def loss(batch: Any, now: Any) -> Any:
        a = batch.advantages
        a = (a - a.mean()) / (a.std() + 1e-8)
        ratio = torch.exp(now.log_probs - batch.old_log_probs)
        # Schulman et al. 2017, eq. 7, written out case by case.
        clipped = torch.where(ratio > 1.3, 1.3, torch.where(ratio < 0.7, 0.7, ratio))
        surrogate = torch.where(a * clipped < a * ratio, a * clipped, a * ratio)
        change = now.values - batch.old_values
        change = torch.where(change > 0.5, 0.5, torch.where(change < -0.5, -0.5, change))
        value_error = (batch.old_values + change - batch.returns) ** 2
        # The returns are normalised with the deviation of the first rollout.
        value_error = value_error / batch.returns.var(correction=0)
        return (-surrogate + 0.7 * value_error - 0.01 * now.entropy).mean()

    expected = _descend(model, loss)
    model.train()
    torch.testing.assert_close(_parameters(model), expected, atol=1e-6, rtol=1e-5)


def test_one_update_of_a2c_is_the_papers_equation() -> None:
    model = _model(MemoryA2C, ent_coef=0.02, vf_coef=0.3)

    def loss(batch: Any, now: Any) -> Any:
        value_error = (now.values - batch.returns) ** 2
        surrogate = batch.advantages * now.log_probs
        return (-surrogate + 0.3 * value_error - 0.02 * now.entropy).mean()

    expected = _descend(model, loss)
    model.train()
    torch.testing.assert_close(_parameters(model), expected, atol=1e-6, rtol=1e-5)


def test_clipping_matters_in_the_test_above() -> None:
    clipped, free = _model(clip_range=0.3), _model(clip_range=100.0)
    for model in (clipped, free):
        _shift_old(model)
        model.train()
    assert not torch.allclose(_parameters(clipped), _parameters(free))


def test_the_gradients_norm_is_limited() -> None:
    model = _model(max_grad_norm=0.05, normalize_value=False)
    before = _parameters(model)
    model.train()
    moved = (_parameters(model) - before).norm()
    assert moved.item() == pytest.approx(0.1 * 0.05, rel=1e-3)


def test_a2c_takes_one_step_and_ppo_one_per_minibatch_and_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[int] = []
    models = [
        (_model(n_epochs=3, batch_size=2 * STEPS), 3 * 2, 3),
        (_model(n_epochs=2, batch_size=2 * 4, bptt=4), 2 * 4, 2),
        (_model(MemoryA2C, bptt=2), 1, 1),
    ]
    for model, minibatches, updates in models:
        steps.clear()
        monkeypatch.setattr(model, "_optimize", lambda loss: steps.append(1))
        model.train()
        assert len(steps) == minibatches
        assert model._n_updates == updates


@pytest.mark.parametrize(("excess", "steps"), [(0.99, 3), (1.01, 0)])
def test_target_kl_ends_an_update_before_the_step(
    monkeypatch: pytest.MonkeyPatch, excess: float, steps: int
) -> None:
    model = _model(n_epochs=3)
    _shift_old(model)
    batch = model.rollout_buffer.chunks()
    log_ratio = (model.evaluate_batch(batch).log_probs - batch.old_log_probs).detach()
    kl = float((log_ratio.exp() - 1 - log_ratio).mean())  # Schulman's k3 estimate
    model.target_kl = kl / 1.5 / excess
    taken: list[Any] = []
    monkeypatch.setattr(model, "_optimize", taken.append)  # the policy stays, and so does the KL
    logged = _logged(monkeypatch)
    model.train()
    assert len(taken) == steps
    assert model._n_updates == max(steps, 1)
    assert logged["train/approx_kl"] == pytest.approx(kl, rel=1e-4)


def test_the_first_minibatch_is_not_clipped(monkeypatch: pytest.MonkeyPatch) -> None:
    logged = _logged(monkeypatch)
    _model().train()
    assert logged["train/approx_kl"] == pytest.approx(0.0, abs=1e-6)
    assert logged["train/clip_fraction"] == 0.0


def test_ratios_beyond_either_end_count_as_clipped(monkeypatch: pytest.MonkeyPatch) -> None:
    logged, model = _logged(monkeypatch), _model(clip_range=0.3)
    _shift_old(model)
    batch = model.rollout_buffer.chunks()
    ratio = (model.evaluate_batch(batch).log_probs - batch.old_log_probs).detach().exp()
    low, high = (ratio < 0.7).float().mean(), (ratio > 1.3).float().mean()
    assert min(low, high) > 0
    model.train()
    assert logged["train/clip_fraction"] == pytest.approx(float(low + high))


def _logged(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    logged: dict[str, Any] = {}
    monkeypatch.setattr(
        Logger, "record", lambda _, key, value, exclude=None: logged.update({key: value})
    )
    return logged


def test_the_logs_have_sb3s_names(monkeypatch: pytest.MonkeyPatch) -> None:
    logged = _logged(monkeypatch)
    _model(clip_range_vf=0.2).train()
    names = {
        *("approx_kl", "clip_fraction", "clip_range", "clip_range_vf", "entropy_loss"),
        *("explained_variance", "learning_rate", "loss", "n_updates", "policy_gradient_loss"),
        "value_loss",
    }
    assert set(logged) == {f"train/{name}" for name in names}
    assert all(np.isfinite(value) for value in logged.values())
    logged.clear()
    _model(MemoryA2C).train()
    names = {"entropy_loss", "explained_variance", "learning_rate", "n_updates", "policy_loss"}
    assert set(logged) == {f"train/{name}" for name in (*names, "value_loss")}


def test_logs_are_means_over_the_minibatches(monkeypatch: pytest.MonkeyPatch) -> None:
    logged, model = _logged(monkeypatch), _model(batch_size=STEPS)
    monkeypatch.setattr(model, "_optimize", lambda loss: None)  # all see the same policy
    model.train()
    whole = model.losses(model.rollout_batch())
    for name in ("value", "entropy"):
        assert logged[f"train/{name}_loss"] == pytest.approx(whole[name].item(), rel=1e-4)


def test_explained_variance_is_sb3s(monkeypatch: pytest.MonkeyPatch) -> None:
    from stable_baselines3.common.utils import explained_variance

    logged = _logged(monkeypatch)
    model = _model()
    buffer = model.rollout_buffer
    values, returns = buffer.data.values.numpy().ravel(), buffer.returns.numpy().ravel()
    expected = explained_variance(values, returns)
    model.train()
    assert logged["train/explained_variance"] == pytest.approx(expected, rel=1e-4)


def test_schedules_follow_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    logged = _logged(monkeypatch)
    model = _model(
        learning_rate=LinearSchedule(0.4, 0.0, 1.0),
        clip_range=lambda progress: 0.2 * progress,
        clip_range_vf=lambda progress: 0.4 * progress,
    )
    model._update_current_progress_remaining(1, 4)
    model.train()
    assert logged["train/learning_rate"] == pytest.approx(0.3)
    assert model.optimizer.param_groups[0]["lr"] == pytest.approx(0.3)
    assert logged["train/clip_range"] == pytest.approx(0.15)
    assert logged["train/clip_range_vf"] == pytest.approx(0.3)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 64])
@pytest.mark.parametrize("bptt", [None, 2])
def test_the_default_minibatches_suit_any_number_of_rows(
    monkeypatch: pytest.MonkeyPatch, rows: int, bptt: int | None
) -> None:
    env = sync(lambda: RandomEnv(spaces.Discrete(5), spaces.Discrete(2)), rows)
    policy_kwargs = {"memory_kwargs": {"hidden_size": 8}}
    model: Any = MemoryPPO(
        "MemoryPolicy", env, n_steps=STEPS, bptt=bptt, n_epochs=1, policy_kwargs=policy_kwargs
    )
    sizes: list[int] = []
    evaluate_batch = model.evaluate_batch

    def counted(batch: Any) -> Any:
        sizes.append(batch.advantages.numel())
        return evaluate_batch(batch)

    monkeypatch.setattr(model, "evaluate_batch", counted)
    model.learn(rows * STEPS)
    assert sum(sizes) == rows * STEPS
    chunks = rows * STEPS // (bptt or STEPS)
    assert len(sizes) == (4 if chunks % 4 == 0 else -(-chunks // max(1, chunks // 4)))


def test_the_unit_of_the_rewards_does_not_matter() -> None:
    units = (1.0, 1024.0)  # a power of two, so that nothing is rounded otherwise
    models = [_model(n_epochs=5) for _ in units]
    for model, unit in zip(models, units, strict=True):
        buffer = model.rollout_buffer
        buffer.data.rewards.mul_(unit)
        buffer.data.values.mul_(unit)
        buffer.advantages, buffer.returns = unit * buffer.advantages, unit * buffer.returns
        with torch.no_grad():
            for parameter in model.policy.critic.mlp[-1].parameters():
                parameter.mul_(unit)
        model.train()
    batch = models[0].rollout_batch()
    with torch.no_grad():
        first, second = (model.evaluate_batch(batch) for model in models)
    torch.testing.assert_close(second.values / units[1], first.values)
    torch.testing.assert_close(second.log_probs, first.log_probs)


def test_a_small_last_minibatch_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="the last minibatch of each epoch has 8 transitions"):
        _model(batch_size=3 * STEPS)


def test_a_minibatch_larger_than_the_rollout_is_the_rollout() -> None:
    model = _model(batch_size=2 * STEPS * ROWS)
    model.train()
    assert model._n_updates == 1


def test_optimizers() -> None:
    env = sync(lambda: RandomEnv(spaces.Discrete(5), spaces.Discrete(2)), 1)
    for kwargs, expected in (
        ({}, torch.optim.RMSprop),
        ({"use_rms_prop": False}, torch.optim.Adam),
        ({"policy_kwargs": {"optimizer_class": torch.optim.SGD}}, torch.optim.SGD),
    ):
        given = copy.deepcopy(kwargs)
        model = MemoryA2C("MemoryPolicy", env, **kwargs)
        assert type(model.optimizer) is expected
        assert kwargs == given, "the caller's arguments were changed"


def test_a_rollout_is_cut_into_chunks_once_however_many_epochs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = _model(n_epochs=3)
    cuts = 0
    cut = MemoryRolloutBuffer.chunks

    def counted(buffer: MemoryRolloutBuffer) -> Batch:
        nonlocal cuts
        cuts += 1
        return cut(buffer)

    monkeypatch.setattr(MemoryRolloutBuffer, "chunks", counted)
    model.learn(2 * model.n_steps * model.n_envs)
    assert cuts == 2
