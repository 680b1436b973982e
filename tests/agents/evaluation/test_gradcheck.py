"""The exact gradient check agrees with right algorithms, and finds mistakes planted in them."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import agents.algorithms.rl_ntm.losses
import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

import agents.algorithms.rl_ntm.fast.backward
from agents import MemoryA2C, MemoryPolicy, MemoryPPO, Reinforce
from agents.algorithms.buffer import MemoryRolloutBuffer
from agents.algorithms.rl_ntm.objective import Played
from agents.algorithms.rl_ntm.policy import RLNTMPolicy
from agents.algorithms.rl_ntm.unroll import PlainUnroll
from agents.algorithms.table import ALGORITHMS
from agents.algorithms.time_baseline import TimeBaseline
from agents.cli.gradcheck import GradCheck
from agents.evaluation.gradcheck import (
    EnumerationError,
    OneEpisodeVecEnv,
    Report,
    Sampler,
    check_gradients,
    check_model,
)
from agents.evaluation.gradcheck.sampler import OVER, enumerate_sequences
from agents.evaluation.gradcheck.tiny import tiny_env, tiny_model
from agents.networks.distributions import Categorical
from tests.agents.toy_envs import sync

ROOT = Path(__file__).parents[3]
CONTROLLERS = ("lstm", "direct_access", "feedforward")
NO_TAPE = {"memory": False}  # 20 sequences in place of 468


def _check(
    algorithm: str,
    variant: str,
    memory: str | None = None,
    policy: dict[str, Any] | None = None,
    directions: int = 0,
    variance: bool = False,
    **env_kwargs: Any,
) -> Report:
    make_env = tiny_env(algorithm, seed=3, **env_kwargs)
    settings = ALGORITHMS[algorithm].variants[variant]
    model = tiny_model(algorithm, make_env(1), memory, policy=policy, **settings)
    return check_model(model, make_env, directions=directions, variance=variance)


def _groups(report: Report) -> dict[str, Any]:
    return {group.name: group for group in report.groups}


# Agreement


@pytest.mark.parametrize("variant", ALGORITHMS["rl_ntm"].variants)
@pytest.mark.parametrize("controller", CONTROLLERS)
def test_rl_ntm_agrees_with_every_reduction_of_variance(controller: str, variant: str) -> None:
    report = _check("rl_ntm", variant, controller, NO_TAPE, directions=1)
    assert report.passed(1e-6)
    assert report.probability == pytest.approx(1.0, abs=1e-12)
    assert report.sequences == 20
    groups = _groups(report)
    assert groups["baseline"].norm == 0.0
    assert min(group.norm for name, group in groups.items() if name != "baseline") > 1e-5


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_rl_ntm_agrees_with_a_memory_tape(controller: str) -> None:
    report = _check("rl_ntm", "all", controller)
    assert report.passed(1e-6)
    assert report.sequences == 468
    assert _groups(report)["weight_read"].norm > 1e-4


def test_rl_ntm_agrees_without_the_fast_unroll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents.RLNTM, "unroll_class", PlainUnroll)
    assert _check("rl_ntm", "all", policy={"memory_radius": 0}, max_steps=2).passed(1e-6)


@pytest.mark.parametrize(
    ("algorithm", "variant", "memory"),
    [
        *(("reinforce", baseline, "lstm") for baseline in ALGORITHMS["reinforce"].variants),
        *(("a2c", "critic", memory) for memory in ("none", "gru", "ntm")),
        ("ppo", "critic", "lstm"),
    ],
)
def test_the_others_agree(algorithm: str, variant: str, memory: str) -> None:
    report = _check(algorithm, variant, memory)
    assert report.passed(1e-6)
    assert report.sequences == 255
    groups = _groups(report)
    assert groups["critic"].norm == 0.0
    assert groups["encoder"].norm > 1e-4


def test_a_baseline_changes_the_variance_and_not_the_mean() -> None:
    reports = {
        name: _check("rl_ntm", name, policy=NO_TAPE, variance=True)
        for name in ALGORITHMS["rl_ntm"].variants
    }
    for report in reports.values():
        assert max(group.bias for group in report.groups) < 1e-12
    variance = {name: report.variance or 0.0 for name, report in reports.items()}
    assert 0.0 < variance["online"] < 0.7 * variance["causality"] < 0.7 * variance["none"]


# Mistakes


class Mistake(NamedTuple):
    """A change of source code.

    Attributes:
        algorithm: in which it matters.
        variant: its baseline.
        owner: where the function is replaced.
        name: of the function.
        old: code that it holds once.
        new: what stands there instead.
        group: of parameters where it must show.
        policy: arguments of the policy.
    """

    algorithm: str
    variant: str
    owner: Any
    name: str
    old: str
    new: str
    group: str
    policy: dict[str, Any] = {}

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        function = getattr(self.owner, self.name)
        source = textwrap.dedent(inspect.getsource(function))
        assert source.count(self.old) == 1, f"{self.name} no longer holds {self.old!r} once"
        scope: dict[str, Any] = {}
        exec(source.replace(self.old, self.new), inspect.unwrap(function).__globals__, scope)
        monkeypatch.setattr(self.owner, self.name, scope[self.name])


_RL_NTM = agents.algorithms.rl_ntm.losses
_READ_AFTER = "before[:steps, 0] = self.means[:steps]\n    return before"
MISTAKES = {
    "reward-to-go off by one": Mistake(
        *("rl_ntm", "causality", _RL_NTM, "rewards_to_go"),
        *("return returns if", "return returns - rewards if", "weight_in", NO_TAPE),
    ),
    "reward-to-go off by one in the buffer": Mistake(
        *("a2c", "critic", MemoryRolloutBuffer, "compute_returns_and_advantages"),
        *("torch.cat([data.values[1:], last_values[None]])", "data.values", "actor"),
    ),
    "online baseline that sees its own action": Mistake(
        *("rl_ntm", "online", TimeBaseline, "forward"),
        *("return before", _READ_AFTER, "weight_out", NO_TAPE),
    ),
    "baseline per time step that sees its own action": Mistake(
        *("reinforce", "time", TimeBaseline, "forward", "return before", _READ_AFTER, "actor"),
    ),
    "offline baseline that sees its own action": Mistake(
        *("rl_ntm", "offline", Played, "remaining", "self.emitted()"),
        *("(self.emitted() + self.emits.long())", "weight_out", NO_TAPE),
    ),
    "critic that sees its own action": Mistake(
        *("ppo", "critic", MemoryPPO, "_epoch", "= batch.advantages"),
        *("= batch.returns - batch.old_values.roll(-1, dims=0)", "actor"),
    ),
    "forgotten temperature": Mistake(
        *("rl_ntm", "all", RLNTMPolicy, "moves"),
        *(" * self.inverse_temperature", "", "bias_out", NO_TAPE),
    ),
    "sign": Mistake(
        *("rl_ntm", "all", _RL_NTM, "reinforce_loss", "return -(", "return (", "bias", NO_TAPE),
    ),
    "sign in Reinforce": Mistake(
        *("reinforce", "none", Reinforce, "train", "policy_loss = -(", "policy_loss = (", "actor"),
    ),
    "mask ignored in the log-probability": Mistake(
        *("reinforce", "none", MemoryPolicy, "evaluate"),
        *("self.actor(features), masks)", "self.actor(features), None)", "actor"),
    ),
    "forced step counted as sampled": Mistake(
        *("rl_ntm", "all", RLNTMPolicy, "moves", ", masks)", ", None)", "bias_out", NO_TAPE),
    ),
    "memory-head move left out": Mistake(
        *("rl_ntm", "all", Categorical, "log_prob"),
        *(".sum(dim=(-2, -1))", "[..., [0, -1], :].sum(dim=(-2, -1))", "bias_out"),
    ),
    "gradient leaking into the offline baseline": Mistake(
        *("rl_ntm", "offline", _RL_NTM, "compute_losses"),
        *("predicted.detach()", "predicted", "baseline", NO_TAPE),
    ),
    "gradient leaking into the critic": Mistake(
        *("a2c", "critic", MemoryA2C, "train"),
        *("= batch.advantages", "= batch.returns - now.values", "critic"),
    ),
    "gradient leaking into the rewards": Mistake(
        *("rl_ntm", "all", _RL_NTM, "rewards"),
        *(
            '"log_prob":\n        return log_probs.detach()',
            '"log_prob":\n        return log_probs',
        ),
        *("weight_out", NO_TAPE),
    ),
    "no backpropagation into the symbols": Mistake(
        *("rl_ntm", "all", _RL_NTM, "compute_losses"),
        *("-(log_probs.sum", "-(log_probs.detach().sum", "log_gain", NO_TAPE),
    ),
    "episode's end passed over": Mistake(
        *("reinforce", "none", MemoryRolloutBuffer, "compute_returns_and_advantages"),
        *("going_on = 1.0 -", "going_on = 1.0 - 0.0 *", "actor"),
    ),
    "ratio to the wrong probability": Mistake(
        *("ppo", "critic", MemoryPPO, "_epoch"),
        *("now.log_probs - batch", "now.log_probs + batch", "actor"),
    ),
    "backward pass of the tape with a wrong sign": Mistake(
        *("rl_ntm", "all", agents.algorithms.rl_ntm.fast.backward, "_grad_steps"),
        *("grad_entered, read,", "grad_entered, -read,", "weight_out"),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    mistake = MISTAKES[name]
    mistake.plant(monkeypatch)
    shorter: dict[str, Any] = {} if mistake.algorithm == "rl_ntm" else {"max_steps": 2}
    report = _check(mistake.algorithm, mistake.variant, policy=mistake.policy, **shorter)
    assert not report.passed()
    assert report.numeric_error < 1e-6  # the exact gradient is untouched
    assert _groups(report)[mistake.group].error > 1e-3


# The parts


class Gate(gym.Env[Any, Any]):
    """Action 0 ends the episode and pays 1. Action 1 is allowed at first only; then all is over."""

    observation_space = spaces.Discrete(2)
    action_space = spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return 0, {}

    def action_masks(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.array([True, self.steps == 0, False])

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return 1, float(action == 0), action == 0 or self.steps == 2, False, {}


def _gate(rows: int) -> OneEpisodeVecEnv:
    return OneEpisodeVecEnv(sync(Gate, rows).env, seed=0)


def _play_gate(logits: Tensor) -> Any:
    def play(sampler: Sampler) -> Tensor:
        env = _gate(sampler.rows)
        env.reset()
        while sampler.running.any():
            masks = torch.as_tensor(env.action_masks())
            actions = sampler.choose(logits.expand(sampler.rows, 3), masks=masks)
            _, rewards, dones, _ = env.step(actions.numpy())
            sampler.record(rewards, dones)
        return -sampler.log_probs * sampler.returns.detach()

    return play


def test_every_sequence_is_played_once_with_its_probability() -> None:
    logits = torch.tensor([0.0, np.log(3.0), 5.0], dtype=torch.float64, requires_grad=True)
    play = _play_gate(logits)
    plan = enumerate_sequences(play)
    assert plan[:, :, 0].T.tolist() == [[0, OVER], [1, 0]]
    sampler = Sampler(plan)
    play(sampler)
    assert sampler.probabilities.tolist() == pytest.approx([0.25, 0.75])
    assert sampler.returns.tolist() == [1.0, 1.0]


def test_the_gradient_of_two_sequences_by_hand() -> None:
    # Paid 1 whatever is done: the objective is flat, and each episode's gradient is not.
    logits = torch.tensor([0.0, np.log(3.0), 5.0], dtype=torch.float64, requires_grad=True)
    report = check_gradients(_play_gate(logits), {"logits": [logits]})
    assert report.objective == pytest.approx(1.0)
    group = report.groups[0]
    assert group.norm < 1e-12
    assert group.bias < 1e-12
    # Gradients (3/4, -3/4) with probability 1/4 and (-1/4, 1/4) with 3/4.
    assert group.variance == pytest.approx(0.25 * 2 * (3 / 4) ** 2 + 0.75 * 2 * (1 / 4) ** 2)


def test_too_many_sequences_are_refused() -> None:
    make_env = tiny_env("rl_ntm")
    model = tiny_model("rl_ntm", make_env(1))
    with pytest.raises(EnumerationError, match=r"there are 468 sequences of 3 steps; allowed: 400"):
        check_model(model, make_env, limit=400)


def test_another_episode_in_each_play_is_refused() -> None:
    logits = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    plays = iter(range(9))

    def play(sampler: Sampler) -> Tensor:
        last = next(plays) // 2  # every second time, an episode is longer by a step
        for step in range(9):
            if not sampler.running.any():
                break
            sampler.choose(logits.expand(sampler.rows, 2))
            sampler.record(torch.ones(sampler.rows), torch.full((sampler.rows,), step >= last))
        return sampler.log_probs

    with pytest.raises(EnumerationError, match="the same episode every time"):
        check_gradients(play, {"logits": [logits]})


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("a2c", {"gamma": 0.9}),
        ("ppo", {"normalize_advantage": True}),
        ("reinforce", {"bptt": 1}),
        ("rl_ntm", {"reward": "prefix_prob"}),
    ],
)
def test_settings_with_another_gradient_are_refused(
    algorithm: str, settings: dict[str, Any]
) -> None:
    make_env = tiny_env(algorithm)
    model = tiny_model(algorithm, make_env(1), **settings)
    with pytest.raises(ValueError, match=next(iter(settings))):
        check_model(model, make_env)


def test_an_estimate_at_a_time_limit_is_refused() -> None:
    with pytest.raises(EnumerationError, match="time limit"):
        _check("a2c", "critic", forced_emission=False)
    assert _check("reinforce", "none", forced_emission=False, max_steps=2).passed()


def test_a_checked_model_is_as_it_was() -> None:
    make_env = tiny_env("ppo")
    model = tiny_model("ppo", make_env(1))
    before = dict(vars(model))
    parameters = [parameter.clone() for parameter in model.policy.parameters()]
    generator = model.generator.get_state()
    assert check_model(model, make_env, directions=0, variance=False).passed()
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
    assert torch.equal(model.generator.get_state(), generator)
    for parameter, old in zip(model.policy.parameters(), parameters, strict=True):
        assert torch.equal(parameter, old)
        assert parameter.dtype == torch.float32
        assert parameter.grad is None


# The command and the page


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert GradCheck(algo="reinforce", memory="gru", changes=("max_steps=2",), json=True).run() == 0
    reports = json.loads(capsys.readouterr().out)
    assert [report["title"] for report in reports] == [
        f"reinforce, baseline {name}" for name in ("none", "time", "value")
    ]
    assert all(report["passed"] and report["error"] < 1e-6 for report in reports)


def test_the_command_fails_where_a_gradient_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    MISTAKES["ratio to the wrong probability"].plant(monkeypatch)
    assert GradCheck(algo="ppo", changes=("max_steps=2",)).run() == 1
    assert "FAILED" in capsys.readouterr().out


def test_the_page_s_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "gradcheck.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(source, {"__name__": "example"})
    assert "passed" in capsys.readouterr().out
    wrong = source.replace("return -log_prob * total", "return -log_prob * (total + log_prob)")
    assert wrong != source
    with pytest.raises(AssertionError):
        exec(wrong, {"__name__": "example"})
