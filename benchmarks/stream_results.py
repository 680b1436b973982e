"""The streams' results as a page: ``python -m benchmarks.stream_results --runs FOLDER``.

Reads what `benchmarks.stream_runs` left in FOLDER and adds it to benchmarks/results/streams.json,
where earlier results of other runs stay. From that it writes docs/results/streams.md and its
pictures. Each file is written whole or not at all.
"""

import json
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from agents.evaluation.plots import save_png
from agents.saving.atomic import write_text
from benchmarks import lengths
from benchmarks.recorded import (
    CUT_OFF,
    Record,
    head,
    machines,
    notes,
    progress,
    read_preset_run,
    row,
    short_commit,
    shown_value,
    update,
)
from benchmarks.runs import PresetRun, parts
from benchmarks.stream_runs import BATCH, PLANS, STEPS, plan

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "streams.json"
PAGE = ROOT / "docs" / "results" / "streams.md"
IMAGES = ROOT / "docs" / "images"
_POINTS = 60  # of a curve of errors that is kept
_TITLES = {
    "dictionary": "Dictionary inference (Fig. 2)",
    "sequences": "Double copy and priority sort (Fig. 4)",
    "copy": "Copy",
    "by-reward": "The same by reward",
    "first-look": "Every memory: a first look",
}


def read_run(run: PresetRun, folder: Path) -> Record | None:
    """What a training and its continuations did; None if it has not begun."""
    record = read_preset_run(run, folder)
    if record is None:
        return None
    rows = [line for part in parts(folder) for line in progress(part)]
    return {**record, "errors": _errors(rows)}


def _errors(rows: list[dict[str, str]]) -> list[list[float]]:
    """Steps, and the share of wrong answers in training since the point before.

    Training's streams are fresh ones: each is seen once.
    """
    points = [
        (int(float(line["time/total_timesteps"])), float(line["train/wrong_answers"]))
        for line in rows
        if line.get("train/wrong_answers")
    ]
    size = max(1, -(-len(points) // _POINTS))
    chunks = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        [chunk[-1][0], round(sum(wrong for _, wrong in chunk) / len(chunk), 4)] for chunk in chunks
    ]


def _updates(run: Record) -> int | None:
    """Updates of a supervised training, where all streams have the same number of steps."""
    steps = STEPS.get(run["env"])
    return (
        None
        if steps is None or "supervised" not in run["agent"]
        else run["steps"] // (steps * BATCH)
    )


def _table(runs: list[Record]) -> list[str]:
    numbers = ["seed", "success", "return", "updates", "steps", "minutes", "processor's"]
    lines = head(["task", "agent"], numbers, ["commit"])
    for run in runs:
        updates = _updates(run)
        cells = [run["env"].split(":")[-1].removeprefix("Stream-").removesuffix("-v0")]
        cells += [run["agent"], run["seed"]]
        cells += [shown_value(run, "success", 3), shown_value(run, "return_mean", 2)]
        cells += ["" if updates is None else f"{updates:,}", f"{run['steps']:,}"]
        cells += [run["minutes"], run["cpu_minutes"], short_commit(run)]
        lines.append(row(cells))
    return lines


def page(results: dict[str, list[Record]]) -> str:
    """The page in Markdown."""
    lines = [
        "# Streams: results",
        "",
        "Written by `python -m benchmarks.stream_results` from the folders that",
        "`python -m benchmarks.stream_runs` left. Success is the share of 1,000 fresh streams",
        "whose answers were all right; return the mean number of right answers, of bit vectors",
        "the share of right bits. An update is a gradient step on 32 streams. A training with",
        "`--stop-at-success` ended when all of 256 fresh streams, and then all of 1,000 others,",
        "were answered without a mistake.",
        *CUT_OFF,
    ]
    for name, title in _TITLES.items():
        runs = results.get(name)
        if runs:
            lines += ["", f"## {title}", "", f"For example: `{runs[0]['command']}`", ""]
            for picture in _PICTURES.get(name, ()):
                lines += [f"![{title}](../images/{picture})", ""]
            lines += _table(runs)
    lines += machines(run for runs in results.values() for run in runs)
    if lengths.RESULTS.exists():
        lines += ["", *_lengths_section(json.loads(lengths.RESULTS.read_text(encoding="utf-8")))]
    return "\n".join(lines) + "\n" + notes(PAGE)


def _lengths_section(measured: Record) -> list[str]:
    """What time and state do while streams grow."""
    return [
        "## Time and state against length (Fig. 3)",
        "",
        f"`{measured['command']}` at {short_commit(measured)}: an update, forward and backward,",
        f"of {lengths.ROWS} streams, on one thread of an idle machine, medians; and the numbers",
        "that a stream carries from step to step.",
        "",
        f"![Time and state against length](../images/{lengths.FIGURE.name})",
        "",
        *lengths.table(measured),
    ]


Curve = Callable[[Record], list[list[float]]]


def _panels(runs: list[Record], path: Path, curve: Curve, labels: tuple[str, str]) -> None:
    """Draws a panel for each task, a line for each training, a colour for each memory.

    Args:
        runs: The trainings.
        path: Where the picture goes.
        curve: Returns a training's points.
        labels: What its points are, across and up.
    """
    envs = list(dict.fromkeys(run["env"] for run in runs))
    figure = Figure(figsize=(3.2 * len(envs) + 1.2, 3.0), layout="constrained")
    axes = figure.subplots(1, len(envs), squeeze=False)[0]
    colours: dict[str, str] = {}
    for ax, env in zip(axes, envs, strict=True):
        ax.set_title(env.removeprefix("Stream-").removesuffix("-v0"), fontsize="small")
        for run in (run for run in runs if run["env"] == env and curve(run)):
            label = None if run["agent"] in colours else run["agent"]
            colour = colours.setdefault(run["agent"], f"C{len(colours)}")
            x, y = zip(*curve(run), strict=True)
            ax.plot(x, y, color=colour, linewidth=1.2, label=label)
        ax.set_ylim(bottom=-0.02)
        ax.set_xlabel(labels[0], fontsize="small")
    axes[0].set_ylabel(labels[1], fontsize="small")
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    save_png(figure, path)


def _errors_by_update(run: Record) -> list[list[float]]:
    steps = STEPS[run["env"]] * BATCH
    return [[at / steps, wrong] for at, wrong in run["errors"]]


_PICTURES = {
    "dictionary": ("streams-dictionary.png",),
    "sequences": ("streams-sequences.png",),
    "by-reward": ("streams-by-reward.png",),
}


def draw(results: dict[str, list[Record]]) -> None:
    """Draws the pictures for which there are results."""
    for name, (picture,) in _PICTURES.items():
        runs = results.get(name, [])
        if runs:
            if name == "by-reward":
                labels = ("steps", "return")
                _panels(runs, IMAGES / picture, lambda run: run["curve"], labels)
            else:
                labels = ("updates", "share of wrong answers")
                _panels(runs, IMAGES / picture, _errors_by_update, labels)


def main() -> None:
    """Write the results, their page and the pictures."""
    results = update(__doc__.splitlines()[0], RESULTS, PLANS, plan, read_run)
    draw(results)
    write_text(PAGE, page(results))


if __name__ == "__main__":
    main()
