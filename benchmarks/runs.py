"""Many trainings, some at the same time, each continued where it was cut off.

Each training is a `memory-envs train` of its own, in a folder of its own below FOLDER/PLAN. One
that is done is left as it is; one that was cut off is continued. So the same command, given again,
goes on where it stopped.
"""

import argparse
import csv
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agents.training.plan import FinishedError, next_plan
from agents.training.run_directory import RunDirectory


class Run(Protocol):
    """One training."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        ...

    def command(self, folder: Path) -> list[str]:
        """Returns its arguments for `memory-envs`; `folder` is that of the plan's runs."""
        ...


@dataclass(frozen=True)
class PresetRun:
    """A training with a preset, some of its settings changed.

    Attributes:
        name: The name of its folder.
        env: The environment's id.
        algorithm: A name in `agents.algorithms.table.ALGORITHMS`.
        memory: The name of the memory.
        seed: Seed of everything random.
        changes: Changes of the preset, as `--set` takes them.
        variant: What tells it from others of that agent, if anything does.
        stop_at: Share of successes at which it ends early, if at any.
    """

    name: str
    env: str
    algorithm: str
    memory: str
    seed: int
    changes: list[str] = field(default_factory=list)
    variant: str = ""
    stop_at: float | None = None

    @property
    def agent(self) -> str:
        """Algorithm, memory, and the variant if there is one."""
        return f"{self.algorithm}/{self.memory}" + (f", {self.variant}" if self.variant else "")

    def command(self, folder: Path) -> list[str]:
        """Returns its arguments; `folder` is that of the plan's runs."""
        words = ["train", "--env", self.env, "--algo", self.algorithm, "--memory", self.memory]
        words += ["--seed", str(self.seed)]
        words += [] if self.stop_at is None else ["--stop-at-success", str(self.stop_at)]
        return [*words, "--set", *self.changes] if self.changes else words


def parts(folder: Path) -> list[Path]:
    """Returns the folders of a training: the first, and those that continued it."""
    later = folder.parent.glob(f"{folder.name}+*[0-9]")
    found = [folder, *sorted(later, key=lambda part: int(part.name.rpartition("+")[2]))]
    return [part for part in found if (part / "settings.json").exists()]


def has_ended(part: Path) -> bool:
    """Says whether a training came to its end, rather than being cut off, and was evaluated."""
    if not (part / "evaluation.json").exists():
        return False
    try:
        next_plan(RunDirectory(part))
    except FinishedError:
        return True
    return False


def minutes_spent(part: Path) -> float:
    """Returns how long a training learned, as its progress says."""
    path = part / "progress.csv"
    if not path.exists():
        return 0.0
    with path.open(encoding="utf-8", newline="") as file:
        times = [row.get("time/time_elapsed") for row in csv.DictReader(file)]
    return max((float(time) / 60 for time in times if time), default=0.0)


def train(run: Run, folder: Path, minutes: float) -> str:
    """Begins a training, or continues it where it was cut off.

    Args:
        run: What to train.
        folder: Where it belongs.
        minutes: Time for all parts of the training; then it is interrupted, its model kept.

    Returns:
        What became of it.
    """
    before = parts(folder)
    if before and has_ended(before[-1]):
        return "was done"
    left = minutes - sum(map(minutes_spent, before))
    if left < 0.1:
        return f"was cut off after {minutes:g} minutes"
    arguments, out = run.command(folder.parent), folder
    if before:
        out = folder.with_name(f"{folder.name}+{len(before)}")
        arguments = ["train", "--continue-from", str(before[-1])]
    if out.exists():  # begun, but stopped before its first file
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "agents.cli.main", *arguments, "--out", str(out)]
    with out.with_name(f"{out.name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        try:
            process.wait(left * 60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            process.wait()
            return f"cut off after {minutes:g} minutes"
    return {0: "success", 1: "ended without success"}.get(
        process.returncode, f"exit code {process.returncode}: {shlex.join(command)}"
    )


def train_plan(
    description: str, plans: Iterable[str], plan: Callable[[str], Sequence[Run]]
) -> None:
    """Trains what is not trained yet of a plan that the command line names.

    Args:
        description: What is trained, for the help text.
        plans: The names of the plans.
        plan: Returns the trainings of a plan, the most telling first.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("plan", choices=list(plans))
    parser.add_argument("--runs", type=Path, required=True, help="folder of all trainings")
    parser.add_argument("--minutes", type=float, default=30.0, help="for each training")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at the same time")
    parser.add_argument("--only", default="", help="names that contain this")
    arguments = parser.parse_args()
    runs = [run for run in plan(arguments.plan) if arguments.only in run.name]

    def work(run: Run) -> None:
        outcome = train(run, arguments.runs / arguments.plan / run.name, arguments.minutes)
        print(f"{run.name}: {outcome}", flush=True)

    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(work, runs))
