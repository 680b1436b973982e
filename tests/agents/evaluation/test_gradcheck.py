"""The exact gradient check agrees with right algorithms, and finds mistakes planted in them."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

import agents.algorithms.rl_ntm.algorithm
import agents.algorithms.rl_ntm.fast.backward
from agents import RLNTM, MemoryA2C, MemoryPolicy, MemoryPPO, Reinforce
from agents.algorithms.buffer import MemoryRolloutBuffer
from agents.algorithms.on_policy import MemoryOnPolicyAlgorithm
from agents.algorithms.rl_ntm.backend import PLAIN
from agents.algorithms.rl_ntm.baseline import OfflineBaseline
from agents.algorithms.rl_ntm.objective import Played
from agents.algorithms.rl_ntm.paper_settings import ENV_KWARGS
from agents.algorithms.rl_ntm.policy import RLNTMPolicy
from agents.algorithms.table import ALGORITHMS
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
    settings: dict[str, Any] | None = None,
    **env_kwargs: Any,
) -> Report:
    make_env = tiny_env(algorithm, seed=3, **env_kwargs)
    settings = {**ALGORITHMS[algorithm].variants[variant], **(settings or {})}
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


def test_rl_ntm_agrees_without_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RLNTM, "cpu_backend", PLAIN)
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


_RL_NTM = agents.algorithms.rl_ntm.algorithm
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
        *("rl_ntm", "online", RLNTM, "losses", "policy.time_baseline(len(advantages))"),
        *("advantages.mean(dim=1, keepdim=True)", "weight_out", NO_TAPE),
    ),
    "baseline per time step that sees its own action": Mistake(
        *("reinforce", "time", Reinforce, "_compute_advantages"),
        *("self._time_baseline()(buffer.size)", "0.5 * buffer.returns", "actor"),
    ),
    "offline baseline that sees its own action": Mistake(
        *("rl_ntm", "offline", Played, "remaining", "self.emitted()"),
        *("(self.emitted() + self.emits.long())", "weight_out", NO_TAPE),
    ),
    "critic that sees its own action": Mistake(
        *("ppo", "critic", MemoryPPO, "losses", "= batch.advantages"),
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
        *("reinforce", "none", Reinforce, "losses", '"policy": -(', '"policy": (', "actor"),
    ),
    "mask ignored in the log-probability": Mistake(
        *("reinforce", "none", MemoryPolicy, "evaluate_actions"),
        *("self.actor(unrolled.outs), masks)", "self.actor(unrolled.outs), None)", "actor"),
    ),
    "forced step counted as sampled": Mistake(
        *("rl_ntm", "all", RLNTMPolicy, "moves", ", masks)", ", None)", "bias_out", NO_TAPE),
    ),
    "memory-head move left out": Mistake(
        *("rl_ntm", "all", Categorical, "log_prob"),
        *(".sum(dim=(-2, -1))", "[..., [0, -1], :].sum(dim=(-2, -1))", "bias_out"),
    ),
    "gradient leaking into the offline baseline": Mistake(
        *("rl_ntm", "offline", RLNTM, "losses"),
        *("predicted.detach()", "predicted", "baseline", NO_TAPE),
    ),
    "gradient leaking into the critic": Mistake(
        *("a2c", "critic", MemoryA2C, "losses"),
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
        *("rl_ntm", "all", RLNTM, "losses"),
        *("-log_probs.sum", "-log_probs.detach().sum", "log_gain", NO_TAPE),
    ),
    "episode's end passed over": Mistake(
        *("reinforce", "none", MemoryRolloutBuffer, "compute_rewards_to_go"),
        *(" * ~ends[t]", "", "actor"),
    ),
    "ratio to the wrong probability": Mistake(
        *("ppo", "critic", MemoryPPO, "losses"),
        *("now.log_probs - batch", "now.log_probs + batch", "actor"),
    ),
    "backward pass of the tape with a wrong sign": Mistake(
        *("rl_ntm", "all", agents.algorithms.rl_ntm.fast.backward, "_grad_steps"),
        *("grad_entered, carried)", "grad_entered, carried._replace(read=-carried.read))"),
        "weight_out",
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


# Mistakes that leave the policy gradient right where nothing is discounted or normalised: only the
# whole training step shows them.
_GOING_ON = "self._memory_state, ends)"
_ADVANTAGES = "compute_returns_and_advantages"
STEP_MISTAKES = {
    "entropy sign": Mistake(
        *("rl_ntm", "all", RLNTM, "losses"),
        *('"entropy"] = -(', '"entropy"] = (', "bias_out", NO_TAPE),
    ),
    "discount not used": Mistake(
        *("rl_ntm", "none", RLNTM, "_returns", "self.gamma", "1.0", "bias_out", NO_TAPE),
    ),
    "kind of reward not used": Mistake(
        *("rl_ntm", "none", RLNTM, "_returns", "self.reward", '"log_prob"', "bias_out", NO_TAPE),
    ),
    "causality not used": Mistake(
        *("rl_ntm", "none", RLNTM, "_returns", "self.causality", "True", "bias_out", NO_TAPE),
    ),
    "normalisation not used": Mistake(
        *("rl_ntm", "all", RLNTM, "losses"),
        *("if self.normalize_advantage", "if False", "bias_out", NO_TAPE),
    ),
    "deviation of padding": Mistake(
        *("rl_ntm", "all", RLNTM, "losses"),
        *("advantages[running].std()", "advantages.std()", "bias_out", NO_TAPE),
    ),
    "offline baseline fitted to raw returns": Mistake(
        *("rl_ntm", "all", RLNTM, "losses"),
        *("(advantages - predicted).square()", "(self._returns(batch) - predicted).square()"),
        *("baseline", NO_TAPE),
    ),
    "offline baseline blind to the tape": Mistake(
        *("rl_ntm", "all", OfflineBaseline, "forward"),
        *("tape = F.pad(tape, (0, 2))", "tape = F.pad(0.0 * tape, (0, 2))", "baseline", NO_TAPE),
    ),
    "divided by the length too": Mistake(
        *("rl_ntm", "all", RLNTM, "losses", "played.running, played.running.shape[1]"),
        *("played.running, played.running.numel()", "bias_out", NO_TAPE),
    ),
    "last value of the state before": Mistake(
        *("a2c", "critic", MemoryOnPolicyAlgorithm, "_compute_advantages", _GOING_ON),
        *("self.policy.initial_state(len(ends)), ends)", "actor"),
    ),
    "time limit taken for an end": Mistake(
        *("ppo", "critic", MemoryOnPolicyAlgorithm, "_bootstrapped"),
        *("if self.whole_episodes or not dones.any()", "if True", "actor"),
    ),
    "lambda not used": Mistake(
        *("ppo", "critic", MemoryRolloutBuffer, _ADVANTAGES),
        *("self.gamma * self.gae_lambda * going_on", "self.gamma * going_on", "actor"),
    ),
    "advantages not normalised": Mistake(
        *("a2c", "critic", MemoryA2C, "losses"),
        *("if self.normalize_advantage", "if False", "actor"),
    ),
    "entropy sign in Reinforce": Mistake(
        *("reinforce", "value", Reinforce, "losses"),
        *('"entropy"] = -(', '"entropy"] = (', "actor"),
    ),
    "later episodes count": Mistake(
        *("reinforce", "value", Reinforce, "_first_episodes", "== 1", ">= 1", "actor"),
    ),
    "value loss of the wrong sign": Mistake(
        *(
            "a2c",
            "critic",
            MemoryA2C,
            "losses",
            "torch.nn.functional.mse",
            "-torch.nn.functional.mse",
        ),
        "critic",
    ),
}


@pytest.mark.parametrize("name", STEP_MISTAKES)
def test_a_mistake_in_a_whole_training_step_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    mistake = STEP_MISTAKES[name]
    changes: dict[str, Any] = {"policy": mistake.policy}
    if mistake.algorithm == "rl_ntm":
        changes["settings"] = {"reward": "prefix_prob"}
    elif mistake.algorithm == "a2c":  # a rollout that ends in the middle of episodes
        changes["settings"] = {"n_steps": 2, "bptt": None}
    else:  # time limits
        changes |= {"max_steps": 2, "forced_emission": False}
    assert _check(mistake.algorithm, mistake.variant, **changes).passed()
    mistake.plant(monkeypatch)
    report = _check(mistake.algorithm, mistake.variant, **changes)
    assert not report.passed()
    assert _groups(report)[mistake.group].step_error > 1e-3


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
        ("a2c", {"gamma": 1.0, "normalize_advantage": False, "bptt": None, "n_steps": 5}),
        ("ppo", {"gae_lambda": 1.0, "clip_range_vf": None, "n_steps": 2, "batch_size": 2}),
        ("reinforce", {"bptt": 1, "gamma": 0.5}),
        ("rl_ntm", {"reward": "prefix_prob", "causality": False, "gamma": 0.5}),
    ],
)
@pytest.mark.parametrize("forced", [True, False])
def test_a_whole_training_step_with_any_settings(
    algorithm: str, settings: dict[str, Any], forced: bool
) -> None:
    if algorithm == "rl_ntm":
        report = _check(algorithm, "all", policy=NO_TAPE, settings=settings)
    else:
        variant = next(iter(ALGORITHMS[algorithm].variants))
        limits: dict[str, Any] = {
            "forced_emission": forced,
            "max_steps": 2,
        }  # an end, or a time limit
        report = _check(algorithm, variant, settings=settings, **limits)
    assert report.passed(1e-9), str(report)


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_the_paper_s_agent_is_checked(controller: str) -> None:
    windows = {"input_radius": ENV_KWARGS["input_radius"]}
    make_env = tiny_env("rl_ntm", **windows)
    # With an inverse temperature of 0.01 next to nothing of the moves' gradient would be left.
    small = {"hidden_size": 3, "baseline_size": 3, "memory_size": 5, "init_std": 0.5}
    changes = {"inverse_temperature": 0.7, "controller": controller}
    model = RLNTM.paper(make_env(1), policy_kwargs=small | changes, seed=0, device="cpu")
    report = check_model(model, make_env, directions=1, variance=False)
    assert report.passed(1e-6), str(report)
    groups = _groups(report)
    assert groups["weight_read"].norm > 1e-4
    assert "log_gain" not in groups  # the paper has none, so nothing is learned there


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
    check = GradCheck(algo="reinforce", memory="gru", changes=("max_steps=2",), json=True)
    assert check.run() == 0
    reports = json.loads(capsys.readouterr().out)
    assert replace(check, seed=1).run() == 0
    other = json.loads(capsys.readouterr().out)
    assert other[0]["objective"] != reports[0]["objective"], "of other parameters"
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
