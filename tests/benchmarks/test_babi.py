"""bAbI's trainings, their errors, and the page of their results."""

import json
from pathlib import Path

import pytest

from agents.training.plan import first_plan
from agents.training.recipes import read_assignments
from benchmarks import babi, babi_results
from benchmarks.babi_runs import PLANS, plan
from benchmarks.runs import PresetRun, train


@pytest.mark.parametrize("name", PLANS)
def test_every_training_of_a_plan_is_one_that_can_be_planned(name: str) -> None:
    runs = plan(name)
    assert len({run.name for run in runs}) == len({run.agent for run in runs}) == len(runs) > 0
    for run in runs:
        changes = read_assignments(run.changes, "--set")
        recipe = first_plan(run.env, run.algorithm, run.memory, changes, run.seed).recipe
        assert recipe.evaluation_kwargs == {"split": "valid"}
        assert recipe.env_kwargs == {"level": run.name.split("-")[0]}


def test_the_papers_numbers_have_the_papers_means() -> None:
    means = [round(sum(errors) / len(errors), 3) for errors in babi_results.PAPER.values()]
    assert means == [0.815, 0.175]


def test_a_training_is_tested_at_its_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(babi, "BABI", (15, 17))
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
    others = [
        babi.mean_error(babi.ask(path, "valid", {"level": "sentence"}))
        for path in (tmp_path / "tiny" / "checkpoints").glob("model-[1-9]*.zip")
    ]
    assert babi.mean_error(chosen.valid) <= min(others)
    monkeypatch.setattr("sys.argv", ["babi", str(tmp_path / "tiny")])
    babi.main()
    assert f"{chosen.test[17].error:6.1%}" in capsys.readouterr().out
    with pytest.raises(ValueError, match="there is no checkpoint"):
        babi.choose([])


def test_the_page_shows_errors_beside_the_papers() -> None:
    record = {
        **{"name": "sentence-mnm-p-0", "agent": "supervised/mnm-p, sentences", "seed": 0},
        **{"command": "memory-envs train", "steps": 7, "chosen": 5, "minutes": 1.0},
        **{"cpu_minutes": 0.9, "commit": "0123456789", "finished": True},
        **{"machine": {"processor": "some", "cores": 2}, "versions": {"torch": "2"}},
        **{"valid": 1.25, "mean": 1.5, "failed": 1, "errors": [0.5] * 19 + [20.5]},
    }
    page = babi_results.page({"joint": [record]})
    assert "| 16: basic induction | 0.5 | 0.4 | 0.7 |" in page
    assert "| 20: agents' motivations | 20.5 | 0.0 | 0.0 |" in page
    assert "| mean error | 1.50 | 0.81 | 0.18 |" in page
    assert "| failed tasks | 1 | 0 | 0 |" in page


def test_the_page_is_what_the_results_say() -> None:
    if not babi_results.RESULTS.exists():
        pytest.skip("no training has been tested yet")
    results = json.loads(babi_results.RESULTS.read_text(encoding="utf-8"))
    assert babi_results.page(results) == babi_results.PAGE.read_text(encoding="utf-8")
