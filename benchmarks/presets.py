"""The table of what the presets reach: ``python -m benchmarks.presets RUN [RUN ...]``.

Reads the folders that `memory-envs train` leaves and writes benchmarks/results/presets.json and
docs/results/presets.md, each whole or not at all.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

from agents.saving.atomic import write_text
from benchmarks.results import without_folder
from benchmarks.runs import has_ended

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "presets.json"
PAGE = ROOT / "docs" / "results" / "presets.md"
NOTES = PAGE.with_name("presets-notes.txt")  # written by hand, and put below the table
COMMAND = "memory-envs train --env ENV --seed SEED --stop-at-success 0.97"
_REACHED = 0.95


def read_run(folder: Path) -> dict[str, Any]:
    """Returns what one run did; for an interrupted one, its last evaluation counts."""
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    with (folder / "progress.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    seconds = [float(row["time/time_elapsed"]) for row in rows if row["time/time_elapsed"]]
    held_out = [float(row["evaluation/success"]) for row in rows if row["evaluation/success"]]
    evaluation = None
    if has_ended(folder):
        evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    return {
        "env": settings["env"],
        "agent": f"{settings['algorithm']}/{settings['memory']}",
        "seed": settings["seed"],
        "command": without_folder(settings["command"]),
        "finished": evaluation is not None,
        "success": evaluation["success"] if evaluation else held_out[-1],
        "steps": int(float(rows[-1]["time/total_timesteps"])),
        "minutes": round(seconds[-1] / 60, 1),
        "commit": settings["commit"],
        "machine": settings["machine"],
        "versions": settings["versions"],
    }


def page(runs: list[dict[str, Any]]) -> str:
    """Returns the runs as a page in Markdown."""
    lines = [
        "# What the presets reach",
        "",
        "Written by `python -m benchmarks.presets` from the folders that these commands left, one",
        "for each environment and seed, on one thread of a busy machine with two cores:",
        "",
        "```console",
        COMMAND,
        "```",
        "",
        "Success is that of 1,000 fresh episodes of all lengths, most probable actions. A run that",
        "was interrupted shows its last evaluation on 256 held-out episodes, in brackets.",
        "",
        "| environment | agent | seed | success | steps | minutes | commit |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for run in runs:
        success = f"{run['success']:.3f}" if run["finished"] else f"({run['success']:.3f})"
        lines.append(
            f"| {run['env']} | {run['agent']} | {run['seed']} | {success} | {run['steps']:,} "
            f"| {run['minutes']} | {run['commit'][:7]} |"
        )
    unknown = sorted({run["commit"][:7] for run in runs if "command" not in run})
    if unknown:
        lines += ["", f"Of the runs at {', '.join(unknown)} the command itself was not kept."]
    reached: dict[str, list[bool]] = {}
    for run in runs:
        reached.setdefault(run["env"], []).append(run["finished"] and run["success"] >= _REACHED)
    lines += ["", f"Runs that reached {_REACHED}:", ""]
    lines += [f"- {env}: {sum(these)} of {len(these)}" for env, these in reached.items()]
    return "\n".join(lines) + "\n" + NOTES.read_text(encoding="utf-8")


def main(folders: list[str]) -> None:
    """Writes the results and their page."""
    runs = [read_run(Path(folder)) for folder in folders]
    runs.sort(key=lambda run: (run["env"], run["seed"], run["commit"]))
    write_text(RESULTS, json.dumps(runs, indent=1) + "\n")
    write_text(PAGE, page(runs))


if __name__ == "__main__":
    main(sys.argv[1:])
