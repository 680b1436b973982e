"""The agents of the leaderboards: what is said to be the same for all of them is."""

from pathlib import Path
from typing import Any

import pytest

from agents.benchmark.entrants import find_agent
from agents.benchmark.own import training_parts
from agents.benchmark.suites import Task
from agents.benchmark.trial import Trial
from benchmarks import baselines
from benchmarks.leaderboards import AGENTS

OURS = ("none", "lstm", "gru", "gated_delta", "mnm_p")
THEIRS = ("recurrent_ppo", "frame_stacking")
TAPE, MAZE = "Tape-Copy-Easy-v0", "Maze-InvisibleGoal-9x9-v0"
# How large values are scaled, and networks: what is said to differ.
DIFFERENT = {"normalize_value", "vf_coef", "policy_kwargs", "stack"}


def settings_of(name: str, env: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Returns the settings of PPO with which an agent would be trained, and the number of rows."""
    found: dict[str, Any] = {}

    def keep(*given: Any) -> Any:
        settings = next(one for one in given if isinstance(one, dict))
        found.update(settings)
        return lambda trial: None

    for kind in ("OwnAgent", "SB3Agent"):
        monkeypatch.setattr(baselines, kind, keep)
    getattr(baselines, name)(Trial(Task(env, env, 1), 0, Path()))
    if "algorithm" in found:
        found |= found.pop("algorithm")
        found = {key: value for key, value in found.items() if key not in ("policy", "curriculum")}
    return {key: value for key, value in found.items() if key not in DIFFERENT}


@pytest.mark.parametrize("env", [TAPE, MAZE])
@pytest.mark.parametrize("name", OURS[1:] + THEIRS)
def test_ppo_has_the_same_settings(name: str, env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = settings_of("none", env, monkeypatch)
    assert len(expected) == 9
    assert settings_of(name, env, monkeypatch) == expected


def test_ours_is_trained_with_what_is_said(tmp_path: Path) -> None:
    trial = Trial(Task(TAPE, TAPE, 1), 0, tmp_path)
    find_agent("benchmarks.baselines:lstm")(trial)
    (part,) = training_parts(tmp_path)
    recipe = part.read_settings()["recipe"]
    assert recipe["curriculum"] is None
    assert recipe["n_envs"] * recipe["algorithm"]["n_steps"] == trial.steps == 4096
    assert recipe["policy"] == {"encoder_size": 64, "net_arch": [64], "critic_memory": "shared"}


def test_the_agents_are_those_of_the_leaderboards() -> None:
    names = [f"benchmarks.baselines:{name}" for name in OURS + THEIRS]
    assert list(AGENTS) == ["random", *names]
    for name in names:
        assert callable(find_agent(name))
