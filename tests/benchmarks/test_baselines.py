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


def given_to(name: str, env: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Returns what an agent would be made of."""
    found: list[Any] = []

    def keep(*given: Any) -> Any:
        found.extend(given)
        return lambda trial: None

    for kind in ("OwnAgent", "SB3Agent"):
        monkeypatch.setattr(baselines, kind, keep)
    getattr(baselines, name)(Trial(Task(env, env, 1), 0, Path()))
    return found


def settings_of(name: str, env: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Returns the settings of PPO with which an agent would be trained, and the number of rows."""
    given = given_to(name, env, monkeypatch)
    found = dict(next(one for one in given if isinstance(one, dict)))
    found |= found.pop("algorithm", {})
    return {key: value for key, value in found.items() if key not in ("policy", "curriculum")}


@pytest.mark.parametrize("env", [TAPE, MAZE])
@pytest.mark.parametrize("name", OURS[1:] + THEIRS)
def test_ppo_has_the_same_settings(name: str, env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, found = (settings_of(one, env, monkeypatch) for one in ("none", name))
    for settings in (expected, found):
        for different in DIFFERENT & settings.keys():
            del settings[different]
    assert len(expected) == 9
    assert found == expected


@pytest.mark.parametrize("name", OURS)
def test_ours_have_the_memory_that_their_name_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    algorithm, memory, _, words = given_to(name, TAPE, monkeypatch)
    assert (algorithm, memory) == ("ppo", name.replace("_", "-"))
    assert words == f"benchmarks.baselines:{name}"


@pytest.mark.parametrize(
    ("name", "other", "at_the_maze"),
    [
        ("lstm", {"normalize_value": False}, {"normalize_value": True}),
        ("recurrent_ppo", {"policy_kwargs": {"lstm_hidden_size": 128}}, {"vf_coef": 0.005}),
        ("frame_stacking", {"stack": 4}, {"vf_coef": 0.005}),
    ],
)
def test_what_differs_is_what_is_said(
    name: str, other: dict[str, Any], at_the_maze: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tape, maze = (settings_of(name, env, monkeypatch) for env in (TAPE, MAZE))
    assert {key: tape[key] for key in DIFFERENT & tape.keys()} == other
    longer = {"n_steps": 125, "batch_size": 1000, "gamma": 0.92}
    assert maze == tape | longer | at_the_maze


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
