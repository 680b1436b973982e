"""What trainings left: read from their folders, kept in a file of results, shown in tables.

A record is a dict. Its ``name`` is that of its training in the plan, by which it is found again.
"""

import argparse
import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from agents.saving.atomic import write_text
from benchmarks.results import without_folder
from benchmarks.runs import PresetRun, Run, has_ended, minutes_spent, parts

Record = dict[str, Any]
R = TypeVar("R", bound=Run)
_POINTS = 80  # of a curve that is kept
CUT_OFF = [
    "What is in brackets is of a training that was cut off: what it would have come to is not",
    "shown, and its learning rate had not gone down to its end. (One that was killed shows its",
    "last evaluation, on 256 episodes.) Minutes are those of the clock and of the processor;",
    "each training has one thread of a machine with two cores that did other work at the same",
    "time.",
]


def progress(part: Path) -> list[dict[str, str]]:
    """Returns the rows of a training's progress, none if it wrote none."""
    path = part / "progress.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def circumstances(found: Sequence[Path]) -> Record:
    """Returns what a record says of every training: command, end, steps, minutes, commit, machine.

    Args:
        found: Its folders, see `benchmarks.runs.parts`.
    """
    settings = json.loads((found[0] / "settings.json").read_text(encoding="utf-8"))
    last = next(reversed([row for part in found for row in progress(part)]), None)
    return {
        "command": without_folder(settings["command"]),
        "finished": has_ended(found[-1]),
        "steps": int(float(last["time/total_timesteps"])) if last else 0,
        "minutes": round(sum(map(minutes_spent, found)), 1),
        **{name: settings[name] for name in ("commit", "machine", "versions")},
    }


def joined(
    runs: Iterable[R],
    known: Iterable[Record],
    folder: Path,
    read: Callable[[R, Path], Record | None],
) -> list[Record]:
    """Returns the records of a plan, in its order: those of a folder, else what was known.

    Args:
        runs: The trainings of the plan.
        known: Earlier records.
        folder: Where its trainings are.
        read: Reads a training's folder; None if it has not begun.
    """
    before = {record["name"]: record for record in known}
    found = [read(run, folder / run.name) or before.get(run.name) for run in runs]
    return [record for record in found if record]


def update(
    description: str,
    path: Path,
    plans: Iterable[str],
    plan: Callable[[str], Sequence[R]],
    read: Callable[[R, Path], Record | None],
) -> dict[str, list[Record]]:
    """Adds the trainings below the command line's ``--runs`` to a file of results, if it is given.

    Args:
        description: What is read, for the help text.
        path: The file; it is written whole or not at all.
        plans: The names of the plans.
        plan: Returns the trainings of a plan.
        read: See `joined`.

    Returns:
        All records, plan by plan.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=Path, help="folder of all trainings")
    folder = parser.parse_args().runs
    results: dict[str, list[Record]] = {}
    if path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))
    for name in plans if folder else ():
        results[name] = joined(plan(name), results.get(name, []), folder / name, read)
    write_text(path, json.dumps(results, indent=1) + "\n")
    return results


def read_preset_run(run: PresetRun, folder: Path, marks: Sequence[float] = ()) -> Record | None:
    """Returns what a training and its continuations did; None if it has not begun.

    Args:
        run: The training.
        folder: Its folder.
        marks: Returns whose first points in the curve are kept.
    """
    found = parts(folder)
    if not found:
        return None
    settings = json.loads((found[0] / "settings.json").read_text(encoding="utf-8"))
    rows = [progress(part) for part in found]
    every = [line for part in rows for line in part]
    held_out = [line for line in every if line.get("evaluation/return")]
    evaluation = found[-1] / "evaluation.json"
    result: Record = dict.fromkeys(("return_mean", "return_std", "success"))
    if evaluation.exists():  # one that was cut off is evaluated, too, unless it was killed
        result = json.loads(evaluation.read_text(encoding="utf-8"))
    elif held_out:
        result["return_mean"] = float(held_out[-1]["evaluation/return"])
        result["success"] = _number(held_out[-1].get("evaluation/success"))
    cpu = [
        max((_number(line.get("time/cpu_time")) or 0.0 for line in part), default=0.0)
        for part in rows
    ]
    return {
        "name": run.name,
        "env": run.env,
        "agent": run.agent,
        "seed": run.seed,
        **{name: result[name] for name in ("return_mean", "return_std", "success")},
        "deterministic": settings["recipe"]["deterministic"],
        "cpu_minutes": round(sum(cpu) / 60, 1),
        "curve": _curve(every, marks),
        **circumstances(found),
    }


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _curve(rows: list[dict[str, str]], marks: Sequence[float]) -> list[list[float]]:
    """Steps, and the mean return of the latest episodes of training at them."""
    points = [
        [int(float(line["time/total_timesteps"])), round(float(line["rollout/ep_rew_mean"]), 3)]
        for line in rows
        if line.get("rollout/ep_rew_mean")
    ]
    every = max(1, len(points) // _POINTS)
    passed = [i for mark in marks for i in first_at(points, mark)]
    kept = sorted({*range(0, len(points), every), *passed, *([len(points) - 1] if points else [])})
    return [points[i] for i in kept]


def first_at(curve: list[list[float]], mark: float) -> list[int]:
    """Returns the first point of a curve that is at a mark, if there is one."""
    return [i for i, (_, value) in enumerate(curve) if value >= mark][:1]


def row(cells: Iterable[Any]) -> str:
    """Returns a row of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def head(texts: list[str], numbers: list[str], last: list[str]) -> list[str]:
    """Returns the head of a Markdown table, whose numbers stand at the right of their columns."""
    ends = [*["---"] * len(texts), *["---:"] * len(numbers), *["---"] * len(last)]
    return [row([*texts, *numbers, *last]), row(ends)]


def span(values: list[Any], digits: int | None = None) -> str:
    """Returns the lowest and the highest, as text; all digits of them by default."""
    if not values:
        return ""
    form = "," if digits is None else f",.{digits}f"
    ends = [format(value, form) for value in (min(values), max(values))]
    return ends[0] if ends[0] == ends[1] else " - ".join(ends)


def short_commit(record: Record) -> str:
    """Returns the commit's first digits, with a plus where the tree was not clean."""
    return str(record["commit"])[:7] + ("+" if str(record["commit"]).endswith("+") else "")


def shown_value(run: Record, name: str, digits: int) -> str:
    """Returns a result; in brackets where the training was cut off."""
    if run[name] is None:
        return "none"
    text = f"{run[name]:.{digits}f}"
    return text if run["finished"] else f"({text})"


def notes(page: Path) -> str:
    """Returns what is written by hand and put below the tables of a page, if anything is."""
    path = page.with_name(f"{page.stem}-notes.txt")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def machines(runs: Iterable[Record]) -> list[str]:
    """Returns a line for each machine and version of PyTorch that trained any of them."""
    found = dict.fromkeys(
        f"{run['machine']['processor']}, {run['machine']['cores']} cores, "
        f"PyTorch {run['versions']['torch']}"
        for run in runs
    )
    return ["", *(f"Machine: {line}." for line in found)]
