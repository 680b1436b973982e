"""POPGym beside its paper: ``python -m benchmarks.popgym_results [--results FOLDER]``.

Adds the results in FOLDER, which `memory-envs benchmark popgym` filled, to
benchmarks/results/popgym.json, in place of earlier ones of the same runs; and writes
docs/results/popgym.md from that file and from what the paper published. Without a result there is
neither; the first page is to be named in docs/index.md and docs/results/index.md.

MMER is the paper's measure: the maximum over a training of the mean episodic reward, where the mean
is that of the episodes in one batch of 65,536 steps.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from agents.benchmark.own import training_parts
from agents.benchmark.reading import Run, read_runs
from agents.benchmark.suites import SUITES
from agents.saving.atomic import write_text
from benchmarks.accepted import check_result
from benchmarks.popgym_page import AGENTS, page
from benchmarks.popgym_paper import read_paper
from benchmarks.recorded import Record

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "popgym.json"
PAGE = ROOT / "docs" / "results" / "popgym.md"
SUITE = SUITES["popgym"]


def training_mmer(curve: Iterable[tuple[int, float]], batch: int) -> float | None:
    """Returns the highest mean return of a batch of training steps.

    Args:
        curve: Steps, and the mean return of the latest episodes of training at them.
        batch: Steps whose means are taken together.

    Returns:
        None if the training was shorter than one batch. Steps after the last whole batch do not
        count, since a mean of few episodes is easily high.
    """
    found: dict[int, list[float]] = defaultdict(list)
    last = 0
    for steps, mean in curve:
        found[(steps - 1) // batch].append(mean)
        last = max(last, steps)
    whole = [fmean(means) for number, means in found.items() if (number + 1) * batch <= last]
    return max(whole, default=None)


def training_curve(folder: Path) -> list[tuple[int, float]]:
    """Returns the steps of a run's training, and the mean return of the latest episodes at them."""
    columns = [part.read_progress() for part in training_parts(folder) if part.progress.exists()]
    # What was done again after a kill is what the model learned from.
    points: dict[int, float] = {}
    for found in columns:
        new = found.get("rollout/ep_rew_mean", [])
        first = min((steps for steps, _ in new), default=None)
        if first is not None:
            points = {steps: mean for steps, mean in points.items() if steps < first}
        points.update(new)
    return sorted(points.items())


def record(run: Run, batch: int) -> Record:
    """Returns what is kept of a result.

    Args:
        run: The result, and the folder of its run.
        batch: See `training_mmer`.
    """
    result = run.result
    highest = training_mmer(training_curve(run.source), batch)
    held_out = max((point.return_mean for point in result.curve), default=None)
    names = ("commit", "machine", "versions")
    return {
        **{name: getattr(result, name) for name in ("task", "agent", "seed", "steps")},
        "training": None if highest is None else round(highest, 4),
        "held_out": None if held_out is None else round(held_out, 4),
        "evaluations": len(result.curve),
        "return_mean": round(result.evaluation["return_mean"], 4),
        "minutes": round(result.minutes, 2),
        "command": result.command,
        **{name: result.provenance.get(name) for name in names},
    }


def keep(runs: Sequence[Run]) -> None:
    """Adds results to the file of results, in place of earlier ones of the same runs.

    Raises:
        ValueError: If a result is not one that is published, see `check_result`.
    """
    paper = read_paper()
    for run in runs:
        check_result(run.result, [SUITE.name], AGENTS, paper.trials)
    found = {_key(known): known for known in kept()}
    for run in runs:
        new = record(run, paper.batch)
        found[_key(new)] = new
    text = json.dumps([found[key] for key in sorted(found)], indent=1) + "\n"
    write_text(RESULTS, text)


def _key(known: Record) -> tuple[int, int, int]:
    names = [task.name for task in SUITE.tasks]
    return names.index(known["task"]), list(AGENTS).index(known["agent"]), known["seed"]


def kept() -> list[Record]:
    """Returns what was kept so far, in the order of tasks, agents and seeds."""
    if not RESULTS.exists():
        return []
    found: list[dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def pages() -> dict[Path, str]:
    """Returns the files that show results; none if there are none."""
    records = kept()
    return {PAGE: page(records, read_paper())} if records else {}


def main() -> None:
    """Keeps new results if there are some, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, help="a folder that `memory-envs benchmark` filled")
    folder = parser.parse_args().results
    if folder is not None:
        keep(read_runs([folder]))
    for path, text in pages().items():
        write_text(path, text)


if __name__ == "__main__":
    main()
