"""The memories' trainings, and the pages of their results."""

import json
from pathlib import Path

import pytest

from agents.cells import CELLS
from agents.training.plan import first_plan
from agents.training.recipes import read_assignments
from benchmarks import memory_results
from benchmarks.memory_runs import PLANS, plan
from benchmarks.recorded import update
from benchmarks.runs import PresetRun, train

MAZE = "Maze-InvisibleGoal-9x9-v0"
SHORT = ["timesteps=500", "n_envs=2", "algorithm.n_steps=50", "algorithm.batch_size=50"]
SHORT += ["env_kwargs.max_steps=20"]


@pytest.mark.parametrize("name", PLANS)
def test_every_training_of_a_plan_is_one_that_can_be_planned(name: str) -> None:
    runs = plan(name)
    assert len({run.name for run in runs}) == len(runs) > 0
    for run in runs:
        changes = read_assignments(run.changes, "--set")
        first_plan(run.env, run.algorithm, run.memory, changes, run.seed)


def test_first_looks_are_at_every_memory_with_equal_steps() -> None:
    for name in ("maze-first-look", "tape-first-look"):
        runs = plan(name)
        assert {run.memory for run in runs} == set(CELLS)
        recipes = [
            first_plan(run.env, run.algorithm, run.memory, read_assignments(run.changes, "")).recipe
            for run in runs
        ]
        assert all(recipe == recipes[0] for recipe in recipes)


def test_a_training_is_read(tmp_path: Path) -> None:
    run = PresetRun("tiny", MAZE, "ppo", "lstm", 3, SHORT)
    assert memory_results.read_run(run, tmp_path / "tiny") is None
    assert train(run, tmp_path / "tiny", minutes=5.0) == "success"
    found = memory_results.read_run(run, tmp_path / "tiny")
    assert found is not None
    assert (found["agent"], found["seed"], found["finished"]) == ("ppo/lstm", 3, True)
    assert found["steps"] == 500
    assert found["return_mean"] < 100.0
    assert found["cpu_minutes"] >= 0.0
    assert found["curve"]
    assert "--out" not in found["command"]
    page = memory_results.maze_page({"maze": [{**found, "seed": 0}]})
    assert f"| 9x9 | ppo/lstm | 0 | {found['return_mean']:.1f} |" in page


def progress(folder: Path, returns: list[float]) -> None:
    """Writes what a killed training leaves, with evaluations, the last one at the end."""
    folder.mkdir()
    settings = {
        **{"command": "memory-envs train", "commit": "0123456789+"},
        **{"recipe": {"deterministic": True}},
        **{"machine": {"processor": "p", "cores": 2}, "versions": {"torch": "2"}},
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    names = ("total_timesteps", "time_elapsed", "cpu_time")
    header = [*(f"time/{name}" for name in names), "rollout/ep_rew_mean", "evaluation/return"]
    rows = [f"{250 * (i + 1)},{60 * i},{30 * i},{value},{i}" for i, value in enumerate(returns)]
    text = "\n".join([",".join(header), *rows, f"{250 * len(returns)},,,,99.5"])
    (folder / "progress.csv").write_text(text, encoding="utf-8")


def test_a_training_that_was_killed_shows_its_last_evaluation_in_brackets(tmp_path: Path) -> None:
    progress(tmp_path / "cut", [10.0, 174.0, 175.0, 90.0])
    run = PresetRun("cut", MAZE, "ppo", "lstm", 0)
    found = memory_results.read_run(run, tmp_path / "cut")
    assert found is not None
    assert (found["minutes"], found["cpu_minutes"]) == (3.0, 1.5)
    page = memory_results.maze_page({"maze": [found]})
    assert "| 9x9 | ppo/lstm | 0 | (99.5) | none | 3 | never | 4 | 3.0 | 1.5 | 0123456+ |" in page
    assert "| 9x9 | ppo/lstm | 3 |  |  | 3 |  | 1 | 99.5 |" in page


def test_a_training_that_was_continued_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress(tmp_path / "run", [10.0, 20.0, 30.0])
    progress(tmp_path / "run+1", [40.0, 50.0])
    evaluation = {"return_mean": 60.0, "return_std": 1.0, "success": None}
    (tmp_path / "run+1" / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    monkeypatch.setattr("benchmarks.recorded.has_ended", lambda part: part.name == "run+1")
    found = memory_results.read_run(PresetRun("run", MAZE, "ppo", "lstm", 0), tmp_path / "run")
    assert found is not None
    assert (found["finished"], found["return_mean"]) == (True, 60.0)
    assert (found["minutes"], found["cpu_minutes"]) == (2.0 + 1.0, 1.0 + 0.5)
    assert [value for _, value in found["curve"]] == [10.0, 20.0, 30.0, 40.0, 50.0]


def test_results_of_earlier_runs_stay_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = plan("cartpole")[:2]
    known = {"cartpole": [{"name": first.name, "steps": 1}]}
    path = tmp_path / "results.json"
    path.write_text(json.dumps(known), encoding="utf-8")
    (tmp_path / "cartpole").mkdir()
    progress(tmp_path / "cartpole" / second.name, [10.0])
    monkeypatch.setattr("sys.argv", ["memory_results"])
    assert update("", path, PLANS, plan, memory_results.read_run) == known
    monkeypatch.setattr("sys.argv", ["memory_results", "--runs", str(tmp_path)])
    found = update("", path, PLANS, plan, memory_results.read_run)
    assert found["cartpole"][0] == known["cartpole"][0]
    assert [record["name"] for record in found["cartpole"]] == [first.name, second.name]
    assert json.loads(path.read_text(encoding="utf-8")) == found


def test_long_curves_are_thinned_but_keep_where_the_mark_was_passed(tmp_path: Path) -> None:
    progress(tmp_path / "long", [*[10.0] * 701, *[200.0] * 300])
    found = memory_results.read_run(PresetRun("long", MAZE, "ppo", "lstm", 0), tmp_path / "long")
    assert found is not None
    assert len(found["curve"]) < 200
    assert memory_results.episodes_to(175.0, found) == 702
    assert found["curve"][-1] == [250 * 1001, 200.0]
    assert memory_results.episodes_to(175.0, {"curve": [[250, 3.0]]}) is None


def test_first_looks_have_a_page_of_their_own(tmp_path: Path) -> None:
    progress(tmp_path / "look", [10.0])
    found = memory_results.read_run(PresetRun("look", MAZE, "ppo", "gru", 0), tmp_path / "look")
    assert found is not None
    pages = memory_results.pages({"maze": [], "maze-first-look": [found]})
    assert list(pages) == [memory_results.PAGE]
    page = pages[memory_results.PAGE]
    assert "| ppo/gru | 0 | (99.50) | none | 250 | 0.0 | 0.0 | 0123456+ |" in page


def test_the_pages_are_what_the_results_say() -> None:
    results = json.loads(memory_results.RESULTS.read_text(encoding="utf-8"))
    pages = memory_results.pages(results)
    assert memory_results.MAZE_PAGE in pages
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text
