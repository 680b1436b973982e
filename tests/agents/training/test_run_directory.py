"""Runs that start at the same moment have folders of their own."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from agents.training import run_directory
from agents.training.run_directory import RunDirectory, TakenError, claim_new

ROOT = Path(__file__).parents[3]
STARTS = """
import sys, time
from pathlib import Path
from threading import Barrier, Thread
from agents.training.run_directory import claim_new

while time.time() < float(sys.argv[2]):
    pass
barrier = Barrier(25)
def start():
    barrier.wait()
    path = claim_new(Path(sys.argv[1]), "Tape-Copy-v0", "ppo", "lstm", 0).path
    sys.stdout.write(f"{path}\\n")
threads = [Thread(target=start) for _ in range(25)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.fixture
def _stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Clock":
            return cls(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(run_directory, "datetime", Clock)


@pytest.mark.usefixtures("_stopped_clock")
def test_two_hundred_starts_at_once_have_two_hundred_folders(tmp_path: Path) -> None:
    barrier = threading.Barrier(200)

    def start(_number: int) -> Path:
        barrier.wait()
        return claim_new(tmp_path / "runs", "A/b c-v0", "ppo", "lstm", 7).path

    with ThreadPoolExecutor(200) as pool:
        paths = list(pool.map(start, range(200)))
    name = "A-b-c-v0-ppo-lstm-7-20260102-030405"
    expected = [name, *(f"{name}-{number}" for number in range(2, 201))]
    assert sorted(path.name for path in paths) == sorted(expected)
    for path in paths:
        assert os.listdir(path) == ["checkpoints"]


def test_processes_do_not_share_a_folder_either(tmp_path: Path) -> None:
    """Eight processes that start 25 runs each, all within one second."""
    import time

    command = [sys.executable, "-c", STARTS, str(tmp_path / "runs"), str(time.time() + 10)]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    claimed = [line for process in started for line in process.communicate()[0].splitlines()]
    assert len(claimed) == len(set(claimed)) == 200
    assert sorted(os.listdir(tmp_path / "runs")) == sorted(Path(path).name for path in claimed)


def test_one_of_many_gets_the_folder_that_all_name(tmp_path: Path) -> None:
    barrier = threading.Barrier(50)

    def start(_number: int) -> bool:
        barrier.wait()
        try:
            RunDirectory(tmp_path / "deep" / "run").claim()
        except TakenError:
            return False
        return True

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(start, range(50))) == 1


def test_only_a_new_or_an_empty_folder_is_taken(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").touch()
    RunDirectory(tmp_path / "run").claim()
    for path in (tmp_path / "run", full, Path(__file__)):
        for take in (RunDirectory(path).claim, RunDirectory(path).check_free):
            with pytest.raises(TakenError, match=r"--out is '.*'; allowed: a new or an empty fol"):
                take("--out")
    assert os.listdir(full) == ["notes.txt"]
    with pytest.raises(NotADirectoryError):
        RunDirectory(Path(__file__) / "run").claim()


def test_who_comes_between_the_look_and_the_taking_has_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = RunDirectory.check_free

    def overtaken(run: RunDirectory, name: str = "out") -> None:
        look(run, name)
        run.checkpoints.mkdir()

    monkeypatch.setattr(RunDirectory, "check_free", overtaken)
    with pytest.raises(TakenError):
        RunDirectory(tmp_path / "run").claim()


def test_the_newest_model_is_the_last_that_was_written(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.claim()
    with pytest.raises(ValueError, match=r"holds no model\.zip and no checkpoint"):
        run.newest_model()
    run.latest.touch()
    assert run.newest_model() == run.newest_checkpoint() == run.latest
    run.model.touch()
    assert run.newest_model() == run.model
