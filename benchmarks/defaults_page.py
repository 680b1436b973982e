"""The page and the picture of what the defaults reach.

    python -m benchmarks.defaults_page RECORDS [RECORDS ...]

Gathers the files that `benchmarks.defaults run` left and writes benchmarks/results/defaults.json,
docs/results/defaults.md and docs/images/defaults.png. Without files, it writes the page and the
picture again from benchmarks/results/defaults.json.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any, TypeAlias

from agents.saving.atomic import write_text
from benchmarks.defaults import TENTHS, read
from benchmarks.panel import ALGORITHMS, PANEL, ROWS, Algorithm, Task

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "defaults.json"
PAGE = ROOT / "docs" / "results" / "defaults.md"
PICTURE = ROOT / "docs" / "images" / "defaults.png"
NOTES = PAGE.with_name("defaults-notes.txt")  # written by hand, and put below the table

Record: TypeAlias = dict[str, Any]
_COLOURS = {"MemoryPPO": "C0", "RecurrentPPO": "C1"}


def gather(paths: list[Path]) -> list[Record]:
    """Returns the records of all files in the panel's order, one for each training."""
    found = {(r["task"], r["algorithm"], r["seed"]): r for path in paths for r in read(path)}
    names = [task.name for task in PANEL]
    return [
        found[key]
        for key in sorted(found, key=lambda k: (names.index(k[0]), ALGORITHMS.index(k[1]), k[2]))
    ]


def verdict(ours: list[float], theirs: list[float]) -> str:
    """Says which of two samples of final returns is better, as far as their seeds can.

    "better" and "worse" stand where the means differ by more than the larger of the two ranges
    from the lowest to the highest seed; "higher" and "lower" where they differ by less, or where
    one seed of an algorithm has no range.
    """
    if not ours or not theirs:
        return "not run"
    difference = statistics.fmean(ours) - statistics.fmean(theirs)
    if min(len(ours), len(theirs)) < 2:
        return "higher, one seed" if difference > 0 else "lower, one seed"
    noise = max(max(sample) - min(sample) for sample in (ours, theirs))
    if abs(difference) <= noise:
        return "higher, within noise" if difference > 0 else "lower, within noise"
    return "better" if difference > 0 else "worse"


def page(records: list[Record]) -> str:
    """Returns the records as a page in Markdown."""
    commits = sorted({(record["algorithm"], record["commit"][:7]) for record in records})
    versions = {name: v for record in records for name, v in record["versions"].items()}
    lines = [
        "# The defaults",
        "",
        "What `MemoryPPO` and sb3-contrib's `RecurrentPPO` reach with no argument but policy and",
        f"environment ({ROWS} rows), by `python -m benchmarks.defaults run`; this page is written",
        "by `python -m benchmarks.defaults_page`. A number is the mean return of the episodes that",
        "ended in the last tenth of the training, in brackets that of each seed, then the mean",
        "of 100 episodes each after it, with sampled actions.",
        "",
        "| task | steps | MemoryPPO | after | RecurrentPPO | after | MemoryPPO is |",
        "| --- | ---: | --- | ---: | --- | ---: | --- |",
    ]
    for task in PANEL:
        finals = {name: _numbers(records, task, name, "final") for name in ALGORITHMS}
        row = [task.name, f"{task.steps:,}"]
        for name in ALGORITHMS:
            after = _numbers(records, task, name, "evaluation")
            row += [_sample(finals[name]), _number(after)]
        row.append(verdict(finals["MemoryPPO"], finals["RecurrentPPO"]))
        lines.append(f"| {' | '.join(row)} |")
    lines += [
        "",
        '"Better" and "worse" stand where the means differ by more than the range of the seeds of',
        "either algorithm; one seed says neither.",
        "",
        "![Learning curves](../images/defaults.png)",
        "",
        "Mean return of the episodes that ended in each tenth of the training; thin lines are",
        "seeds, thick ones their means.",
        "",
        "What the tasks need memory for:",
        "",
        *(f"- {task.name}: {task.why}" for task in PANEL),
        "",
        f"Seeds {', '.join(str(s) for s in sorted({r['seed'] for r in records}))}; machine: "
        f"{', '.join(sorted({r['machine'] for r in records}))}, one thread each; commits: "
        f"{', '.join(f'{algorithm} {commit}' for algorithm, commit in commits)}; "
        f"{', '.join(f'{name} {v}' for name, v in sorted(versions.items()))}.",
        "",
    ]
    return "\n".join(lines) + NOTES.read_text(encoding="utf-8")


def _numbers(records: list[Record], task: Task, algorithm: Algorithm, field: str) -> list[float]:
    return [
        record[field]
        for record in records
        if (record["task"], record["algorithm"]) == (task.name, algorithm)
    ]


def _number(numbers: list[float]) -> str:
    if not numbers:
        return "-"
    mean = statistics.fmean(numbers)
    return f"{mean:,.0f}" if abs(mean) >= 10 else f"{mean:.2f}"


def _sample(numbers: list[float]) -> str:
    return f"**{_number(numbers)}** ({', '.join(_number([n]) for n in numbers)})"


def draw(records: list[Record], path: Path) -> None:
    """Draws the learning curves of every task."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7.5), layout="constrained")
    axes = figure.subplots(3, 3)
    for place, task in zip(axes.flat, PANEL, strict=True):
        steps = [task.steps * (part + 0.5) / TENTHS / 1000 for part in range(TENTHS)]
        for name in ALGORITHMS:
            curves = _curves(records, task, name)
            for curve in curves:
                place.plot(steps, curve, color=_COLOURS[name], linewidth=0.6, alpha=0.6)
            if curves:
                means = [statistics.fmean(column) for column in zip(*curves, strict=True)]
                place.plot(steps, means, color=_COLOURS[name], linewidth=2, label=name)
        place.set_title(task.name, fontsize=9)
        place.tick_params(labelsize=8)
    axes[0][0].legend(fontsize=8)
    figure.supxlabel("environment steps, thousands", fontsize=9)
    figure.supylabel("mean return", fontsize=9)
    figure.savefig(path, dpi=80)


def _curves(records: list[Record], task: Task, algorithm: Algorithm) -> list[list[float]]:
    """The learning curves of all seeds; where no episode ended, there is no number."""
    return [
        [float("nan") if value is None else value for value in record["curve"]]
        for record in records
        if (record["task"], record["algorithm"]) == (task.name, algorithm)
    ]


def main(paths: list[str]) -> None:
    """Writes results, page and picture."""
    records = gather([Path(path) for path in paths] or [RESULTS])
    write_text(RESULTS, json.dumps(records, indent=1) + "\n")
    write_text(PAGE, page(records))
    draw(records, PICTURE)


if __name__ == "__main__":
    main(sys.argv[1:])
