"""The streams' trainings, and the page of their results."""

import json
import shlex
from pathlib import Path

import pytest

from agents.cells import CELLS
from agents.training.plan import first_plan
from agents.training.recipes import read_assignments
from benchmarks import lengths, stream_results
from benchmarks.curves import read_run
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
    import gymnasium as gym

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


def test_the_page_is_what_the_results_say() -> None:
    results = json.loads(stream_results.RESULTS.read_text(encoding="utf-8"))
    assert stream_results.page(results) == stream_results.PAGE.read_text(encoding="utf-8")


def test_a_label_is_what_its_command_did() -> None:
    for name, records in json.loads(stream_results.RESULTS.read_text(encoding="utf-8")).items():
        planned = {run.name: run for run in plan(name)}
        for record in records:
            run = planned[record["name"]]
            assert (record["env"], record["agent"], record["seed"]) == (
                run.env,
                run.agent,
                run.seed,
            )
            words = ["memory-envs", *run.command(Path("nowhere"))]
            if run.seed == 0:  # the default, which recorded commands leave out
                del words[words.index("--seed") : words.index("--seed") + 2]
            assert shlex.split(record["command"]) == words


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
