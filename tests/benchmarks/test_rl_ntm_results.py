"""RL-NTM's trainings, the page of their results, and lengths beyond those of training."""

import json
import subprocess
import time
from pathlib import Path

import pytest

import agents
from agents.algorithms.pretrained import find_pretrained
from benchmarks import rl_ntm_generalisation, rl_ntm_results
from benchmarks.recorded import joined
from benchmarks.results import without_folder
from benchmarks.rl_ntm_runs import Run, plan
from benchmarks.runs import parts, train

SHORT = ["timesteps=400", "n_envs=8", "env_kwargs.max_length=3", "evaluation_kwargs.min_length=3"]


def test_the_plans_hold_what_the_results_need() -> None:
    table4 = plan("table4")
    assert len({run.name for run in table4}) == len(table4) == 25 + 15 + 5
    paper = plan("paper")
    assert len({run.name for run in paper}) == len(paper) == 15 + 10
    assert {run.algorithm for run in paper} == {"rl_ntm-paper"}
    variants = {run.variant for run in plan("ablation")}
    assert {"no causality", "no curriculum", "inverse temperature 0.1"} < variants


def test_a_stage_starts_from_the_one_before(tmp_path: Path) -> None:
    first, second = plan("transfer")[:2]
    assert first.command(tmp_path)[-8] == "rl-ntm/ForwardReverse"
    before = tmp_path / first.name
    before.mkdir()
    (before / "settings.json").write_text("{}", encoding="utf-8")
    command = second.command(tmp_path)
    assert str(before) in command
    published = without_folder(" ".join([*command, "--out", "there"]))
    assert f"--start-from {first.name} --set" in published
    assert "there" not in published


def test_a_training_is_done_once_and_read(tmp_path: Path) -> None:
    run = Run("tiny", "Copy", "rl_ntm", "direct_access", 3, SHORT, "tiny")
    assert rl_ntm_results.read_run(run, tmp_path / "tiny") is None
    (tmp_path / "tiny").mkdir()  # begun, but stopped before its first file
    assert train(run, tmp_path / "tiny", minutes=5.0) == "ended without success"
    assert train(run, tmp_path / "tiny", minutes=5.0) == "was done"
    found = rl_ntm_results.read_run(run, tmp_path / "tiny")
    assert found is not None
    assert (found["task"], found["seed"], found["variant"]) == ("Copy", 3, "tiny")
    assert found["finished"]
    assert 0.0 <= found["success"] < 0.99
    assert found["steps"] >= 400
    assert found["updates"] > 0
    assert "--seed 3" in found["command"]
    assert "--out" not in found["command"]
    page = rl_ntm_results.page({"ablation": [{**found, "task": "Reverse", "variant": "as it is"}]})
    assert "| Reverse | direct_access | as it is | 3 | 0 of 1 |  |  | 1 |" in page
    assert "| Reverse | direct_access | no causality | 3 | 0 of 0 |" in page


def test_a_training_that_was_cut_off_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()
    (folder / "settings.json").write_text("{}", encoding="utf-8")
    commands = []

    class Process:
        returncode = 0

        def __init__(self, command: list[str], **_: object) -> None:
            commands.append(command)

        def wait(self, _timeout: float | None = None) -> None:
            pass

    monkeypatch.setattr("benchmarks.runs.subprocess.Popen", Process)
    run = Run("cut", "Copy", "rl_ntm", "lstm", 0)
    assert train(run, folder, minutes=1.0) == "success"
    place = commands[0].index("--continue-from")
    assert commands[0][place : place + 4] == [
        *("--continue-from", str(folder)),
        *("--out", f"{folder}+1"),
    ]


def test_parts_are_in_order_and_share_one_budget(tmp_path: Path) -> None:
    names = ["r", "r+1", "r+2", "r+10"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings.json").write_text("{}", encoding="utf-8")
        text = "time/time_elapsed,steps\n30,1\n,2\n60,3\n"
        (tmp_path / name / "progress.csv").write_text(text, encoding="utf-8")
    (tmp_path / "r+1.log").touch()
    assert [part.name for part in parts(tmp_path / "r")] == names
    run = Run("r", "Copy", "rl_ntm", "lstm", 0)
    assert train(run, tmp_path / "r", minutes=4.0) == "was cut off after 4 minutes"


def test_a_training_that_is_too_slow_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [*SHORT, "timesteps=100000000"]
    run = Run("slow-0.1-0", "Copy", "rl_ntm", "direct_access", 3, slow, "slow")

    class Hurried(subprocess.Popen[bytes]):
        """A process whose time is up once training has begun, however long that takes."""

        def wait(self, timeout: float | None = None) -> int:
            if timeout is None:
                return super().wait()
            assert timeout == 30.0
            while self.poll() is None and not (tmp_path / run.name / "progress.csv").exists():
                time.sleep(0.05)
            raise subprocess.TimeoutExpired(self.args, timeout)

    monkeypatch.setattr("benchmarks.runs.subprocess.Popen", Hurried)
    assert train(run, tmp_path / run.name, minutes=0.5) == "cut off after 0.5 minutes"
    found = rl_ntm_results.read_run(run, tmp_path / run.name)
    assert found is not None
    assert not found["finished"]
    assert (tmp_path / "slow-0.1-0.log").exists()
    assert "| (none) |" in rl_ntm_results.page({"table4": [found]}) or found["success"] is not None


def test_results_of_earlier_folders_stay(tmp_path: Path) -> None:
    known = json.loads(rl_ntm_results.RESULTS.read_text(encoding="utf-8"))["table4"]
    assert joined(plan("table4"), known, tmp_path, rl_ntm_results.read_run) == known
    assert joined(plan("table4"), [], tmp_path, rl_ntm_results.read_run) == []
    first = plan("table4")[0]
    (tmp_path / first.name).mkdir()
    settings = {"command": "new", "commit": "c", "machine": {}, "versions": {}}
    text = json.dumps(settings)
    (tmp_path / first.name / "settings.json").write_text(text, encoding="utf-8")
    found = joined(plan("table4"), known, tmp_path, rl_ntm_results.read_run)
    assert found[0]["command"] == "new"
    assert found[1:] == known[1:]


def test_the_page_is_what_the_results_say() -> None:
    results = json.loads(rl_ntm_results.RESULTS.read_text(encoding="utf-8"))
    page = rl_ntm_results.page(results)
    assert rl_ntm_results.PAGE.read_text(encoding="utf-8") == page


def test_lengths_beyond_those_of_training() -> None:
    name = "rl-ntm/ForwardReverse"
    model, about = agents.load_pretrained(name), find_pretrained(name)
    point = rl_ntm_generalisation.at_length(model, about, 20, 50)
    assert point["length"] > about.hardest_level
    assert point["success"] > 0.8
    page = rl_ntm_generalisation.PAGE.read_text(encoding="utf-8")
    found = json.loads(rl_ntm_generalisation.RESULTS.read_text(encoding="utf-8"))
    assert page == rl_ntm_generalisation.page(found)
