"""The trainings behind RL-NTM's results: ``python -m benchmarks.rl_ntm_runs PLAN --runs FOLDER``.

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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from agents.training.plan import FinishedError, next_plan
from agents.training.run_directory import RunDirectory

TASKS = ("Copy", "DuplicatedInput", "Reverse", "RepeatCopy", "ForwardReverse")
HARD_TASKS = ("RepeatCopyForward", "Sort", "Addition")
_SUCCESS = "0.99"  # of whole sequences at the hardest level
# Each variant changes one setting of our preset.
ABLATIONS = {
    "as it is": "",
    "no causality": "algorithm.causality=false",
    "no online baseline": "algorithm.online_baseline=false",
    "no offline baseline": "algorithm.offline_baseline=false",
    "no curriculum": "curriculum=null",
    "inverse temperature 0.1": "policy.inverse_temperature=0.1",
    "log-probability as reward": "algorithm.reward=log_prob",
    "log-probability as reward, no discount": "algorithm.reward=log_prob algorithm.gamma=1.0",
    "entropy bonus 0.01": "algorithm.ent_coef=0.01",
    "gain of 1 at the start": "policy.gain=1.0",
    "content not through shortcuts alone": "policy.free_symbols=true",
    "window of one cell": "env_kwargs.input_radius=0",
}
# It trains fastest of the tasks that the paper solved with a curriculum only.
ABLATED = "Reverse"
# RepeatCopyForward is learned in stages. Each begins with the parameters that the one before ended
# with, the first with those of the pretrained ForwardReverse, which can write to the memory tape
# and read it. On a tape of ten cells, a head that goes on to the right comes to the start of the
# phrase again. Moves that are less random than our preset's keep the habit of writing cell after
# cell alive until it pays.
TRANSFER_FROM = "rl-ntm/ForwardReverse"
TRANSFER = (
    "curriculum=null policy.memory_size=10 policy.inverse_temperature=2.0 algorithm.ent_coef=0.02"
)
SHORTEST_PHRASES = (9, 8)  # One for each stage; the longest phrase is 9.
PLANS = ("table4", "paper", "hard", "ablation", "transfer")


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        name: The name of its folder.
        task: A task of the tape family, played in its hard tier.
        algorithm: "rl_ntm" or "rl_ntm-paper".
        controller: The kind of its controller.
        seed: Seed of everything random.
        changes: Changes of the preset, as `--set` takes them.
        variant: What the changes amount to.
        start_from: The pretrained model, or the name of the run of this plan, whose parameters it
            starts with.
    """

    name: str
    task: str
    algorithm: str
    controller: str
    seed: int
    changes: list[str] = field(default_factory=list)
    variant: str = ""
    start_from: str = ""

    def command(self, folder: Path) -> list[str]:
        """Returns its arguments; `folder` is that of the plan's runs."""
        words = ["train", "--env", f"Tape-{self.task}-Hard-v0", "--algo", self.algorithm]
        words += ["--memory", self.controller, "--seed", str(self.seed)]
        words += ["--stop-at-success", _SUCCESS]
        if self.start_from:
            earlier = parts(folder / self.start_from)
            words += ["--start-from", str(earlier[-1]) if earlier else self.start_from]
        return [*words, "--set", *self.changes] if self.changes else words


def _runs(algorithm: str, controller: str, tasks: tuple[str, ...], seeds: int) -> Iterator[Run]:
    for seed in range(seeds):  # all tasks once before any twice
        for task in tasks:
            yield Run(f"{task}-{algorithm}-{controller}-{seed}", task, algorithm, controller, seed)


def _ablation() -> Iterator[Run]:
    for seed in range(3):
        for variant, changes in ABLATIONS.items():
            name = f"{variant.replace(' ', '-')}-{seed}"
            words = changes.split()
            yield Run(name, ABLATED, "rl_ntm", "direct_access", seed, words, variant)


def _transfer() -> Iterator[Run]:
    for seed in range(3):
        start = TRANSFER_FROM
        for shortest in SHORTEST_PHRASES:
            lengths = (
                f"{name}.min_length={shortest}" for name in ("env_kwargs", "evaluation_kwargs")
            )
            changes = [*TRANSFER.split(), *lengths]
            name, variant = f"phrases-from-{shortest}-{seed}", f"phrases of {shortest} to 9"
            task, memory = "RepeatCopyForward", "direct_access"
            yield Run(name, task, "rl_ntm", memory, seed, changes, variant, start)
            start = name


def plan(name: str) -> list[Run]:
    """Returns the trainings of a plan, the most telling first."""
    return {
        "table4": [
            *_runs("rl_ntm", "direct_access", TASKS, 5),
            *_runs("rl_ntm", "lstm", TASKS, 3),
            *_runs("rl_ntm", "feedforward", TASKS, 1),
        ],
        "paper": [
            *_runs("rl_ntm-paper", "direct_access", TASKS, 3),
            *_runs("rl_ntm-paper", "lstm", TASKS, 2),
        ],
        "hard": list(_runs("rl_ntm", "direct_access", HARD_TASKS, 3)),
        "ablation": list(_ablation()),
        "transfer": list(_transfer()),
    }[name]


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


def main() -> None:
    """Trains what is not trained yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", choices=PLANS)
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


if __name__ == "__main__":
    main()
