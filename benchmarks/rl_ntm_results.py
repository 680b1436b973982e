"""RL-NTM's results as a page: ``python -m benchmarks.rl_ntm_results --runs FOLDER``.

Reads what `benchmarks.rl_ntm_runs` left in FOLDER, adds it to benchmarks/results/rl-ntm.json, where
earlier results of other runs stay, and writes docs/results/rl-ntm.md from that. Each file is
written whole or not at all.
"""

import argparse
import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from agents.saving.atomic import write_text
from benchmarks.results import without_folder
from benchmarks.rl_ntm_runs import PLANS, Run, plan
from benchmarks.runs import has_ended, minutes_spent, parts

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


def read_run(run: Run, folder: Path) -> dict[str, Any] | None:
    """What a training and its continuations did; None if it has not begun."""
    found = parts(folder)
    if not found:
        return None
    settings = json.loads((found[0] / "settings.json").read_text(encoding="utf-8"))
    rows = [row for part in found for row in _progress(part)]
    held_out = [float(row["evaluation/success"]) for row in rows if row.get("evaluation/success")]
    levels = [int(float(row["curriculum/level"])) for row in rows if row.get("curriculum/level")]
    updates = [int(float(row["train/n_updates"])) for row in rows if row.get("train/n_updates")]
    finished = has_ended(found[-1])
    success = None
    if finished:
        success = json.loads((found[-1] / "evaluation.json").read_text(encoding="utf-8"))["success"]
    return {
        "task": run.task,
        "controller": run.controller,
        "variant": run.variant,
        "seed": run.seed,
        "command": without_folder(settings["command"]),
        "finished": finished,
        "success": success if finished else next(reversed(held_out), None),
        "level": max(levels, default=0),
        "updates": updates[-1] if updates else 0,
        "steps": int(float(rows[-1]["time/total_timesteps"])) if rows else 0,
        "minutes": round(sum(map(minutes_spent, found)), 1),
        "commit": settings["commit"],
        "machine": settings["machine"],
        "versions": settings["versions"],
    }


def _progress(part: Path) -> list[dict[str, str]]:
    path = part / "progress.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _solved(run: dict[str, Any]) -> bool:
    return bool(run["finished"] and run["success"] >= SOLVED)


def _columns(runs: list[dict[str, Any]]) -> list[str]:
    """What tells the groups of runs apart; a variant only where there is more than one."""
    varied = any(run["variant"] for run in runs)
    return ["task", "controller", "variant"] if varied else ["task", "controller"]


def _row(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _span(values: list[Any]) -> str:
    """The lowest and the highest."""
    if not values:
        return ""
    ends = [f"{value:,}" for value in (min(values), max(values))]
    return ends[0] if ends[0] == ends[1] else " - ".join(ends)


def _summary(name: str, runs: list[dict[str, Any]]) -> list[str]:
    """What became of a plan, group by group, also of those that have not begun."""
    columns = _columns(runs)
    numbers = ["planned", "solved", "updates", "minutes"]
    numbers += ["not solved", "updates", "minutes", "level"]
    lines = [_row([*columns, *numbers]), _row([*["---"] * len(columns), *["---:"] * len(numbers)])]
    planned = Counter(tuple(getattr(run, column) for column in columns) for run in plan(name))
    for key, count in planned.items():
        group = [run for run in runs if tuple(run[column] for column in columns) == key]
        good = [run for run in group if _solved(run)]
        others = [run for run in group if not _solved(run)]
        cells: list[Any] = [count, f"{len(good)} of {len(group)}"]
        cells += [_span([run[what] for run in good]) for what in ("updates", "minutes")]
        cells.append(len(others) or "")
        cells += [_span([run[what] for run in others]) for what in ("updates", "minutes", "level")]
        lines.append(_row([*key, *cells]))
    return lines


def _table(runs: list[dict[str, Any]]) -> list[str]:
    columns = _columns(runs)
    numbers = ["seed", "success", "level", "updates", "steps", "minutes"]
    lines = [_row([*columns, *numbers, "commit"])]
    lines.append(_row([*["---"] * len(columns), *["---:"] * len(numbers), "---"]))
    for run in runs:
        success = "none" if run["success"] is None else f"{run['success']:.3f}"
        success = success if run["finished"] else f"({success})"
        counts = [f"{run[key]:,}" for key in ("level", "updates", "steps")]
        dirty = "+" if run["commit"].endswith("+") else ""
        cells = [run["seed"], success, *counts, run["minutes"], run["commit"][:7] + dirty]
        lines.append(_row([*(run[name] for name in columns), *cells]))
    return lines


def page(results: dict[str, list[dict[str, Any]]]) -> str:
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


def joined(name: str, known: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The runs of a plan, in its order: those of a folder, and what was known of the others."""
    keys = ("task", "controller", "variant", "seed")
    before = {tuple(run[key] for key in keys): run for run in known}
    runs = [
        read_run(run, folder / run.name) or before.get(tuple(getattr(run, key) for key in keys))
        for run in plan(name)
    ]
    return [run for run in runs if run]


def main() -> None:
    """Write the results and their page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, help="folder of all trainings")
    folder = parser.parse_args().runs
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in PLANS if folder else ():
        results[name] = joined(name, results.get(name, []), folder / name)
    write_text(RESULTS, json.dumps(results, indent=1) + "\n")
    write_text(PAGE, page(results))


if __name__ == "__main__":
    main()
