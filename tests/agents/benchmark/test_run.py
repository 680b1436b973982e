"""Runs: trained once, counted once, taken up where they stopped, and judged by the same rule."""

import errno
import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.benchmark.entrants import find_agent
from agents.benchmark.launch import launch_processes
from agents.benchmark.reading import read_runs
from agents.benchmark.results import RESULT, Result, ResultError, read_result
from agents.benchmark.run import Job, RunningElsewhereError, run
from agents.benchmark.suites import SUITES, Suite, Task
from agents.benchmark.trial import Trial
from memory_envs.wrappers import FlatActions

HERE = "tests.agents.benchmark.entrants_here"
ENV = "Tape-Copy-Easy-v0"
OWN = "ppo/lstm n_envs=16 algorithm.n_steps=64 algorithm.batch_size=512"


def job(agent: str, folder: Path, seed: int = 0) -> Job:
    return Job("tiny", "copy", agent, seed, str(folder))


def test_the_references_score_0_and_1(tiny: Suite, tmp_path: Path) -> None:
    for agent, score in (("random", 0.0), ("oracle", 1.0)):
        found = run(job(agent, tmp_path))
        assert found.score == pytest.approx(score)
        assert (found.steps, found.curve, found.parts) == (0, (), 1)


def test_a_result_says_the_version_of_the_package_that_has_its_tasks(
    tiny: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "pytest" not in run(job("random", tmp_path)).provenance["versions"]
    monkeypatch.setitem(SUITES, tiny.name, replace(tiny, needs="pytest"))
    found = run(job("random", tmp_path, seed=1)).provenance["versions"]
    assert found["pytest"] == pytest.__version__


def test_a_run_that_is_done_is_not_done_again(tiny: Suite, tmp_path: Path) -> None:
    first = run(job("random", tmp_path))
    path = job("random", tmp_path).folder / RESULT
    written = path.stat().st_mtime_ns
    assert run(job("random", tmp_path)) == first == read_result(path)
    assert path.stat().st_mtime_ns == written


def test_anybodys_agent_is_a_function_of_a_trial(tiny: Suite, tmp_path: Path) -> None:
    found = run(job(f"{HERE}:random_learner rows=8", tmp_path))
    assert found.steps == 2048
    assert [point.steps for point in found.curve] == [0, 2048]
    assert found.score == pytest.approx(0.0, abs=0.05)
    assert not found.over_budget


def test_who_takes_too_many_steps_is_seen(tiny: Suite, make_result: Callable[..., Result]) -> None:
    assert not make_result("a", "t", 0, 0.5, steps=1099).over_budget
    assert make_result("a", "t", 0, 0.5, steps=1101).over_budget


def test_this_projects_agents_learn_and_leave_a_run_behind(tiny: Suite, tmp_path: Path) -> None:
    found = run(job(OWN, tmp_path))
    assert found.steps == 2048
    assert (found.curve[0].steps, found.curve[-1].steps) == (0, found.steps)
    assert found.curve[0].score is not None
    folder = job(OWN, tmp_path).folder / "part-0"
    assert (folder / "trace.txt").exists()
    kept = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert kept["return_mean"] == found.evaluation["return_mean"]


def test_a_training_that_was_killed_goes_on(tiny: Suite, tmp_path: Path) -> None:
    whole = run(job(OWN, tmp_path / "whole"))
    run(job(OWN, tmp_path / "cut"))
    # As if it had been killed after its last checkpoint, before its evaluation.
    folder = job(OWN, tmp_path / "cut").folder
    (folder / RESULT).unlink()
    (folder / "part-0" / "evaluation.json").unlink()
    again = run(job(OWN, tmp_path / "cut"))
    assert again.parts == 2
    assert again.minutes > 0
    assert again.evaluation == whole.evaluation
    assert (folder / "part-1" / "evaluation.json").exists()


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_stable_baselines_classes_learn_with_their_defaults(
    tiny: Suite, tmp_path: Path, name: str
) -> None:
    settings = "n_envs=2 n_steps=64 n_epochs=1 stack=2" if name == "PPO" else "learning_starts=64"
    found = run(job(f"stable_baselines3:{name} {settings}", tmp_path))
    assert 2048 <= found.steps < 2200
    assert (found.curve[0].steps, found.curve[-1].steps) == (0, found.steps)


def test_a_budget_is_met_by_the_nearest_number_of_rollouts(tiny: Suite, tmp_path: Path) -> None:
    """SB3 cuts no rollout: of 1,800 steps each, 2,048 would take two, far over the budget."""
    settings = "n_envs=2 n_steps=900 batch_size=600 n_epochs=1"
    found = run(job(f"stable_baselines3:PPO {settings}", tmp_path))
    assert found.steps == 1800
    assert not found.over_budget


def test_the_curve_of_ours_is_of_what_is_judged(
    tiny: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained on short strings, asked for long ones, on the way as in the end."""
    longer = Suite("tiny", "", (Task("copy", ENV, 2048, {"min_length": 9, "max_length": 9}),))
    monkeypatch.setitem(SUITES, "tiny", longer)
    agent = f"{OWN} algorithm.learning_rate=0"
    found = run(job(agent, tmp_path))
    kept = json.loads((job(agent, tmp_path).folder / "part-0" / "evaluation.json").read_text())
    assert kept["optimal_return"] == found.evaluation["optimal_return"] == 10.0
    assert found.curve[-1].return_mean == pytest.approx(found.evaluation["return_mean"], abs=0.2)


def test_a_wrapped_trial_is_judged_by_what_the_environment_pays(
    tiny: Suite, tmp_path: Path
) -> None:
    trial = Trial(tiny.tasks[0], 0, tmp_path)
    trial.wrap(FlatActions)
    assert trial.make().action_space == FlatActions(trial.make().unwrapped).action_space
    env = trial.make_vec(3)
    assert env.single_action_space == trial.make().action_space
    env.reset(seed=trial.env_seed)
    env.step(env.action_space.sample())
    assert trial.steps == 3
    assert trial.judge("oracle").score == pytest.approx(1.0)


def test_two_processes_are_not_at_the_same_run(tiny: Suite, tmp_path: Path) -> None:
    one = job("random", tmp_path)
    one.folder.mkdir(parents=True)
    with (one.folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(RunningElsewhereError, match="random on copy, seed 0"):
            run(one)
    assert run(one).parts == 1


def test_a_folder_that_cannot_be_locked_is_not_called_busy(
    tiny: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(OSError, match="No locks available"):
        run(job("random", tmp_path))


def test_who_is_run_elsewhere_is_not_called_interrupted(tmp_path: Path) -> None:
    (waiting,) = jobs_of(("waiter",), tmp_path)
    waiting.folder.mkdir(parents=True)
    told: list[Any] = []
    with (waiting.folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        launch_processes([waiting], "the command", 1, lambda _job, outcome: told.append(outcome))
    assert told == ["is being run by another process; the same command shows it once it is done"]


def test_the_minutes_of_a_part_that_is_killed_are_kept(
    tiny: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.benchmark.run._TICK", 0.005)
    assert run(job(f"{HERE}:watches_the_clock", tmp_path)).minutes >= 0


def test_agents_that_would_share_a_folder_are_told_apart(tiny: Suite, tmp_path: Path) -> None:
    run(job(f"{HERE}:random_learner rows=8", tmp_path))
    with pytest.raises(ResultError, match=r"is a result of agent .*r rows=8', not of .*r  rows=8'"):
        run(job(f"{HERE}:random_learner  rows=8", tmp_path))


def test_two_results_of_one_run_are_refused(tiny: Suite, tmp_path: Path) -> None:
    run(job("random", tmp_path / "a"))
    run(job("random", tmp_path / "b"))
    assert len(read_runs([tmp_path / "a"])) == 1
    with pytest.raises(ResultError, match="results of the same run: random on copy, seed 0"):
        read_runs([tmp_path])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format is 2; allowed: 1"),
        ({"steps": "many"}, "steps is 'many'; allowed: an integer"),
        ({"minutes": -1.0}, "minutes is -1.0"),
        ({"extra": 1}, "extra is unknown"),
        ({"steps": True}, "steps is True; allowed: an integer"),
        ({"steps": 1.5}, "steps is 1.5; allowed: an integer"),
        ({"minutes": float("nan")}, "minutes is nan; allowed: a number"),
        ({"evaluation": []}, r"evaluation is \[\]; allowed: an object"),
        ({"evaluation": {}}, "evaluation.episodes is missing"),
        ({"curve": [{"steps": 1}]}, "curve 1: return_mean is missing"),
    ],
)
def test_a_file_that_is_no_result_is_refused(
    tmp_path: Path, make_result: Callable[..., Result], change: dict[str, Any], message: str
) -> None:
    data = make_result("a", "t", 0, 0.5).to_dict() | change
    path = tmp_path / RESULT
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ResultError, match=message):
        read_result(path)


def test_a_missing_field_is_named(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    data = make_result("a", "t", 0, 0.5).to_dict()
    del data["seed"]
    path = tmp_path / RESULT
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ResultError, match="seed is missing"):
        read_result(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ResultError, match=RESULT):
        read_result(path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "agent is ''"),
        ("ppo", "agent is 'ppo'; .*ppo/MEMORY"),
        ("ppo/lstmm", "lstm"),
        ("random seed=1", "random without settings"),
        ("ppo/lstm n_envs", "name=value"),
        ("no_such_module:agent", "no_such_module"),
        (f"{HERE}:nobody", "nobody"),
        ("agents.benchmark.run:INTERRUPTED", "a int; allowed: functions of a trial"),
    ],
)
def test_an_agent_that_is_none_is_refused(words: str, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        find_agent(words)


def test_a_preset_that_changes_the_environment_is_refused(tiny: Suite, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whose preset changes the environment"):
        run(job("rl_ntm/direct_access", tmp_path))


def jobs_of(names: tuple[str, ...], folder: Path) -> list[Job]:
    task = SUITES["quick"].tasks[0].name
    return [Job("quick", task, f"{HERE}:{name}", 0, str(folder)) for name in names]


def test_workers_that_die_or_fail_are_reported_and_begun_again(tmp_path: Path) -> None:
    jobs = jobs_of(("waiter", "dies_once", "breaks"), tmp_path)
    told: dict[str, Any] = {}

    def report(done: Job, outcome: Any) -> None:
        told[done.agent.partition(":")[2]] = outcome

    launch_processes(jobs, "the command", 2, report)
    assert told["waiter"].command == "the command"
    assert told["waiter"].steps == 0
    assert "exit code -9" in told["dies_once"]
    assert "no GPU" in told["breaks"]
    launch_processes(jobs[1:2], "the command", 1, report)
    assert told["dies_once"].parts == 2


RAY = """
import sys
from pathlib import Path
from agents.benchmark.launch import launch_ray
from tests.agents.benchmark.test_run import jobs_of

def report(done, outcome):
    told = outcome if isinstance(outcome, str) else f"{outcome.parts} parts"
    print(done.agent.partition(":")[2], told, flush=True)

jobs = jobs_of(("waiter", "dies_once", "breaks"), Path(sys.argv[1]))
launch_ray(jobs, "the command", 2, report)
"""


def test_ray_takes_up_what_a_killed_worker_left(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    # In a process of its own: Ray leaves processes behind that this one would complain of.
    root, given = str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")
    shown = subprocess.run(
        [sys.executable, "-c", RAY, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, given])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "waiter 1 parts" in shown
    assert "dies_once 2 parts" in shown
    assert re.search("breaks failed: .*no GPU", shown)
