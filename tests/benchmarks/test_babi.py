"""bAbI's trainings, their errors, and the page of their results."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from agents import Supervised, make_vec_env
from agents.cli.optima import read_optima
from agents.evaluation.answers import Answered
from agents.training.plan import first_plan
from agents.training.recipes import read_assignments
from benchmarks import babi, babi_results
from benchmarks.babi_results import PAPER
from benchmarks.babi_runs import PLANS, plan
from benchmarks.runs import PresetRun, train


@pytest.mark.parametrize("name", PLANS)
def test_every_training_of_a_plan_is_one_that_can_be_planned(name: str) -> None:
    runs = plan(name)
    assert len({run.name for run in runs}) == len(runs) > 0
    assert len({(run.env, run.agent) for run in runs}) == len(runs)
    for run in runs:
        changes = read_assignments(run.changes, "--set")
        recipe = first_plan(run.env, run.algorithm, run.memory, changes, run.seed).recipe
        evaluated = {"exchange_names": False, **recipe.env_kwargs, **recipe.evaluation_kwargs}
        assert evaluated["split"] == "valid"
        assert not evaluated["exchange_names"]
        assert recipe.env_kwargs["level"] == ("word" if name == "words" else "sentence")


def test_reward_and_answers_teach_the_same_network_for_as_long() -> None:
    recipes = {
        algorithm: first_plan("Stream-bAbI-QA1-v0", algorithm, "gated-delta", {}, 0).recipe
        for algorithm in ("ppo", "supervised")
    }
    policies = {name: dict(recipe.policy) for name, recipe in recipes.items()}
    del policies["ppo"]["critic_memory"]
    assert policies["ppo"] == policies["supervised"]
    assert recipes["ppo"].timesteps == recipes["supervised"].timesteps


def test_the_papers_numbers_have_the_papers_means() -> None:
    for published in (model for beside in PAPER.values() for model in beside.values()):
        mean = sum(published.errors) / len(published.errors)
        # The paper rounds to one, two or three digits.
        assert float(published.best) == pytest.approx(mean, abs=0.026)


def test_a_training_is_tested_at_its_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(babi, "numbers_of", lambda env: (15, 17))
    small = ["timesteps=3000", "n_envs=8", "policy.memory_kwargs.hidden_size=8"]
    small += ["policy.encoder_kwargs.size=8", "env_kwargs.split=valid"]
    run = PresetRun("tiny", "Stream-bAbI-QA17-v0", "supervised", "lstm", 0, [])
    changes = read_assignments(small, "--set")
    recipe = first_plan("Stream-bAbI-v0", "supervised", "lstm", changes, 0).recipe
    for name, value in recipe.to_dict().items():
        run.changes.append(f"{name}={json.dumps(value)}")
    assert train(run, tmp_path / "tiny", minutes=5.0) in ("success", "ended without success")
    chosen = babi.choose([tmp_path / "tiny"])
    assert 0 < chosen.steps <= 3100
    for errors in (chosen.valid, chosen.test):
        assert {number: answered.questions for number, answered in errors.items()} == {
            15: 1000,
            17: 1000,
        }
    asked = babi.ask(chosen.path, "test", {"level": "sentence"}, (15, 17))
    assert chosen.test == asked != chosen.valid
    others = [
        babi.mean_error(babi.ask(path, "valid", {"level": "sentence"}, (15, 17)))
        for path in (tmp_path / "tiny" / "checkpoints").glob("model-[1-9]*.zip")
    ]
    assert babi.mean_error(chosen.valid) <= min(others)
    assert chosen.kept[chosen.steps] == min(chosen.kept.values())
    monkeypatch.setattr(babi, "ask", None)  # nothing is asked twice
    monkeypatch.setattr("sys.argv", ["babi", str(tmp_path / "tiny")])
    babi.main()
    assert f"{chosen.test[17].error:6.1%}" in capsys.readouterr().out
    with pytest.raises(ValueError, match="there is no checkpoint"):
        babi.choose([])


def test_a_task_with_an_error_of_five_per_cent_has_not_failed() -> None:
    assert babi.failed({1: Answered(1000, 50), 2: Answered(1000, 51), 3: Answered(10, 0)}) == 1
    assert babi.mean_error({1: Answered(1000, 50), 2: Answered(100, 1)}) == pytest.approx(0.03)


def test_the_words_of_an_answer_are_one_question(tmp_path: Path) -> None:
    env = make_vec_env("Stream-bAbI-QA19-v0", 2, split="test")
    policy_kwargs = {"memory": "lstm", "memory_kwargs": {"hidden_size": 8}, "net_arch": []}
    Supervised("MemoryPolicy", env, seed=0, policy_kwargs=policy_kwargs).save(tmp_path / "m.zip")
    (answered,) = babi.ask(tmp_path / "m.zip", "test", {}, (19,)).values()
    assert answered.questions == 1000  # with two words each


def _part(folder: Path, lines: list[dict[str, float]]) -> Path:
    folder.mkdir()
    names = list(dict.fromkeys(name for line in lines for name in line))
    with (folder / "progress.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(lines)
    return folder


def test_a_course_goes_on_where_a_training_was_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def line(steps: int, updates: int, seconds: float, wrong: float) -> dict[str, float]:
        return {
            "time/total_timesteps": steps,
            "train/n_updates": updates,
            "time/time_elapsed": seconds,
            "train/wrong_answers": wrong,
        }

    evaluated = {"time/total_timesteps": 200, "evaluation/return": 1.0}
    parts = [
        _part(tmp_path / "0", [line(100, 10, 60, 0.5), line(200, 20, 120, 0.25), evaluated]),
        _part(tmp_path / "1", [line(300, 30, 60, 0.125)]),
        _part(tmp_path / "2", [line(400, 40, 30, 0.0625)]),
    ]
    course = [[100, 10, 1.0, 50], [200, 20, 2.0, 25], [300, 30, 3.0, 12.5], [400, 40, 3.5, 6.25]]
    assert babi_results._course("Stream-bAbI-v0", parts) == course
    optimum = read_optima()["Stream-bAbI-QA6-v0"]["optimum"]
    alone = [[200, 20, 2.0, pytest.approx(100 * (1 - 1 / optimum), abs=0.01)]]
    assert babi_results._course("Stream-bAbI-QA6-v0", parts) == alone
    monkeypatch.setattr(babi_results, "_POINTS", 2)
    found = babi_results._course("Stream-bAbI-v0", parts)
    assert found == [[200, 20, 2.0, 37.5], [400, 40, 3.5, 9.38]]
    # A checkpoint stands at the first point that has as many steps.
    assert [babi_results._at(course, steps, 1) for steps in (50, 200, 201, 999)] == [10, 20, 30, 40]


def _record(run: PresetRun, errors: dict[str, float], **more: Any) -> dict[str, Any]:
    return {
        **{"name": run.name, "env": run.env, "agent": run.agent, "seed": 0, "steps": 7},
        **{"command": f"memory-envs train {run.name}", "chosen": 5, "minutes": 1.0},
        **{"cpu_minutes": 0.9, "commit": "0123456789", "finished": True},
        **{"machine": {"processor": "some", "cores": 2}, "versions": {"torch": "2"}},
        **{"valid": 1.25, "mean": 1.5, "failed": 1, "errors": errors},
        **{"kept": [[5, 1.25]], "course": [[3, 1, 0.5, 60.0], [7, 2, 1.0, 2.5]]},
        **more,
    }


def test_the_page_shows_errors_beside_the_papers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = {str(number): 0.5 for number in range(1, 20)} | {"20": 20.5}
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in PLANS}
    for name in ("sentences", "words"):
        results[name] = [_record(run, errors) for run in plan(name)[:2]]
    results["words"][1]["finished"] = False
    for run in plan("rl"):
        number = run.name.split("-")[0].removeprefix("qa")
        results["rl"].append(_record(run, {number: 1.5}, finished=run.algorithm == "ppo"))
    page = babi_results.page(results)
    assert "| 16: basic induction | 0.5 | 0.5 | 52.1 | 0.4 |" in page
    assert "| 20: agents' motivations | 20.5 | 20.5 | 0.0 | 0.0 | 0.0 | 0.0 |" in page
    assert "| mean error | 1.50 | 1.50 | 7.38 | 0.81 |" in page
    assert "| mean error | 1.50 | (1.50) | 3.8 | 2.9 | 2.76 | 0.175 |" in page
    assert "| failed tasks | 1 | (1) | 2 | 1 | 1 | 0 |" in page
    assert "| word | DNC, the paper's | 12.8 ± 4.7 | 8.2 ± 2.5 |" in page
    assert "| word | mnm-g | (1.50) | (1) | 1 |" in page
    assert "| 6: yes/no questions | 1.5 | (1.5) |" in page
    for record in (record for name in PLANS for record in results[name]):
        assert record["command"] in page
    assert all(len(line) != 1 for line in page.splitlines()), "sentences are lines, not letters"
    monkeypatch.setattr(babi_results, "FIGURES", tmp_path)
    for name in PLANS:
        babi_results.draw(name, results[name])
        assert f"../images/babi-{name}.png" in page
        assert babi_results.figure(name).stat().st_size > 0


@pytest.mark.parametrize("algorithm", ["ppo", "supervised"])
def test_a_training_is_read_with_its_course(tmp_path: Path, algorithm: str) -> None:
    changes = ["timesteps=2000", "n_envs=8", "policy.memory_kwargs.hidden_size=8"]
    changes += ["env_kwargs.split=valid"]
    if algorithm == "ppo":
        changes += ["algorithm.n_steps=30", "algorithm.batch_size=120"]
    run = PresetRun("tiny", "Stream-bAbI-QA6-v0", algorithm, "gated-delta", 0, changes)
    assert babi_results.read_run(run, tmp_path / "tiny") is None
    assert train(run, tmp_path / "tiny", minutes=5.0) in ("success", "ended without success")
    found = babi_results.read_run(run, tmp_path / "tiny")
    assert found is not None
    assert found == babi_results.read_run(run, tmp_path / "tiny")
    assert list(found["errors"]) == ["6"]
    assert found["mean"] == pytest.approx(found["errors"]["6"], abs=0.01)
    steps, updates, minutes, errors = zip(*found["course"], strict=True)
    assert list(steps) == sorted(steps)
    assert list(minutes) == sorted(minutes)
    assert updates[-1] > updates[0] >= 0
    assert all(0.0 <= error <= 100.0 for error in errors)
    assert [error for steps, error in found["kept"] if steps == found["chosen"]] == [
        pytest.approx(found["valid"], abs=0.01)
    ]


def test_the_page_is_what_the_results_say() -> None:
    assert babi_results.page(_results()) == babi_results.PAGE.read_text(encoding="utf-8")


def _results() -> dict[str, list[dict[str, Any]]]:
    if not babi_results.RESULTS.exists():
        pytest.skip("no training has been tested yet")
    found: dict[str, list[dict[str, Any]]] = json.loads(
        babi_results.RESULTS.read_text(encoding="utf-8")
    )
    return found
