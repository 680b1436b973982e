"""The recipes for agents in the style of other libraries; see tests/third_party for the others."""

from pathlib import Path

import pytest

from agents.benchmark.suites import Task
from agents.benchmark.trial import Trial
from benchmarks.recipes import cleanrl


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


@pytest.mark.slow
def test_cleanrl_learns(tmp_path: Path) -> None:
    trial = Trial(Task("one", "Tape-Copy-Easy-v0", timesteps=100_000), 0, tmp_path)
    score = trial.judge(cleanrl.ppo_lstm(trial)).score
    assert score is not None
    assert score > 0.5
