"""`memory-envs benchmark` and `memory-envs report`."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.benchmark import launch
from agents.benchmark.run import Job, run
from agents.benchmark.suites import SUITES, Suite, Task
from agents.cli.main import main


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite of one task, run in this process."""
    suite = Suite("tiny", "one small task", (Task("copy", "Tape-Copy-Easy-v0", 2048),))
    monkeypatch.setitem(SUITES, "tiny", suite)

    def here(jobs: Sequence[Job], command: str, at_once: int, report: launch.Report) -> None:
        for job in jobs:
            report(job, run(job, command))

    monkeypatch.setitem(launch.LAUNCHERS, "processes", here)


def test_agents_are_run_once_and_compared(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "results")
    words = ["benchmark", "tiny", "--agent", "random", "--agent", "oracle", "--out", out]
    assert main([*words, "--seeds", "2"]) == 0
    shown = capsys.readouterr().out
    assert "4 runs, 0 of them done" in shown
    assert "random on copy, seed 0: score 0.000" in shown
    assert "| `oracle` | 1.000 |" in shown
    assert main([*words, "--seeds", "3"]) == 0
    assert "6 runs, 4 of them done" in capsys.readouterr().out
    assert main(["report", out, "--out", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "report.html").exists()


def test_without_a_suite_the_suites_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in SUITES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["benchmark", "tapes", "--agent", "random"], "suite is 'tapes'"),
        (["benchmark", "quick"], "--agent AGENT"),
        (["benchmark", "quick", "--agent", "nobody"], "agent is 'nobody'"),
        (["benchmark", "quick", "--agent", "random", "--seeds", "0"], "--seeds is 0"),
        (["benchmark", "quick", "--agent", "random", "--launcher", "slurm"], "--launcher"),
        (["report", "nowhere"], "nowhere is not there"),
    ],
)
def test_bad_usage_is_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
