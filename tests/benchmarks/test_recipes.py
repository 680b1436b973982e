"""The recipes for agents in the style of other libraries; see tests/third_party for the others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Categorical

from agents.benchmark.suites import Task
from agents.benchmark.trial import Trial
from benchmarks.recipes import cleanrl
from benchmarks.recipes.common import Seeded
from memory_envs.scoring.policy import Turn


@pytest.mark.parametrize("env_id", ["Tape-Copy-Easy-v0", "Stream-AssociativeRecall-v0"])
def test_cleanrl_keeps_to_its_budget_and_its_seed(
    env_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanrl, "STEPS", 16)
    trials = [Trial(Task("one", env_id, timesteps=600), 0, tmp_path) for _ in range(2)]
    for trial in trials:
        cleanrl.ppo_lstm(trial)
        assert trial.steps == 2 * 16 * 16
        assert len(trial.curve) == 2
    assert trials[0].curve == trials[1].curve


def test_cleanrl_learns_from_what_it_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first minibatch of an update finds the probabilities of the rollout again."""
    monkeypatch.setattr(cleanrl, "STEPS", 16)
    seeds: list[int] = []
    missed: list[float] = []
    ends: list[Any] = []
    heeded: list[bool] = []
    loss_of, make_vec, agent_step = cleanrl.loss_of, Trial.make_vec, cleanrl.Agent.step

    def noted(policy: Any, value: Any, chosen: Any, logprobs: Any, gain: Any, returns: Any) -> Any:
        # Returns are advantages and the values as they were.
        pairs = (policy.log_prob(chosen), logprobs), (value, returns - gain)
        missed.append(max((now - then).abs().max().item() for now, then in pairs))
        return loss_of(policy, value, chosen, logprobs, gain, returns)

    def made(trial: Trial, *arguments: Any, **kwargs: Any) -> Any:
        env: Any = make_vec(trial, *arguments, **kwargs)
        reset = env.reset

        def reset_with(seed: int) -> Any:
            seeds.append(seed)
            return reset(seed=seed)

        env.reset = reset_with
        step = env.step

        def step_with(actions: Any) -> Any:
            found = step(actions)
            ends[:] = [found[2] | found[3]]
            return found

        env.step = step_with
        return env

    def stepped(agent: Any, seen: Any, starts: Any, state: Any) -> Any:
        if ends and not torch.is_grad_enabled():  # in a rollout
            heeded.append(bool((starts.numpy() == ends[0]).all()))
        return agent_step(agent, seen, starts, state)

    monkeypatch.setattr(cleanrl.Agent, "step", stepped)
    monkeypatch.setattr(cleanrl, "loss_of", noted)
    monkeypatch.setattr(Trial, "make_vec", made)
    monkeypatch.setattr(Trial, "report", lambda trial, policy: None)
    trial = Trial(Task("one", "Tape-Copy-Easy-v0", timesteps=1000), 0, tmp_path)
    cleanrl.ppo_lstm(trial)
    each = cleanrl.EPOCHS * cleanrl.MINIBATCHES
    assert len(missed) == 3 * each
    assert max(missed[::each]) < 1e-5 < max(missed)
    assert seeds == [trial.env_seed]
    assert len(heeded) == 3 * 17 - 1
    assert all(heeded)  # what begins forgets, at the beginning of a rollout, too


def test_cleanrls_steps_by_hand() -> None:
    torch.manual_seed(0)
    agent = cleanrl.Agent(3, 4)
    seen, starts = torch.randn(5, 2, 3), torch.zeros(5, 2)
    starts[2, 1] = 1
    new = torch.zeros(2, cleanrl.HIDDEN)
    policy, value = agent.unroll(seen, starts, (new, new))
    alone, of_alone = agent.unroll(seen[2:, 1:], torch.zeros(3, 1), (new[:1], new[:1]))
    torch.testing.assert_close(policy.logits[2:, 1:], alone.logits)
    torch.testing.assert_close(value[2:, 1:], of_alone)
    turn = Turn(seen[0].numpy(), np.ones(2, np.bool_), None, np.arange(2, dtype=np.uint64))
    actions, _ = cleanrl.best_actions(agent)(turn, None)
    assert actions.tolist() == policy.probs[0].argmax(dim=1).tolist()


def test_cleanrls_advantages_by_hand() -> None:
    rewards, values, after = torch.rand(4, 1), torch.rand(4, 1), torch.rand(1)
    done = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])[:, None]  # two episodes of two steps
    found = cleanrl.estimate(rewards, values, done, after)[:, 0]
    factor, following = cleanrl.GAMMA * cleanrl.GAE_LAMBDA, [values[1], 0 * after, values[3], after]
    errors = [rewards[t] + cleanrl.GAMMA * following[t] - values[t] for t in range(4)]
    expected = [errors[0] + factor * errors[1], errors[1], errors[2] + factor * errors[3]]
    torch.testing.assert_close(found, torch.cat([*expected, errors[3]]))


def test_cleanrls_loss_is_ppos() -> None:
    """Where a ratio has left the trust region for the better, it has no gradient any more."""
    logits = torch.zeros(4, 2, requires_grad=True)
    chosen, gain = torch.zeros(4, dtype=torch.long), torch.tensor([1.0, 1.0, -1.0, -1.0])
    logprobs = torch.log(torch.tensor([0.5 / 2, 0.5 / 0.5, 0.5 / 2, 0.5 / 0.5]))
    value = torch.zeros(4, requires_grad=True)
    policy = Categorical(logits=logits)
    loss: Any = cleanrl.loss_of(policy, value, chosen, logprobs, gain, gain)
    ratios = torch.tensor([1.2, 0.5, 2.0, 0.8])
    scaled = gain / (gain.std() + 1e-8)
    expected = -(ratios * scaled).mean() + 0.5 * cleanrl.VALUE - cleanrl.ENTROPY * np.log(2)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.ne(0).any(dim=1).tolist() == [False, True, True, False]


def test_a_first_seed_is_the_trials(tmp_path: Path) -> None:
    trial = Trial(Task("one", "Tape-Copy-Easy-v0", timesteps=600), 3, tmp_path)
    env, twin = Seeded(trial.make(), trial.env_seed), trial.make()
    assert env.reset(seed=0)[0] == twin.reset(seed=trial.env_seed)[0]
    for _ in range(20):  # the next episodes go on
        assert env.reset()[0] == twin.reset()[0]


@pytest.mark.slow
def test_cleanrl_learns(tmp_path: Path) -> None:
    trial = Trial(Task("one", "Tape-Copy-Easy-v0", timesteps=100_000), 0, tmp_path)
    score = trial.judge(cleanrl.ppo_lstm(trial)).score
    assert score is not None
    assert score > 0.5
