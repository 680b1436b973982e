"""One run of the benchmark: an agent, a task, a seed, in a process of its own.

``python -m agents.benchmark.run JOB`` is what the launchers start; JOB is a job as JSON.
"""

from __future__ import annotations

import fcntl
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents.benchmark.entrants import find_agent
from agents.benchmark.results import RESULT, Result, ResultError, read_result, write_result
from agents.benchmark.suites import SUITES, Task
from agents.benchmark.trial import Trial
from agents.saving.atomic import write_json
from agents.training.provenance import provenance, versions

INTERRUPTED, ELSEWHERE = 130, 75  # exit codes; the second is that of "try again later"
_CLOCK, _LOCK = "clock.json", "lock"
_TICK = 10.0  # seconds between two looks at the clock


@dataclass(frozen=True)
class Job:
    """What to run.

    Attributes:
        suite: The suite's name.
        task: The task's name in it.
        agent: What the command line calls the agent.
        seed: Seed of the training.
        out: The folder of all results.
    """

    suite: str
    task: str
    agent: str
    seed: int
    out: str

    @property
    def folder(self) -> Path:
        """The folder of this run alone."""
        names = (self.suite, self.task, self.agent)
        return Path(self.out, *map(_file_name, names), f"seed-{self.seed}")

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        return f"{self.agent} on {self.task}, seed {self.seed}"

    def find_task(self) -> Task:
        """Returns the task."""
        task = SUITES[self.suite].find(self.task)
        assert task is not None, self.title
        return task

    def result(self) -> Result | None:
        """Returns what it came to; None if it has not been run to its end.

        Raises:
            ResultError: If its file is damaged, that of an agent with nearly the same name, which
                has the same folder, or of a suite as it was once, with another environment.
        """
        path = self.folder / RESULT
        if not path.exists():
            return None
        found = read_result(path)
        if found.agent != self.agent:
            raise ResultError(
                f"{path} is a result of agent {found.agent!r}, not of {self.agent!r}; allowed: the "
                "same words for the same agent, and another folder for another"
            )
        if found.env != (env := self.find_task().env):
            raise ResultError(
                f"{path}: env is {found.env!r}; allowed: {env!r}, as it is in the suite today, and "
                "another folder for it"
            )
        return found


class RunningElsewhereError(Exception):
    """Another process is at this run."""


def run(job: Job, command: str = "") -> Result:
    """Runs a job, or goes on where it was interrupted; one that is done is only read.

    An agent of this project goes on from its last checkpoint. Others begin again, unless they keep
    something in the trial's folder themselves.

    Args:
        job: The job.
        command: The command that does the same again, for the result.

    Raises:
        RunningElsewhereError: If another process is at it.
        ResultError: If its result is there and damaged, see `Job.result`.
        Exception: Whatever the agent raises.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    with _alone(job):
        done = job.result()
        if done is not None:
            return done
        with _clocked(job.folder) as clock:
            task = job.find_task()
            trial = Trial(task, job.seed, job.folder)
            policy = find_agent(job.agent)(trial)
            evaluation = trial.judge(policy)
        result = Result(
            suite=job.suite,
            task=job.task,
            env=task.env,
            agent=job.agent,
            seed=job.seed,
            timesteps=task.timesteps,
            steps=trial.steps,
            evaluation=evaluation.to_dict(),
            curve=tuple(trial.curve),
            minutes=round(clock["minutes"], 3),
            parts=clock["parts"],
            command=command,
            provenance=_provenance(SUITES[job.suite].needs),
        )
        write_result(result, job.folder)
        return result


def _provenance(package: str | None) -> dict[str, Any]:
    """Returns where a result comes from, with the version of the package that has the tasks."""
    found = provenance()
    if package is not None:
        found["versions"] |= versions([package])
    return found


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    """Lets one process at a time into a run's folder; the lock ends with the process.

    On a file system that knows no locks nothing would be kept apart, and the error stands.
    """
    with (job.folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunningElsewhereError(f"{job.title} is being run by another process") from None
        yield


@contextmanager
def _clocked(folder: Path) -> Iterator[dict[str, Any]]:
    """Adds the minutes of a block to those of earlier parts, up to their end or their last tick."""
    path = folder / _CLOCK
    clock = {"parts": 0, "minutes": 0.0}
    if path.exists():
        clock = json.loads(path.read_text(encoding="utf-8"))
    clock["parts"] += 1
    before, began, over = clock["minutes"], time.monotonic(), threading.Event()

    def look() -> None:
        clock["minutes"] = before + (time.monotonic() - began) / 60
        write_json(path, clock)

    def tick() -> None:  # a part that is killed has no other chance
        while not over.wait(_TICK):
            look()

    look()
    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield clock
    finally:
        over.set()
        ticking.join()
        look()


def _file_name(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9._=+-]+", "_", words)


def job_words(job: Job, command: str) -> str:
    """Returns a job as the argument of this module."""
    return json.dumps({"job": asdict(job), "command": command})


def main() -> int:
    """Runs the job of the command line."""
    given = json.loads(sys.argv[1])
    from agents.benchmark.own import InterruptedTrialError

    try:
        run(Job(**given["job"]), given["command"])
    except (InterruptedTrialError, KeyboardInterrupt) as end:
        print(str(end) or "interrupted", flush=True)
        return INTERRUPTED
    except RunningElsewhereError as error:
        print(error, flush=True)
        return ELSEWHERE
    return 0


if __name__ == "__main__":
    sys.exit(main())
