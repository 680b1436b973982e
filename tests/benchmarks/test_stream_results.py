"""The streams' trainings, and the page of their results."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from matplotlib.figure import Figure

from agents.cells import CELLS
from agents.training.plan import first_plan
from agents.training.recipes import read_assignments
from benchmarks import lengths, stream_results
from benchmarks.curves import read_run
from benchmarks.results import Measurement
from benchmarks.runs import PresetRun, train
from benchmarks.stream_runs import PLANS, STEPS, plan

COPY = "Stream-Copy-v0"


@pytest.mark.parametrize("name", PLANS)
def test_every_training_of_a_plan_is_one_that_can_be_planned(name: str) -> None:
    runs = plan(name)
    assert len({run.name for run in runs}) == len(runs) > 0
    for run in runs:
        changes = read_assignments(run.changes, "--set")
        first_plan(run.env, run.algorithm, run.memory, changes, run.seed)


def test_first_looks_are_at_every_memory_with_equal_steps() -> None:
    runs = plan("first-look")
    for key in {(run.env, run.algorithm) for run in runs}:
        group = [run for run in runs if (run.env, run.algorithm) == key]
        assert {run.memory for run in group} == set(CELLS)
        recipes = [
            first_plan(run.env, run.algorithm, run.memory, read_assignments(run.changes, "")).recipe
            for run in group
        ]
        assert all(recipe == recipes[0] for recipe in recipes)


def test_steps_of_a_stream_are_what_is_said() -> None:
    for env_id, steps in STEPS.items():
        env = gym.make_vec(env_id, num_envs=2)
        env.reset(seed=0)
        batch = env.unwrapped.batch()  # type: ignore[attr-defined]
        assert batch.sizes.tolist() == [steps, steps]


def test_a_training_is_read_with_its_errors(tmp_path: Path) -> None:
    changes = ["timesteps=1200", "n_envs=4", "env_kwargs.max_length=2", "env_kwargs.bits=1"]
    run = PresetRun("tiny", COPY, "supervised", "lstm", 0, changes)
    assert read_run(run, tmp_path / "tiny") is None
    assert train(run, tmp_path / "tiny", minutes=5.0) == "success"
    found = read_run(run, tmp_path / "tiny")
    assert found is not None
    steps = [at for at, _ in found["errors"]]
    assert steps == sorted(steps)
    assert 0 <= found["steps"] - steps[-1] <= 4 * 5  # the last update is logged by no one
    assert 20 < len(steps) <= 60
    assert all(0.0 <= wrong <= 1.0 for _, wrong in found["errors"])
    page = stream_results.page({"copy": [found]})
    assert f"| Copy | supervised/lstm | 0 | {found['success']:.3f} |" in page


def test_the_pictures_axes_are_named_and_show_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    save = Figure.savefig

    def watch(figure: Figure, *arguments: Any, **options: Any) -> None:
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", watch)
    monkeypatch.setattr(stream_results, "IMAGES", tmp_path)
    env, double = "Stream-DictionaryInference-4x1-v0", "Stream-DoubleCopy-v0"
    larger = "Stream-DictionaryInference-8x4-v0"
    errors, curve = [[19 * 32 * 10, 0.9], [19 * 32 * 30, 0.2]], [[500, 0.25], [1000, 0.75]]
    run = {"env": env, "errors": errors, "curve": curve}
    others = [{**run, "agent": agent} for agent in ("supervised/lstm", "supervised/salu")]
    sequence = {**run, "env": double, "agent": "supervised/lstm", "errors": [[151 * 32, 0.5]]}
    by_reward = [{**run, "agent": "ppo/lstm"}]
    twin = others[0]["curve"] = [[500, 0.5], [1000, 1.0]]
    of_larger = [[89 * 32 * 20, 0.7]]
    others.append({**run, "env": larger, "agent": "supervised/salu", "errors": of_larger})
    stream_results.draw(
        {"dictionary": others, "sequences": [sequence, sequence], "by-reward": by_reward}
    )
    wanted = {
        "streams-dictionary.png": ("updates", "share of wrong answers", [[10, 0.9], [30, 0.2]]),
        "streams-sequences.png": ("updates", "share of wrong answers", [[1, 0.5]]),
        "streams-by-reward.png": ("steps", "return", curve),
    }
    assert {path.name for path in tmp_path.iterdir()} == set(wanted)
    drawn = dict(zip(wanted, figures, strict=True))
    for name, (across, up, points) in wanted.items():
        ax, *rest = drawn[name].axes
        assert (ax.get_xlabel(), ax.get_ylabel()) == (across, up)
        for line in ax.lines:
            expected: Any = twin if line.get_linestyle() == "--" else points
            assert np.allclose(np.asarray(line.get_xydata()), expected)
        assert sum(line.get_linestyle() == "--" for line in ax.lines) == ("reward" in name)
        (legend,) = drawn[name].legends
        agents = {text.get_text() for text in legend.get_texts()}
        assert agents == {"ppo/lstm" if "reward" in name else "supervised/lstm"} | (
            {"supervised/salu"} if "dictionary" in name else set()
        )
        assert bool(rest) == ("dictionary" in name)
    first, second = drawn["streams-dictionary.png"].axes
    assert [ax.get_title() for ax in (first, second)] == [
        "DictionaryInference-4x1",
        "DictionaryInference-8x4",
    ]
    (line,) = second.lines
    assert np.allclose(np.asarray(line.get_xydata()), [[20, 0.7]])
    colours = [drawn_line.get_color() for drawn_line in first.lines]
    assert line.get_color() == colours[1] != colours[0], "a colour for each memory"


def _left(folder: Path, errors: dict[int, str]) -> None:
    """Writes what a training leaves that was killed."""
    folder.mkdir()
    settings = {"command": "memory-envs train", "commit": "a", "machine": {}, "versions": {}}
    settings["recipe"] = {"deterministic": True}
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    rows = [f"{steps}.0,{wrong},9" for steps, wrong in errors.items()]
    lines = ["time/total_timesteps,train/wrong_answers,train/answer_loss", *rows]
    (folder / "progress.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_errors_are_means_since_the_point_before_of_all_parts(tmp_path: Path) -> None:
    run = PresetRun("run", COPY, "supervised", "lstm", 0)
    _left(tmp_path / "run", {5: "", **{10 * k: f"{k / 100}" for k in range(1, 61)}})
    found = read_run(run, tmp_path / "run")
    assert found is not None
    assert found["errors"] == [[10 * k, k / 100] for k in range(1, 61)]
    _left(tmp_path / "run+2", {10 * k: f"{k / 100}" for k in range(61, 101)})
    found = read_run(run, tmp_path / "run")
    assert found is not None
    assert found["errors"] == [[20 * k, (4 * k - 1) / 200] for k in range(1, 51)]


def test_a_row_of_the_table_says_each_number_in_its_column() -> None:
    run = {"name": "8x4-mnm-p-2", "env": "Stream-DictionaryInference-8x4-v0", "seed": 2}
    run |= {"agent": "supervised/mnm-p", "success": 0.5, "return_mean": 3.25, "finished": True}
    run |= {"steps": 89 * 32 * 1500, "minutes": 7.5, "cpu_minutes": 4.5, "commit": "a" * 40}
    run |= {"command": "", "machine": {"processor": "P", "cores": 2}, "versions": {"torch": "2"}}
    head, line = (
        next(
            line
            for line in stream_results.page({"dictionary": [run]}).splitlines()
            if which in line
        )
        for which in ("| task |", "| DictionaryInference-8x4 |")
    )
    named = zip(*([cell.strip() for cell in row.split("|")] for row in (head, line)), strict=True)
    assert dict(named) == {
        "": "",
        "task": "DictionaryInference-8x4",
        "agent": "supervised/mnm-p",
        "seed": "2",
        "success": "0.500",
        "return": "3.25",
        "updates": "1,500",
        "steps": "4,272,000",
        "minutes": "7.5",
        "processor's": "4.5",
        "commit": "a" * 7,
    }
    by_reward = {**run, "agent": "ppo/mnm-p", "finished": False}
    page = stream_results.page({"by-reward": [by_reward]})
    assert "| (0.500) | (3.25) |  | 4,272,000 |" in page


def test_trainings_have_the_papers_sizes_and_end_when_all_is_right() -> None:
    updates = 5000 * 32
    for name, seeds in (("dictionary", {0, 1, 2}), ("sequences", {0}), ("by-reward", {0})):
        assert {run.seed for run in plan(name)} == seeds
        for run in plan(name):
            assert run.stop_at == 1.0
            if name != "by-reward":
                assert run.changes == [f"timesteps={updates * STEPS[run.env]}"]
    counts = Counter((run.env, run.memory) for run in plan("dictionary"))
    for size, trainings in (("4x1", 3), ("8x4", 3), ("12x8", 1), ("16x12", 1)):
        for memory in ("lstm", "salu", "mnm-g", "mnm-p"):
            assert counts[f"Stream-DictionaryInference-{size}-v0", memory] == trainings
    longer = {run.memory: read_assignments(run.changes, "") for run in plan("variants")}
    for memory in ("lstm", "salu"):
        assert longer[memory] == {"timesteps": 10 * updates * 19}
    for memory in ("mnm-p", "mnm-g"):
        rate = {"start": 0.001, "end": 0.0}
        assert longer[memory] == {"timesteps": updates * 89, "algorithm.learning_rate": rate}
    echo, *copies = plan("copy")
    changes = read_assignments(echo.changes, "")
    assert (changes["timesteps"], changes["n_envs"]) == (500 * 5, 1)
    assert changes["algorithm.learning_rate"] == 0.01
    sizes = {"hidden_size": 64, "memory_size": 128, "word_size": 20}
    assert changes["policy.memory_kwargs"] == {"variant": "notebook", **sizes}
    for run in copies:
        if run.memory in ("ntm", "dnc"):
            kwargs = read_assignments(run.changes, "")["policy.memory_kwargs"]
            assert kwargs == {"hidden_size": 100, "memory_size": 128, "word_size": 20}


def test_the_notebooks_task_gives_each_vector_in_its_own_step() -> None:
    from benchmarks.echo import ECHO

    env: Any = gym.make_vec(ECHO, num_envs=20).unwrapped
    env.reset(seed=0)
    inputs, targets, mask, sizes, _ = env.batch()
    assert (sizes == 5).all()
    assert mask.all()
    assert inputs.shape == (5, 20, 8)
    assert (inputs == targets).all()
    assert 0.4 < inputs.mean() < 0.6


def test_the_page_is_what_the_results_say() -> None:
    results = json.loads(stream_results.RESULTS.read_text(encoding="utf-8"))
    assert stream_results.page(results) == stream_results.PAGE.read_text(encoding="utf-8")


def test_times_of_lengths_are_of_whole_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(contestants: Any, *others: Any) -> Any:
        ((_, steps),) = contestants[0].sizes
        found = [
            Measurement(f"{kind}, 32 rows, {steps} steps", one.name, "", rates)
            for kind, rates in (
                ("forward", [1.0]),
                ("forward and backward", [32 * 4 * 10.0, 32 * 4 * 100.0, 32 * 4 * 20.0]),
            )
            for one in contestants
        ]
        return found, []

    monkeypatch.setattr(lengths, "measure", measure)
    records = lengths._measure(["lstm", "salu"], [4, 8], 3, 1.0)
    assert [(r["memory"], r["length"], r["milliseconds"]) for r in records] == [
        ("lstm", 4, 50.0),
        ("salu", 4, 50.0),
        ("lstm", 8, 100.0),
        ("salu", 8, 100.0),
    ]
    lines = lengths.table({"records": records})
    assert [line.split("|")[1:4] for line in lines[2:]] == [
        [" 4 ", " 50 ms ", " 50 ms "],
        [" 8 ", " 100 ms ", " 100 ms "],
    ]


def test_lengths_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "lengths.json"
    arguments = "--memories lstm salu --lengths 2 4 --repeats 1 --seconds 0.01 --out"
    monkeypatch.setattr("sys.argv", ["lengths", *arguments.split(), str(out)])
    lengths.main()
    results = json.loads(out.read_text(encoding="utf-8"))
    states = {(r["memory"], r["length"]): r["state"] for r in results["records"]}
    assert states["lstm", 2] == states["lstm", 4] == 200
    assert states["salu", 4] - states["salu", 2] == 2 * 200
    assert [line.split()[1] for line in lengths.table(results)[2:]] == ["2", "4"]
