"""The texts' trainings, how they are scored, and the page of their results."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents import make_vec_env
from agents.training.plan import first_plan
from agents.training.recipes import make_model, read_assignments
from benchmarks import text_results
from benchmarks.runs import PresetRun, train
from benchmarks.text_runs import BUDGETS, LOGIC, PLANS, SEEDS, TAGGING, plan
from benchmarks.text_scores import (
    SPLITS,
    Sequences,
    answers,
    most_frequent_tags,
    score,
    sequences,
    weighted_f1,
)


@pytest.mark.parametrize("name", PLANS)
def test_every_training_of_a_plan_is_one_that_can_be_planned(name: str) -> None:
    runs = plan(name)
    assert len({run.name for run in runs}) == len(runs) > 0
    for run in runs:
        changes = read_assignments(run.changes, "--set")
        first_plan(run.env, run.algorithm, run.memory, changes, run.seed)


def test_the_question_is_asked_with_equal_tokens_and_networks() -> None:
    for env, tokens in BUDGETS.items():
        runs = [run for run in plan("question") if run.env == env]
        assert len(runs) == 6 * SEEDS
        for run in runs:
            assert f"timesteps={tokens}" in run.changes
        recipes = {
            run.memory: first_plan(
                env, run.algorithm, run.memory, read_assignments(run.changes, "--set")
            ).recipe
            for run in runs
        }
        assert recipes["memory-net"].n_envs == recipes["none"].n_envs == 16
        memory_size = recipes["input"].policy.get("memory_size", 48)
        assert recipes["memory-net"].policy["memory_kwargs"]["memory_size"] == memory_size
        width = sequences(text_results._name(env), "dev").inputs[0].size
        width = 11 if env == LOGIC else width  # symbols are shown as one-hots
        assert recipes["memory-net"].policy["net_arch"] == [width + memory_size]


def test_the_next_loss_is_all_that_differs_from_the_tasks() -> None:
    for run, other in zip(plan("tasks"), plan("next-loss"), strict=True):
        assert other == replace(run, changes=[*run.changes, "algorithm.next_loss=true"])


def test_rates_that_end_begin_as_the_preset_has_them() -> None:
    for run, other in zip(plan("ending"), plan("next-loss"), strict=False):
        further = run.changes[len(other.changes) :]
        assert run == replace(other, changes=[*other.changes, *further])
        preset = first_plan(run.env, run.algorithm, run.memory).recipe
        model = make_model(preset, run.algorithm, run.memory, make_vec_env(run.env, 128), seed=0)
        assert read_assignments(further, "--set") == {
            f"algorithm.{name}": {"start": getattr(model, name), "end": 0.0}
            for name in ("learning_rate", "memory_learning_rate")
        }


def test_f1_is_weighted_by_hand() -> None:
    wanted, given = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 3, 0])
    # Kind 0: precision 2/3, recall 2/3; kind 1: both 1/2; kind 2: none; kind 3 is never wanted.
    assert weighted_f1(wanted, given) == pytest.approx((3 * 2 / 3 + 2 * 1 / 2) / 6)
    assert weighted_f1(wanted, wanted) == 1.0


def test_sequences_are_whole_if_all_is_right() -> None:
    found = Sequences(np.zeros(6), np.array([1, 2, 3, 4, 5, 6]), np.array([0, 2, 3, 6]))
    scores = score(found, np.array([1, 2, 0, 4, 0, 6]))
    assert scores.right == pytest.approx(4 / 6)
    assert scores.whole == pytest.approx(1 / 3)


class _Summing:
    """Answers with the sum of what it was shown in this sequence."""

    def predict(self, observation: Any, state: Any, starts: Any, deterministic: bool) -> Any:
        assert deterministic
        before = np.zeros(len(starts), np.int64) if state is None else state
        total = np.where(starts, 0, before) + observation
        return total, total


@pytest.mark.parametrize("rows", [2, 500])
def test_every_sequence_is_played_once_from_its_start(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.text_scores._ROWS", rows)
    inputs, starts = np.array([1, 10, 5, 2, 2, 2, 7]), np.array([0, 2, 3, 6, 7])
    given = answers(_Summing(), Sequences(inputs, np.zeros(7, np.int64), starts))
    assert given.tolist() == [1, 11, 5, 2, 4, 6, 7]


def test_sequences_are_those_of_the_task() -> None:
    logic = sequences("Logic", "dev")
    assert logic.starts[-1] == len(logic.inputs) == len(logic.wanted)
    tagging = sequences("Tagging", "dev")
    assert tagging.inputs.shape == (len(tagging.wanted), 50)


def test_the_most_frequent_tag_by_hand(tmp_path: Path) -> None:
    def write(split: str, words: str) -> None:
        sentences = (s.strip().replace(" ", "\n").replace("/", "\tx\t") for s in words.split("|"))
        path = tmp_path / f"en-ud-tag.v2.{split}.txt"
        path.write_text("\n\n".join(sentences) + "\n", encoding="utf-8")

    write("train", "a/D run/N | a/D run/V | Run/V fast/N | the/D")
    write("dev", "a/D Run/N | run/V | new/D")
    # run is V, twice of three times; Run by itself is V, run then once N, first seen, and once V.
    assert most_frequent_tags("dev", folder=tmp_path).right == pytest.approx(3 / 4)
    assert most_frequent_tags("dev", folder=tmp_path).whole == pytest.approx(2 / 3)
    assert most_frequent_tags("dev", True, tmp_path).right == pytest.approx(2 / 4)
    assert most_frequent_tags("train", folder=tmp_path).right == pytest.approx(6 / 7)


def _first_sequences(task: str, split: str) -> Sequences:
    found = sequences(task, split)
    last = found.starts[50]
    return Sequences(found.inputs[:last], found.wanted[:last], found.starts[:51])


def test_a_training_is_read_with_its_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_results, "sequences", _first_sequences)
    changes = ["timesteps=3000", "n_envs=128"]
    run = PresetRun("tiny", LOGIC, "mann_rl", "input", 0, changes, "without outputs")
    assert text_results.read_run(run, tmp_path / "tiny") is None
    assert train(run, tmp_path / "tiny", minutes=5.0) == "success"
    found = text_results.read_run(run, tmp_path / "tiny")
    assert found is not None
    assert found == text_results.read_run(run, tmp_path / "tiny")
    assert found["errors"]
    for split in SPLITS:
        assert 0.0 < found["scores"][split]["right"] < 1.0
    shown = text_results.page({"question": [found, {**found, "seed": 1}]})
    f1 = f"{found['scores']['train']['f1']:.3f}"
    assert f"| Logic | mann_rl/input, without outputs | 2 | {f1} |" in shown
    monkeypatch.setattr(text_results, "FIGURE", tmp_path / "question.png")
    text_results.draw({"question": [found]})
    assert (tmp_path / "question.png").stat().st_size > 0
    cut = {**found, "finished": False}
    assert f"({f1})" in text_results.page({"question": [cut]})
    without = {**found, "scores": None}  # killed before its first checkpoint
    assert "| Logic |  |" in text_results.page({"tasks": [without]})


def test_tagging_stands_beside_its_baseline() -> None:
    shown = text_results.page({"tasks": []})
    assert "| Tagging, most frequent tag |" not in shown
    record = dict.fromkeys(("steps", "minutes", "cpu_minutes"), 1)
    circumstances = {"machine": {"processor": "p", "cores": 1}, "versions": {"torch": "t"}}
    scored = {split: {"f1": 0.5, "right": 0.5, "whole": 0.5} for split in SPLITS}
    run = {"env": TAGGING, "agent": "a", "finished": True, "commit": "c", "command": "d"}
    shown = text_results.page({"tasks": [{**run, **record, **circumstances, "scores": scored}]})
    assert "| Tagging, most frequent tag | 0.903 | 0.833 |" in shown
    assert "| Tagging | 0.500 |" in shown


def test_the_page_is_what_the_results_say() -> None:
    results = json.loads(text_results.RESULTS.read_text(encoding="utf-8"))
    assert text_results.page(results) == text_results.PAGE.read_text(encoding="utf-8")
