"""The memories' results as two pages: ``python -m benchmarks.memory_results --runs FOLDER``.

Reads what `benchmarks.memory_runs` left in FOLDER and adds it to benchmarks/results/memories.json,
where earlier results of other runs stay. From that it writes docs/results/maze.md, with its
picture, and docs/results/memories.md. Each file is written whole or not at all.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from agents.evaluation.plots import GREEN, GREY, save_png
from agents.saving.atomic import write_text
from benchmarks.memory_runs import MAZE, PLANS, Run, plan
from benchmarks.results import without_folder
from benchmarks.runs import has_ended, minutes_spent, parts

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "memories.json"
MAZE_PAGE = ROOT / "docs" / "results" / "maze.md"
PAGE = ROOT / "docs" / "results" / "memories.md"
FIGURE = ROOT / "docs" / "images" / "maze-returns.png"
MAZE_STEPS = 250  # in an episode
BOUND = 467.9  # of any agent, 9x9: `benchmarks.maze_bound`
# What the paper's agents come to after 250,000 episodes and more, and nine tenths of the bound.
MARKS = (175.0, 421.0)
_TO_MARKS = [f"episodes to {mark:g}" for mark in MARKS]
_POINTS = 80  # of a curve that is kept
_TITLES = {
    "maze": "PPO with our preset",
    "maze-large": "Larger mazes",
    "maze-a2c": "A2C with the paper's settings",
    "maze-first-look": "The maze: a first look",
    "tape-first-look": "Tape-Reverse: a first look",
    "cartpole": "CartPole by REINFORCE",
}
_ON_MAZE_PAGE = ("maze", "maze-large", "maze-a2c")


def read_run(run: Run, folder: Path) -> dict[str, Any] | None:
    """What a training and its continuations did; None if it has not begun."""
    found = parts(folder)
    if not found:
        return None
    settings = json.loads((found[0] / "settings.json").read_text(encoding="utf-8"))
    rows = [_progress(part) for part in found]
    every = [row for part in rows for row in part]
    held_out = [row for row in every if row.get("evaluation/return")]
    evaluation = found[-1] / "evaluation.json"
    result: dict[str, Any] = dict.fromkeys(("return_mean", "return_std", "success"))
    if evaluation.exists():  # one that was cut off is evaluated, too, unless it was killed
        result = json.loads(evaluation.read_text(encoding="utf-8"))
    elif held_out:
        result["return_mean"] = float(held_out[-1]["evaluation/return"])
        result["success"] = _number(held_out[-1].get("evaluation/success"))
    cpu = [
        max((_number(row.get("time/cpu_time")) or 0.0 for row in part), default=0.0)
        for part in rows
    ]
    return {
        "env": run.env,
        "agent": f"{run.algorithm}/{run.memory}",
        "seed": run.seed,
        "command": without_folder(settings["command"]),
        "finished": has_ended(found[-1]),
        **{name: result[name] for name in ("return_mean", "return_std", "success")},
        "deterministic": settings["recipe"]["deterministic"],
        "steps": int(float(every[-1]["time/total_timesteps"])) if every else 0,
        "minutes": round(sum(map(minutes_spent, found)), 1),
        "cpu_minutes": round(sum(cpu) / 60, 1),
        "curve": _curve(every),
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


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _curve(rows: list[dict[str, str]]) -> list[list[float]]:
    """Steps, and the mean return of the latest episodes of training at them."""
    points = [
        [int(float(row["time/total_timesteps"])), round(float(row["rollout/ep_rew_mean"]), 1)]
        for row in rows
        if row.get("rollout/ep_rew_mean")
    ]
    every = max(1, len(points) // _POINTS)
    passed = [i for mark in MARKS for i in _first(points, mark)]
    kept = sorted({*range(0, len(points), every), *passed, *([len(points) - 1] if points else [])})
    return [points[i] for i in kept]


def _first(curve: list[list[float]], mark: float) -> list[int]:
    """The first point of a curve that is at a mark, if there is one."""
    return [i for i, (_, value) in enumerate(curve) if value >= mark][:1]


def episodes_to(mark: float, run: dict[str, Any]) -> int | None:
    """After how many episodes of the maze the mean return of the latest was `mark`, if ever."""
    return next((run["curve"][i][0] // MAZE_STEPS for i in _first(run["curve"], mark)), None)


def _row(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _head(texts: list[str], numbers: list[str], last: list[str]) -> list[str]:
    ends = [*["---"] * len(texts), *["---:"] * len(numbers), *["---"] * len(last)]
    return [_row([*texts, *numbers, *last]), _row(ends)]


def _value(run: dict[str, Any], name: str, digits: int) -> str:
    """A result; in brackets where the training was cut off."""
    if run[name] is None:
        return "none"
    text = f"{run[name]:.{digits}f}"
    return text if run["finished"] else f"({text})"


def _commit(run: dict[str, Any]) -> str:
    return str(run["commit"])[:7] + ("+" if str(run["commit"]).endswith("+") else "")


def _span(values: list[Any], digits: int = 0) -> str:
    """The lowest and the highest."""
    if not values:
        return ""
    ends = [f"{value:,.{digits}f}" for value in (min(values), max(values))]
    return ends[0] if ends[0] == ends[1] else " - ".join(ends)


def _maze_summary(name: str, runs: list[dict[str, Any]]) -> list[str]:
    """What became of a plan, memory by memory, also of those that have not begun."""
    numbers = ["planned", "done", "return", *_TO_MARKS, "cut off", "return by then"]
    lines = _head(["maze", "agent"], numbers, [])
    planned = Counter((run.env, f"{run.algorithm}/{run.memory}") for run in plan(name))
    for key, count in planned.items():
        group = [run for run in runs if (run["env"], run["agent"]) == key]
        done = [run for run in group if run["finished"]]
        cut = [run for run in group if not run["finished"]]
        marks = [[n for run in group if (n := episodes_to(mark, run))] for mark in MARKS]
        cells = [_size(key[0]), key[1], count, len(done) or ""]
        cells += [_span([run["return_mean"] for run in done], 1)]
        cells += [*map(_span, marks), len(cut) or ""]
        cells.append(
            _span([run["return_mean"] for run in cut if run["return_mean"] is not None], 1)
        )
        lines.append(_row(cells))
    return lines


def _size(env: str) -> str:
    return env.split("-")[2]


def _maze_table(runs: list[dict[str, Any]]) -> list[str]:
    numbers = ["seed", "return", "success", *_TO_MARKS, "episodes"]
    lines = _head(["maze", "agent"], [*numbers, "minutes", "processor's"], ["commit"])
    for run in runs:
        counts = [episodes_to(mark, run) for mark in MARKS]
        cells = [_size(run["env"]), run["agent"], run["seed"], _value(run, "return_mean", 1)]
        cells.append(_value(run, "success", 3))
        cells += ["never" if count is None else f"{count:,}" for count in counts]
        cells += [f"{run['steps'] // MAZE_STEPS:,}", run["minutes"], run["cpu_minutes"]]
        lines.append(_row([*cells, _commit(run)]))
    return lines


def _table(runs: list[dict[str, Any]]) -> list[str]:
    numbers = ["seed", "return", "success", "steps", "minutes", "processor's"]
    lines = _head(["agent"], numbers, ["commit"])
    for run in runs:
        cells = [
            run["agent"],
            run["seed"],
            _value(run, "return_mean", 2),
            _value(run, "success", 3),
        ]
        cells += [f"{run['steps']:,}", run["minutes"], run["cpu_minutes"], _commit(run)]
        lines.append(_row(cells))
    return lines


def _section(name: str, runs: list[dict[str, Any]]) -> list[str]:
    lines = ["", f"## {_TITLES[name]}", "", f"For example: `{runs[0]['command']}`", ""]
    if name in _ON_MAZE_PAGE:
        return [*lines, *_maze_summary(name, runs), "", "Every run:", "", *_maze_table(runs)]
    return [*lines, *_table(runs)]


def _notes(page: Path) -> str:
    """What is written by hand and put below the tables, if anything is."""
    notes = page.with_name(f"{page.stem}-notes.txt")
    return notes.read_text(encoding="utf-8") if notes.exists() else ""


_CUT_OFF = [
    "What is in brackets is of a training that was cut off: what it would have come to is not",
    "shown, and its learning rate had not gone down to its end. (One that was killed shows its",
    "last evaluation, on 256 episodes.) Minutes are those of the clock and of the processor;",
    "each training has one thread of a machine with two cores that did other work at the same",
    "time.",
]


def _machines(runs: Iterable[dict[str, Any]]) -> list[str]:
    found = dict.fromkeys(
        f"{run['machine']['processor']}, {run['machine']['cores']} cores, "
        f"PyTorch {run['versions']['torch']}"
        for run in runs
    )
    return ["", *(f"Machine: {line}." for line in found)]


def maze_page(results: dict[str, list[dict[str, Any]]]) -> str:
    """The page of the maze in Markdown."""
    lines = [
        "# The maze: results",
        "",
        "Written by `python -m benchmarks.memory_results` from the folders that",
        "`python -m benchmarks.memory_runs` left. Return is the mean over 1,000 fresh episodes.",
        f"With {MAZE.format(9)}, random play gets 8, one that knows goal and place 533, and",
        "the best that an agent can do, which has to find the one and to work out the other,",
        f"{BOUND} ([computed exactly](../environments.md)). An episode has {MAZE_STEPS} steps.",
        f"Episodes to {MARKS[0]:g} and to {MARKS[1]:g}, nine tenths of the best, are those of",
        "training until the mean return of the latest ones (128 with the preset) was that.",
        f"Munkhdalai et al. (2019), Fig. 6, come to {MARKS[0]:g} after 250,000 with MNM, and with",
        "plastic networks after nearly a million.",
        *_CUT_OFF,
        "",
        f"![Return against episodes](../images/{FIGURE.name})",
    ]
    shown = {name: results[name] for name in _ON_MAZE_PAGE if results.get(name)}
    for name, runs in shown.items():
        lines += _section(name, runs)
    lines += _machines(run for runs in shown.values() for run in runs)
    return "\n".join(lines) + "\n" + _notes(MAZE_PAGE)


def page(results: dict[str, list[dict[str, Any]]]) -> str:
    """The page of the other plans in Markdown."""
    lines = [
        "# Memories: first looks",
        "",
        "Written by `python -m benchmarks.memory_results` from the folders that",
        "`python -m benchmarks.memory_runs` left. First looks have one seed and few steps each,",
        "the same steps and settings for all: they show which memory learns what quickly, and are",
        "no ranking. Return and success are the means over 1,000 fresh episodes.",
        *_CUT_OFF,
    ]
    shown = {
        name: results[name] for name in _TITLES if name not in _ON_MAZE_PAGE and results.get(name)
    }
    for name, runs in shown.items():
        lines += _section(name, runs)
    lines += _machines(run for runs in shown.values() for run in runs)
    return "\n".join(lines) + "\n" + _notes(PAGE)


def pages(results: dict[str, list[dict[str, Any]]]) -> dict[Path, str]:
    """The pages for which there are results."""
    made = {MAZE_PAGE: maze_page, PAGE: page}
    on_maze_page = {name in _ON_MAZE_PAGE for name, runs in results.items() if runs}
    return {
        path: make(results) for path, make in made.items() if (make is maze_page) in on_maze_page
    }


def draw(runs: list[dict[str, Any]]) -> None:
    """Return against episodes, a line for each training, a colour for each memory."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    colours: dict[str, str] = {}
    for run in runs:
        agent = run["agent"]
        label = None if agent in colours else agent.removeprefix("ppo/")
        colour = colours.setdefault(agent, f"C{len(colours)}")
        steps, values = zip(*run["curve"], strict=True)
        episodes = [step / MAZE_STEPS for step in steps]
        axes.plot(episodes, values, color=colour, linewidth=1.2, label=label)
    bound = "the best that there can be"
    axes.axhline(BOUND, color=GREEN, linewidth=1.0, linestyle="--", label=bound)
    paper = f"{MARKS[0]:g}, in the paper after 250,000"
    axes.axhline(MARKS[0], color=GREY, linewidth=1.0, linestyle=":", label=paper)
    axes.set(xlabel="episodes of training", ylabel="return", ylim=(-30, 540))
    axes.legend(frameon=False, fontsize="small")
    save_png(figure, FIGURE)


def joined(name: str, known: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The runs of a plan, in its order: those of a folder, and what was known of the others."""
    before = {(run["env"], run["agent"], run["seed"]): run for run in known}
    runs = [
        read_run(run, folder / run.name)
        or before.get((run.env, f"{run.algorithm}/{run.memory}", run.seed))
        for run in plan(name)
    ]
    return [run for run in runs if run]


def main() -> None:
    """Write the results, their pages and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, help="folder of all trainings")
    folder = parser.parse_args().runs
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in PLANS if folder else ():
        results[name] = joined(name, results.get(name, []), folder / name)
    write_text(RESULTS, json.dumps(results, indent=1) + "\n")
    draw([run for run in results["maze"] if run["curve"]])
    for path, text in pages(results).items():
        write_text(path, text)


if __name__ == "__main__":
    main()
