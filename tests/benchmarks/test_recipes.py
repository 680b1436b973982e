"""The recipes for agents in the style of other libraries."""

from pathlib import Path

import pytest

from agents.benchmark.suites import Task
from agents.benchmark.trial import Trial
from benchmarks.recipes import cleanrl


@pytest.mark.parametrize("env_id", ["Tape-Copy-Easy-v0", "Stream-DoubleCopy-v0", "Stream-Copy-v0"])
def test_cleanrl_learns_within_its_budget(
    env_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanrl, "STEPS", 16)
    trials = [Trial(Task("one", env_id, timesteps=600), 0, tmp_path) for _ in range(2)]
    first, second = (trial.judge(cleanrl.ppo_lstm(trial)) for trial in trials)
    assert first == second, "the seed decides everything"
    assert trials[0].steps == 2 * 16 * 16
    assert len(trials[0].curve) == 2
    assert first.score is not None


def test_cleanrl_learns_what_needs_no_memory(tmp_path: Path) -> None:
    trial = Trial(Task("one", "Tape-Copy-Easy-v0", timesteps=60_000), 0, tmp_path)
    policy = cleanrl.ppo_lstm(trial)
    assert max(point.score or 0.0 for point in trial.curve) > 0.5
    score = trial.judge(policy).score
    assert score is not None
    assert score > 0.5
