"""RL-NTM's results as a page: ``python -m benchmarks.rl_ntm_results --runs FOLDER``.

Reads what `benchmarks.rl_ntm_runs` left in FOLDER, adds it to benchmarks/results/rl-ntm.json, where
earlier results of other runs stay, and writes docs/results/rl-ntm.md from that. Each file is
written whole or not at all.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from agents.saving.atomic import write_text
from benchmarks.recorded import (
    Record,
    circumstances,
    head,
    progress,
    row,
    short_commit,
    span,
    update,
)
from benchmarks.rl_ntm_runs import PLANS, Run, plan
from benchmarks.runs import parts

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "rl-ntm.json"
PAGE = ROOT / "docs" / "results" / "rl-ntm.md"
NOTES = PAGE.with_name("rl-ntm-notes.txt")  # written by hand, and put below the tables
SOLVED = 0.99
_TITLES = {
    "table4": "Table 4, our preset",
    "paper": "Table 4, the paper's settings",
    "hard": "Hard tasks",
    "ablation": "Ablations",
    "transfer": "From ForwardReverse to RepeatCopyForward",
}


def read_run(run: Run, folder: Path) -> Record | None:
    """What a training and its continuations did; None if it has not begun."""
    found = parts(folder)
    if not found:
        return None
    rows = [line for part in found for line in progress(part)]
    held_out = [line["evaluation/success"] for line in rows if line.get("evaluation/success")]
    levels = [int(float(line["curriculum/level"])) for line in rows if line.get("curriculum/level")]
    updates = [int(float(line["train/n_updates"])) for line in rows if line.get("train/n_updates")]
    about = circumstances(found)
    success = float(held_out[-1]) if held_out else None
    if about["finished"]:
        success = json.loads((found[-1] / "evaluation.json").read_text(encoding="utf-8"))["success"]
    return {
        "name": run.name,
        "task": run.task,
        "controller": run.controller,
        "variant": run.variant,
        "seed": run.seed,
        "success": success,
        "level": max(levels, default=0),
        "updates": updates[-1] if updates else 0,
        **about,
    }


def _solved(run: Record) -> bool:
    return bool(run["finished"] and run["success"] >= SOLVED)


def _columns(runs: list[Record]) -> list[str]:
    """What tells the groups of runs apart; a variant only where there is more than one."""
    varied = any(run["variant"] for run in runs)
    return ["task", "controller", "variant"] if varied else ["task", "controller"]


def _summary(name: str, runs: list[Record]) -> list[str]:
    """What became of a plan, group by group, also of those that have not begun."""
    columns = _columns(runs)
    numbers = ["planned", "solved", "updates", "minutes"]
    numbers += ["not solved", "updates", "minutes", "level"]
    lines = head(columns, numbers, [])
    planned = Counter(tuple(getattr(run, column) for column in columns) for run in plan(name))
    for key, count in planned.items():
        group = [run for run in runs if tuple(run[column] for column in columns) == key]
        good = [run for run in group if _solved(run)]
        others = [run for run in group if not _solved(run)]
        cells: list[Any] = [count, f"{len(good)} of {len(group)}"]
        cells += [span([run[what] for run in good]) for what in ("updates", "minutes")]
        cells.append(len(others) or "")
        cells += [span([run[what] for run in others]) for what in ("updates", "minutes", "level")]
        lines.append(row([*key, *cells]))
    return lines


def _table(runs: list[Record]) -> list[str]:
    columns = _columns(runs)
    numbers = ["seed", "success", "level", "updates", "steps", "minutes"]
    lines = head(columns, numbers, ["commit"])
    for run in runs:
        success = "none" if run["success"] is None else f"{run['success']:.3f}"
        success = success if run["finished"] else f"({success})"
        counts = [f"{run[key]:,}" for key in ("level", "updates", "steps")]
        cells = [run["seed"], success, *counts, run["minutes"], short_commit(run)]
        lines.append(row([*(run[name] for name in columns), *cells]))
    return lines


def page(results: dict[str, list[Record]]) -> str:
    """The page in Markdown."""
    lines = [
        "# RL-NTM: results",
        "",
        "Written by `python -m benchmarks.rl_ntm_results` from the folders that",
        "`python -m benchmarks.rl_ntm_runs` left. Success is the share of 1,000 fresh episodes of",
        "the hardest level alone that are right as a whole, most probable moves; 0.99 counts as",
        "solved. A training was cut off after its budget, whose minutes stand beside it: that it",
        "would have failed in the end is not shown. Its success, in brackets, is that of its last",
        "evaluation, on 256 held-out episodes. Solved trainings stop at the first evaluation that",
        "says so; there is one every 300,000 steps (`rl_ntm`) or 2,000,000 (`rl_ntm-paper`), so",
        "updates and minutes are that coarse. Level is the highest C of the curriculum. Each",
        "training has one thread of a machine with two cores that did other work at the same",
        "time.",
    ]
    for name, title in _TITLES.items():
        if runs := results.get(name):
            lines += ["", f"## {title}", "", f"For example: `{runs[0]['command']}`"]
            lines += ["", *_summary(name, runs), "", "Every run:", "", *_table(runs)]
    return "\n".join(lines) + "\n" + NOTES.read_text(encoding="utf-8")


def main() -> None:
    """Write the results and their page."""
    results = update(__doc__.splitlines()[0], RESULTS, PLANS, plan, read_run)
    write_text(PAGE, page(results))


if __name__ == "__main__":
    main()
