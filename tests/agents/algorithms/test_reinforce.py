from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from agents import Reinforce
from agents.algorithms.curriculum import CurriculumCallback
from agents.algorithms.time_baseline import TimeBaseline
from memory_envs import Curriculum
from tests.agents.toy_envs import RandomEnv, sync


class Lock(gym.Env[Any, Any]):
    """Three steps at most; what is seen and paid depends on all actions so far.

    Opening it (action 1 twice in a row) ends the episode.
    """

    observation_space = spaces.Discrete(4)
    action_space = spaces.Discrete(2)
    rewards = (1.0, -2.0, 0.5)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.past: list[int] = []
        return 0, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.past.append(int(action))
        reward = self.rewards[len(self.past) - 1] * (1 + action)
        opened = self.past[-2:] == [1, 1]
        return 1 + sum(self.past) % 3, reward, opened, len(self.past) == 3, {}


def _model(env: Any, **kwargs: Any) -> Any:
    kwargs = {"seed": 0, "gamma": 0.9, "max_grad_norm": 1e9, "learning_rate": 1.0, **kwargs}
    policy_kwargs = {
        "memory": "gru",
        "memory_kwargs": {"hidden_size": 4},
        "encoder_size": 4,
        "net_arch": [],
        "optimizer_class": torch.optim.SGD,
        "optimizer_kwargs": {},
    }
    return Reinforce("MemoryPolicy", env, policy_kwargs=policy_kwargs, **kwargs)


def _collect(model: Any) -> None:
    model.rollout()


def _vector(model: Any) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.policy.parameters()])


def _expected_return(policy: Any, gamma: float) -> Tensor:
    """The exact expected return of `Lock`, by enumeration of all action sequences."""
    total = torch.zeros(())
    for actions in itertools.product((0, 1), repeat=3):
        env, discount, value = Lock(), 1.0, 0.0
        obs, _ = env.reset()
        seen, taken = [], []
        for action in actions:
            seen.append(obs)
            taken.append(action)
            obs, reward, terminated, truncated, _ = env.step(action)
            value += discount * reward
            discount *= gamma
            if terminated or truncated:
                break
        # A sequence that ends early is met once per continuation.
        share = 0.5 ** (3 - len(taken))
        steps = len(taken)
        starts = torch.zeros(steps, 1, dtype=torch.bool)
        starts[0] = True
        log_probs = policy.evaluate_actions(
            torch.tensor(seen)[:, None],
            torch.tensor(taken)[:, None],
            policy.initial_state(1),
            starts,
        ).log_probs
        total = total + share * log_probs.sum().exp() * value
    return total


@pytest.mark.parametrize("baseline", ["none", "time", "value"])
def test_the_gradient_is_the_exact_one_by_enumeration(baseline: str) -> None:
    rows = 10_000 if baseline == "none" else 6_000
    model = _model(sync(Lock, 500), baseline=baseline, gamma=1.0, vf_coef=0.0)
    exact = torch.autograd.grad(
        _expected_return(model.policy, 1.0),
        list(model.policy.parameters()),
        allow_unused=True,
        materialize_grads=True,
    )
    expected = torch.cat([g.flatten() for g in exact])
    before = _vector(model)
    estimates: list[Tensor] = []
    _, callback = model._setup_learn(10**6, None)
    while len(estimates) * 500 < rows:
        model.collect_rollouts(model.env, callback)
        model.train()
        estimates.append(_vector(model) - before)  # ascent with a learning rate of one
        torch.nn.utils.vector_to_parameters(before.clone(), model.policy.parameters())
    samples = torch.stack(estimates)
    error = samples.std(dim=0) / len(estimates) ** 0.5
    z = (samples.mean(dim=0) - expected).abs() / (error + 1e-6)
    assert expected.norm() > 0.1
    # Student's t with 11 degrees of freedom is above 8 once in 150,000 draws.
    assert z.max() < 8.0
    # Sharp enough that a wrong sign, or a missing term, would show.
    assert error.norm() < 0.2 * expected.norm()


def test_rewards_to_go_by_hand() -> None:
    model = _model(sync(Lock, 64), baseline="none")
    _collect(model)
    data, returns = model.rollout_buffer.data, model.rollout_buffer.returns
    assert model.rollout_buffer.size == 3
    for row in range(64):
        actions = data.actions[:, row].tolist()
        length = 2 if actions[:2] == [1, 1] else 3
        rewards = [r * (1 + a) for r, a in zip(Lock.rewards, actions, strict=True)][:length]
        for t in range(length):
            expected = sum(0.9 ** (k - t) * rewards[k] for k in range(t, length))
            assert returns[t, row].item() == pytest.approx(expected, rel=1e-5)
    assert (data.actions[:2] == 1).all(dim=0).any()


def test_each_update_plays_one_whole_episode_per_row() -> None:
    env = sync(lambda: RandomEnv(spaces.Discrete(3), spaces.Discrete(2), max_steps=30), 5)
    model = _model(env)
    _, callback = model._setup_learn(10**6, None)
    for update in range(3):
        model.collect_rollouts(env, callback)
        data = model.rollout_buffer.data
        assert data.episode_starts[0].all()
        # It ends when the last row has finished its first episode, and not later.
        unfinished = (data.episode_starts.cumsum(0) == 1).all(dim=0)
        assert unfinished.any()
        assert model._last_episode_starts[unfinished.numpy()].all()
        assert len(model.ep_info_buffer) == 5 * (update + 1)


def test_a_curriculum_counts_the_episodes_that_are_learned_from() -> None:
    class Count(Curriculum):
        counted = 0

        def record(self, errors: Iterable[float]) -> None:
            self.counted += len(list(errors))

    env = sync(lambda: RandomEnv(spaces.Discrete(3), spaces.Discrete(2), max_steps=30), 5)
    curriculum = Count(3)
    model = _model(env).learn(1, CurriculumCallback(curriculum))
    assert (model.rollout_buffer.data.episode_starts[1:]).any()
    assert curriculum.counted == 5 == len(model.ep_info_buffer)


@pytest.mark.parametrize("baseline", ["none", "time", "value"])
def test_what_early_finishers_do_afterwards_has_no_weight(baseline: str) -> None:
    moved = []
    for factor in (1.0, 100.0):
        env = sync(lambda: RandomEnv(spaces.Discrete(3), spaces.Discrete(2), max_steps=30), 4)
        model = _model(env, baseline=baseline, ent_coef=0.1)
        _collect(model)
        data = model.rollout_buffer.data
        later = data.episode_starts.cumsum(0) > 1
        assert later.any()
        data.rewards[later] *= factor
        model._compute_advantages(None, torch.ones(4, dtype=torch.bool))
        model.train()
        moved.append(_vector(model))
    torch.testing.assert_close(moved[0], moved[1])


def test_the_gradient_is_the_sum_over_steps_divided_by_the_episodes() -> None:
    model = _model(sync(Lock, 8), baseline="value", ent_coef=0.1, vf_coef=0.3)
    _collect(model)
    buffer = model.rollout_buffer
    data = buffer.data
    loss = torch.zeros(())
    value_errors, steps = torch.zeros(()), 0
    for row in range(8):
        length = 2 if data.actions[:2, row].tolist() == [1, 1] else 3
        column = slice(row, row + 1)
        now = model.policy.evaluate_actions(
            data.observations[:length, column],
            data.actions[:length, column],
            model.policy.initial_state(1),
            data.episode_starts[:length, column],
        )
        returns = buffer.returns[:length, column]
        advantages = returns - data.values[:length, column]
        loss = loss - (advantages * now.log_probs + 0.1 * now.entropy).sum() / 8
        value_errors = value_errors + (now.values - returns).square().sum()
        steps += length
    loss = loss + 0.3 * value_errors / model.policy.critic.scale.square() / steps
    parameters = list(model.policy.parameters())
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])
    before = _vector(model)
    model.train()
    torch.testing.assert_close(before - _vector(model), gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("normalize_value", [True, False])
def test_the_critic_learns_in_units_of_the_returns_of_first_episodes(normalize_value: bool) -> None:
    model = _model(sync(Lock, 8), baseline="value", normalize_value=normalize_value)
    _collect(model)
    buffer = model.rollout_buffer
    returns = buffer.returns[buffer.data.episode_starts.cumsum(0) == 1]
    expected = returns.std(correction=0).item() if normalize_value else 1.0
    assert model.policy.critic.scale.item() == pytest.approx(expected)
    unchanged = model.evaluate_batch(model.rollout_batch().steps).values
    torch.testing.assert_close(unchanged, buffer.cut(buffer.data.values))


def test_truncated_backpropagation_uses_whole_chunks() -> None:
    env = sync(lambda: RandomEnv(spaces.Discrete(3), spaces.Discrete(2), max_steps=30), 4)
    model = _model(env, bptt=4)
    _collect(model)
    assert model.rollout_buffer.size % 4 == 0
    assert (model.rollout_buffer.data.episode_starts.cumsum(0) > 1).any(dim=0).sum() >= 3
    before = _vector(model)
    model.train()
    assert not torch.equal(before, _vector(model))


def test_time_baseline_is_a_running_mean_read_before_it_is_updated() -> None:
    baseline = TimeBaseline(max_steps=5, rate=0.4)
    returns = torch.tensor([[1.0, 3.0], [5.0, 7.0], [9.0, 9.0]])
    weights = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    assert baseline(3).flatten().tolist() == [0.0, 0.0, 0.0]
    baseline.update(returns, weights)
    assert baseline.means.tolist() == [2.0, 5.0, 0.0, 0.0, 0.0]
    # The second update moves by 1/2, the third by no less than 0.4.
    assert baseline(3).flatten().tolist() == [2.0, 5.0, 0.0]
    baseline.update(returns + 4.0, weights)
    assert baseline.means.tolist() == [4.0, 7.0, 0.0, 0.0, 0.0]
    baseline.update(returns + 2.0, weights)
    torch.testing.assert_close(baseline.means[:2], torch.tensor([4.0, 7.0]))
    baseline.update(returns + 12.0, weights)
    torch.testing.assert_close(baseline.means[:2], torch.tensor([8.0, 11.0]))


def test_steps_beyond_the_time_baseline_share_its_last_mean() -> None:
    baseline = TimeBaseline(max_steps=2)
    returns = torch.tensor([[1.0, 3.0], [5.0, 7.0], [9.0, 1.0], [6.0, 8.0]])
    weights = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    assert baseline(4).flatten().tolist() == [0.0, 0.0, 0.0, 0.0]
    baseline.update(returns, weights)
    assert baseline.means.tolist() == [2.0, 7.0]
    assert baseline(4).flatten().tolist() == [2.0, 7.0, 7.0, 7.0]


def test_the_time_baseline_is_saved_with_the_model(tmp_path: Any) -> None:
    model = _model(sync(Lock, 8), baseline="time", max_episode_steps=10)
    model.learn(100)
    model.save(tmp_path / "model")
    loaded = Reinforce.load(tmp_path / "model")
    means = model.policy.time_baseline.means
    assert means[:3].abs().min() > 0
    assert torch.equal(loaded.policy.get_buffer("time_baseline.means"), means)


def test_an_endless_episode_is_an_error() -> None:
    env = sync(lambda: RandomEnv(spaces.Discrete(3), spaces.Discrete(2), 0.0, 10**9), 2)
    model = _model(env, max_episode_steps=150)
    with pytest.raises(RuntimeError, match="row 0 has not ended after max_episode_steps=150"):
        model.learn(1000)
    assert model.num_timesteps == 150 * 2


def test_episodes_longer_than_the_buffer_make_it_grow() -> None:
    env = sync(lambda: RandomEnv(spaces.Discrete(3), spaces.Discrete(2), 0.0, 300), 2)
    model = _model(env)
    _collect(model)
    assert model.rollout_buffer.size == 300
    np.testing.assert_array_equal(model.rollout_buffer.data.episode_starts.sum(0), [1, 1])


def test_bad_arguments_are_named() -> None:
    env = sync(Lock, 1)
    with pytest.raises(ValueError, match="baseline is 'valeu'; allowed: none, time, value"):
        _model(env, baseline="valeu")
    with pytest.raises(ValueError, match="max_episode_steps is 0; allowed: integers from 1 on"):
        _model(env, max_episode_steps=0)
