"""Agents that are right pass; each planted bug is found by the check that names its cause."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.algorithms.a2c import MemoryA2C
from agents.algorithms.ppo import MemoryPPO
from agents.algorithms.reinforce import Reinforce
from agents.evaluation.conformance import CHECKS, Adapter, Report, check_recurrent
from agents.evaluation.conformance.probe import SIZE, ProbeEnv, Probes
from agents.evaluation.conformance.recurrent_ppo import adapter_of
from agents.networks.policy import MemoryPolicy
from tests.agents.cells.cases import MNM_SIZES, TITANS_SIZES
from tests.agents.evaluation.conformance import bugs
from tests.agents.evaluation.conformance.toy import Toy


def report_on(kind: type[Toy]) -> Report:
    return check_recurrent(lambda *made_of: kind(*made_of).adapter(), name=kind.__name__)


def test_a_right_agent_passes_every_check() -> None:
    report = report_on(Toy)
    assert report.failed == ()
    assert report.not_checked == ("learning",)


@pytest.mark.parametrize(("kind", "check", "words"), bugs.PLANTED)
def test_a_planted_bug_is_found_by_the_check_that_names_its_cause(
    kind: type[Toy], check: str, words: str
) -> None:
    report = report_on(kind)
    assert report.failed == (check,), "\n".join(report.lines())
    assert words in next(str(found) for found in report.findings if found.check == check)


ENV = "Tape-Copy-Easy-v0"
OURS: dict[str, tuple[Callable[[], Any], set[str]]] = {
    "ppo": (lambda: MemoryPPO("MemoryPolicy", ENV), set()),
    "ppo in chunks": (
        lambda: MemoryPPO(
            "MemoryPolicy", ENV, bptt=4, policy_kwargs={"memory": "gru", "critic_memory": "shared"}
        ),
        set(),
    ),
    "a2c": (lambda: MemoryA2C("MemoryPolicy", ENV), set()),
    "reinforce": (
        lambda: Reinforce("MemoryPolicy", ENV),
        {"gradient", "padding", "episode ends", "time limits"},
    ),
}


@pytest.mark.parametrize("name", OURS)
def test_our_algorithms_pass(name: str) -> None:
    make, not_checked = OURS[name]
    report = check_recurrent(make())
    assert report.ok, "\n".join(report.lines())
    assert set(report.not_checked) <= {"learning", *not_checked}


# Memories whose state or step is unlike that of an LSTM, in small sizes. MNM-p is left out: what
# compiles its writes takes longer than all the rest.
UNLIKE_LSTMS = {
    "framestack": {"stack_size": 3},
    "gtrxl": {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "memory_size": 4},
    "titans": TITANS_SIZES,
    "mnm-g": MNM_SIZES,
}


@pytest.mark.parametrize("memory", UNLIKE_LSTMS)
def test_our_memories_pass(memory: str) -> None:
    report = check_recurrent(
        MemoryPPO(
            "MemoryPolicy",
            ENV,
            policy_kwargs={
                "memory": memory,
                "memory_kwargs": UNLIKE_LSTMS[memory],
                "critic_memory": "shared",
                "net_arch": [8],
            },
        )
    )
    assert report.ok, "\n".join(report.lines())
    assert report.not_checked == ("learning",)


def test_checks_follow_the_space_of_the_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    wider = gym.spaces.Box(-1.0, 1.0, (SIZE + 1,), np.float32)
    monkeypatch.setattr(ProbeEnv, "observation_space", wider)
    assert report_on(Toy).failed == ()


def test_recurrent_ppo_of_sb3_contrib_passes_and_takes_no_masks() -> None:
    report = check_recurrent(RecurrentPPO("MlpLstmPolicy", "CartPole-v1", device="cpu"))
    assert report.ok, "\n".join(report.lines())
    assert report.not_checked == ("masks", "learning")


@pytest.mark.parametrize("batch_size", [7, 16])
def test_recurrent_ppo_finds_its_rollout_in_minibatches_that_mix_rows(batch_size: int) -> None:
    """Answers Stable-Baselines-Team/stable-baselines3-contrib#284 and #285.

    There a minibatch is a part of all rows end to end, which begins anywhere: in the middle of an
    episode, or with several rows' sequences, of which only some have a start.
    """
    model: Any = RecurrentPPO(
        "MlpLstmPolicy", DummyVecEnv([Probes(0)] * 3), n_steps=16, seed=0, device="cpu"
    )
    agent = adapter_of(model)
    agent.rollout()
    agent.rollout()  # whose rows begin in the middle of episodes
    for begins in range(0, 48, 5):
        with patch("numpy.random.randint", return_value=begins), torch.no_grad():
            batches = list(model.rollout_buffer.get(batch_size))
            for batch in batches:
                values, log_probs, _ = model.policy.evaluate_actions(
                    batch.observations,
                    batch.actions.long().flatten(),
                    batch.lstm_states,
                    batch.episode_starts,
                )
                real = batch.mask > 1e-8
                torch.testing.assert_close(log_probs[real], batch.old_log_prob[real])
                torch.testing.assert_close(values.flatten()[real], batch.old_values[real])
        assert sum(int(batch.mask.sum()) for batch in batches) == 48


class ForgetfulPPO(MemoryPPO):
    """A time limit is an end to it."""

    def _bootstrapped(self, rewards: Any, dones: Any, infos: Any, dtype: Any) -> Any:
        return super()._bootstrapped(rewards, dones, [{} for _ in infos], dtype)


class StickyPolicy(MemoryPolicy):
    """Its memory goes on from one episode to the next."""

    def features(self, obs: Any, state: Any, starts: Any) -> Any:
        return super().features(obs, state, None)


@pytest.mark.parametrize(
    ("model", "check"),
    [
        (lambda: ForgetfulPPO("MemoryPolicy", ENV), "time limits"),
        (lambda: MemoryPPO(StickyPolicy, ENV), "state reset"),
    ],
)
def test_a_bug_in_our_algorithms_is_found(model: Callable[[], Any], check: str) -> None:
    assert check_recurrent(model()).failed == (check,)


def test_what_an_adapter_cannot_serve_is_not_checked_and_never_ok() -> None:
    def make(*made_of: Any) -> Adapter:
        full = Toy(*made_of).adapter()
        return Adapter(full.step, full.rollout, full.evaluate)

    report = check_recurrent(make, learn=True)
    assert report.ok
    missing = ("changed environment", "padding", "masks", "predict", "files", "learning")
    assert report.not_checked == missing


def test_an_agent_without_memory_is_told_that_its_resets_cannot_be_seen() -> None:
    report = check_recurrent(MemoryA2C("MemoryPolicy", ENV, policy_kwargs={"memory": "none"}))
    assert report.ok
    assert {"state reset", "predict"} <= set(report.not_checked)


def test_a_task_that_needs_memory_is_learnt_and_without_memory_it_is_not() -> None:
    learns = check_recurrent(MemoryPPO("MemoryPolicy", ENV, learning_rate=3e-3), learn=True)
    assert "learning" not in (*learns.failed, *learns.not_checked)
    blind = MemoryA2C("MemoryPolicy", ENV, policy_kwargs={"memory": "none"})
    assert check_recurrent(blind, learn=True, train_steps=2_000).failed == ("learning",)


def test_what_an_agent_raises_is_a_finding() -> None:
    def make(*made_of: Any) -> Adapter:
        def reload(folder: Any) -> Adapter:
            raise OSError("no room")

        return dataclasses.replace(Toy(*made_of).adapter(), reload=reload)

    report = check_recurrent(make)
    assert report.failed == ("files",)
    assert any("raised OSError: no room" in line for line in report.lines())


def test_a_report_says_each_outcome_and_counts_them() -> None:
    report = report_on(bugs.ZeroAtTimeLimits)
    assert report.lines()[-1] == "ZeroAtTimeLimits: 14 ok, 1 failed, 1 not checked"
    assert not report.ok
    assert report.to_dict()["ok"] is False


def test_the_page_names_every_check_and_what_it_rests_on() -> None:
    page = (Path(__file__).parents[4] / "docs" / "conformance.md").read_text(encoding="utf-8")
    section = page.partition("## The checks")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    told = {row[0].strip("| `"): set(re.findall("`(.*?)`", row[2])) for row in rows if row[2:]}
    assert told == {check.name: set(check.needs) for check in CHECKS}


def test_other_models_are_refused() -> None:
    with pytest.raises(TypeError, match=r"model is 3; allowed: a MemoryPPO"):
        check_recurrent(3)
