"""bAbI's results as a page: ``python -m benchmarks.babi_results --runs FOLDER``.

Reads what `benchmarks.babi_runs` left in FOLDER, tests it, and adds it to
benchmarks/results/babi.json, where earlier results of other runs stay. From that it writes
docs/results/babi.md and its pictures. Each file is written whole or not at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from agents.cli.optima import read_optima
from agents.evaluation.plots import save_png
from agents.saving.atomic import write_text
from benchmarks.babi import FAILED, Errors, choose, failed, mean_error, numbers_of
from benchmarks.babi_runs import BABI as JOINT_ID
from benchmarks.babi_runs import PLANS, plan
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
from benchmarks.runs import PresetRun, minutes_spent, parts
from memory_envs.stream.text.babi import BABI

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "babi.json"
PAGE = ROOT / "docs" / "results" / "babi.md"
FIGURES = ROOT / "docs" / "images"
_POINTS = 100  # of a curve that is kept


class Published(NamedTuple):
    """What Munkhdalai et al. (2019) say of a model, in per cent.

    Attributes:
        mean: Mean error over runs (Table 1).
        failed: Failed tasks (Table 1).
        best: Mean error of the best run (Table 3).
        errors: Of the best run, task by task (Table 3).
    """

    mean: str
    failed: str
    best: str
    errors: tuple[float, ...]


# By the name of the plan that they stand beside.
PAPER = {
    "sentences": {
        "EntNet": Published(
            "9.7 ± 2.6",
            "5 ± 1.2",
            "7.38",
            (
                *(0.1, 2.8, 10.6, 0, 0.4, 0.3, 0.8, 0.1, 0, 0),
                *(0, 0, 0, 3.6, 0, 52.1, 11.7, 2.1, 63.0, 0),
            ),
        ),
        "TPR-RNN": Published(
            "1.34 ± 0.52",
            "0.86 ± 1.11",
            "0.81",
            (
                *(0, 0.4, 3.4, 0.2, 1.0, 0.1, 1.0, 0.5, 0.3, 0.4),
                *(1.3, 0.2, 2.1, 0.2, 0, 0.4, 0.6, 0, 4.2, 0),
            ),
        ),
    },
    "words": {
        "DNC": Published(
            "12.8 ± 4.7",
            "8.2 ± 2.5",
            "3.8",
            (
                *(0, 0.4, 1.8, 0, 0.8, 0, 0.6, 0.3, 0.2, 0.2),
                *(0, 0, 0, 0.4, 0, 55.1, 12.0, 0.8, 3.9, 0),
            ),
        ),
        "SDNC": Published(
            "6.4 ± 2.5",
            "4.1 ± 1.6",
            "2.9",
            (
                *(0, 0.6, 0.7, 0, 0.3, 0, 0.2, 0.2, 0, 0.2),
                *(0, 0.1, 0.1, 0.1, 0, 54.1, 0.3, 0.1, 1.2, 0),
            ),
        ),
        "MNM-g": Published(
            "3.2 ± 0.5",
            "1.3 ± 0.8",
            "2.76",
            (
                *(0, 0.2, 1.8, 0, 0.4, 0, 0.2, 0.2, 0, 0.1),
                *(0, 0, 0, 0.5, 0, 51.2, 0, 0, 0.7, 0),
            ),
        ),
        "MNM-p": Published(
            "0.55 ± 0.74",
            "0.08 ± 0.28",
            "0.175",
            (
                *(0, 0.1, 0.9, 0, 0.3, 0, 0.3, 0, 0, 0),
                *(0, 0, 0, 0.1, 0, 0.7, 0, 0.2, 0.9, 0),
            ),
        ),
    },
}
_TITLES = {
    "sentences": "Sentence by sentence",
    "words": "Word by word",
    "rl": "By reward, and from the right answers",
}
_TASKS = (
    *("one supporting fact", "two supporting facts", "three supporting facts"),
    *("two-argument relations", "three-argument relations", "yes/no questions", "counting"),
    *("lists and sets", "simple negation", "indefinite knowledge", "basic coreference"),
    *("conjunction", "compound coreference", "time reasoning", "basic deduction"),
    *("basic induction", "positional reasoning", "size reasoning", "path finding"),
    "agents' motivations",
)


def read_run(run: PresetRun, folder: Path) -> Record | None:
    """What a training and its continuations did; None if it has not begun."""
    record = read_preset_run(run, folder)
    if record is None or not list(folder.glob("checkpoints/*.zip")):
        return None
    found = parts(folder)
    chosen = choose(found)
    return {
        **record,
        "chosen": chosen.steps,
        "valid": _per_cent(mean_error(chosen.valid), 3),
        "mean": _per_cent(mean_error(chosen.test), 3),
        "failed": failed(chosen.test),
        "errors": _by_task(chosen.test),
        "kept": [[steps, _per_cent(error)] for steps, error in chosen.kept.items()],
        "course": _course(run.env, found),
    }


def _per_cent(share: float, digits: int = 2) -> float:
    return round(100 * share, digits)


def _by_task(errors: Errors) -> dict[str, float]:
    return {str(number): _per_cent(answered.error) for number, answered in errors.items()}


def _course(env: str, found: Sequence[Path]) -> list[list[float]]:
    """Steps, updates, minutes, and the error in per cent since the point before.

    Of all tasks together it is the share of wrong answers in training; of one task, which two
    algorithms learn, it is that of the evaluations on stories of the validation set.
    """
    points: list[list[float]] = []
    updates = spent = before = 0.0
    for part in found:
        for line in progress(part):
            # Evaluations have lines of their own, which tell neither updates nor time.
            updates = float(line.get("train/n_updates") or updates)
            spent = max(spent, before + float(line.get("time/time_elapsed") or 0) / 60)
            error = _wrong(env, line)
            if error is not None:
                points.append([float(line["time/total_timesteps"]), updates, spent, error])
        before += minutes_spent(part)
    size = max(1, -(-len(points) // _POINTS))
    chunks = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        [int(chunk[-1][0]), int(chunk[-1][1]), round(chunk[-1][2], 2), _mean_of(chunk)]
        for chunk in chunks
    ]


def _mean_of(chunk: list[list[float]]) -> float:
    return _per_cent(sum(point[3] for point in chunk) / len(chunk))


def _wrong(env: str, line: Mapping[str, str]) -> float | None:
    """The share of wrong answers that a line of a training's progress tells, if it does."""
    if env == JOINT_ID:
        text = line.get("train/wrong_answers")
        return float(text) if text else None
    text = line.get("evaluation/return")
    return 1.0 - float(text) / float(read_optima()[env]["optimum"]) if text else None


def page(results: dict[str, list[Record]]) -> str:
    """The page in Markdown."""
    lines = [
        "# bAbI: results",
        "",
        "Written by `python -m benchmarks.babi_results` from the folders that",
        "`python -m benchmarks.babi_runs` left. Errors are per cent of the test set's 1,000",
        f"questions a task, each asked once; a task with more than {100 * FAILED:g} % has failed.",
        "Of the checkpoints that a training kept, the one with the lowest mean error on the",
        "validation set is tested. Task 3's training stories are a stand-in, 185 of the release",
        "and 1,615 written as these are; its test set is the release's.",
        *CUT_OFF,
    ]
    if any(results.get(name) for name in PAPER):
        lines += ["", *_summary(results)]
    for name in PLANS:
        runs = results.get(name)
        if runs:
            lines += ["", f"## {_TITLES[name]}", "", *_EXPLAINED[name], "", *_table(name, runs)]
            lines += ["", f"![{_TITLES[name]}: errors](../images/{figure(name).name})", ""]
            lines += _trainings(runs)
    lines += machines(run for runs in results.values() for run in runs)
    return "\n".join(lines) + "\n" + notes(PAGE)


_JOINT = [
    "One model learns the 20 tasks together, from the right answers. Beside it stand the best runs",
    "of Munkhdalai et al. (2019, Table 3). In the picture lines are the share of wrong answers in",
    "training, dots the kept checkpoints on the validation set.",
]
_EXPLAINED = {
    "sentences": [
        *_JOINT,
        "With exchanged names no story comes twice in training: in each that is drawn, people,",
        "places, things and directions stand for each other (`env_kwargs.exchange_names`). The",
        "paper's models learned without that. MNM-p's controller has no state but where the name",
        "says so. A question is shown three times and answered at the third, so that what was read",
        "at one time can be asked about at the next; with one look it is shown once.",
    ],
    "words": [
        *_JOINT,
        "The paper's LSTM+SALU converged to a mean error of 77.5 % in 62,000 iterations, in which",
        "its MNM came to 9.5 %.",
    ],
    "rl": [
        "Each task alone, sentence by sentence, the same network: by PPO, which is paid for a",
        "right answer and not told which it was, and from the right answers. In the picture",
        "lines are the error on 256 stories of the validation set, dots the kept checkpoints on",
        "all of it.",
    ],
}


def _summary(results: dict[str, list[Record]]) -> list[str]:
    """Table 1: mean errors and failed tasks, the paper's over runs."""
    lines = ["Mean errors and failed tasks; the paper's (Table 1) are means over runs.", ""]
    lines += head(["level", "model"], ["mean error", "failed tasks"], ["runs"])
    for name, published in PAPER.items():
        level = name.removesuffix("s")
        for model, numbers in published.items():
            lines.append(row([level, f"{model}, the paper's", *numbers[:2], ""]))
        for run in results.get(name, []):
            shown = shown_value(run, "mean", 2), shown_value(run, "failed", 0)
            lines.append(row([level, _short(run), *shown, "1"]))
    return lines


def _short(run: Record) -> str:
    """Returns the memory and the variant of a training from the right answers."""
    return str(run["agent"]).removeprefix("supervised/")


def _table(name: str, runs: list[Record]) -> list[str]:
    """Table 3: the errors on each task."""
    return _single(runs) if name == "rl" else _joint(name, runs)


def _joint(name: str, runs: list[Record]) -> list[str]:
    columns = {_short(run): run["errors"] for run in runs}
    for model, published in PAPER[name].items():
        columns[f"{model}, the paper's"] = dict(zip(map(str, BABI), published.errors, strict=True))
    lines = head(["task"], list(columns), [])
    for number, task in zip(BABI, _TASKS, strict=True):
        numbers = [f"{errors[str(number)]:.1f}" for errors in columns.values()]
        lines.append(row([f"{number}: {task}", *numbers]))
    means = [shown_value(run, "mean", 2) for run in runs]
    counts = [shown_value(run, "failed", 0) for run in runs]
    for published in PAPER[name].values():
        means.append(published.best)
        counts.append(str(sum(error > 100 * FAILED for error in published.errors)))
    return [*lines, row(["mean error", *means]), row(["failed tasks", *counts])]


def _single(runs: list[Record]) -> list[str]:
    agents = list(dict.fromkeys(run["agent"] for run in runs))
    lines = head(["task"], agents, [])
    for env, found in groupby(runs, key=lambda run: run["env"]):
        (number,) = numbers_of(env)
        by_agent = {run["agent"]: shown_value(run, "mean", 1) for run in found}
        cells = [by_agent.get(agent, "") for agent in agents]
        lines.append(row([f"{number}: {_TASKS[number - 1]}", *cells]))
    return lines


def _trainings(runs: list[Record]) -> list[str]:
    numbers = ["seed", "steps", "chosen", "valid", "test", "minutes", "processor's"]
    lines = head(["training"], numbers, ["commit"])
    for run in runs:
        cells = [run["name"], run["seed"], f"{run['steps']:,}", f"{run['chosen']:,}"]
        cells += [shown_value(run, "valid", 2), shown_value(run, "mean", 2)]
        cells += [run["minutes"], run["cpu_minutes"], short_commit(run)]
        lines.append(row(cells))
    return [*lines, "", "```console", *(run["command"] for run in runs), "```"]


def figure(name: str) -> Path:
    """Returns the file of a plan's picture."""
    return FIGURES / f"babi-{name}.png"


def draw(name: str, runs: list[Record]) -> None:
    """Draws the errors of a plan's trainings, against gradient steps and against minutes.

    Where PPO takes part, it is against the steps of the environment: its gradient steps are many.
    """
    first = (0, "steps") if name == "rl" else (1, "gradient steps")
    envs = list(dict.fromkeys(run["env"] for run in runs))
    shown = Figure(figsize=(9.6, 0.6 + 2.8 * len(envs)), layout="constrained")
    colours = {
        agent: f"C{k}" for k, agent in enumerate(dict.fromkeys(run["agent"] for run in runs))
    }
    for line, env in zip(shown.subplots(len(envs), 2, squeeze=False), envs, strict=True):
        of_env = [run for run in runs if run["env"] == env]
        for ax, (column, what) in zip(line, (first, (2, "minutes")), strict=True):
            _draw(ax, of_env, column, colours)
            ax.set_xlabel(what, fontsize="small")
        line[0].set_ylabel("error in per cent", fontsize="small")
        title = env.removeprefix("Stream-").removesuffix("-v0")
        line[0].set_title(title, loc="left", fontsize="small")
    handles, labels = _legend(shown.axes)
    shown.legend(handles, labels, loc="outside lower center", ncols=2, fontsize="small")
    save_png(shown, figure(name))


def _legend(axes: Iterable[Axes]) -> tuple[list[Artist], list[str]]:
    """Returns what the lines of all panels stand for, each once."""
    found: dict[str, Artist] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def _draw(ax: Axes, runs: list[Record], column: int, colours: Mapping[str, str]) -> None:
    for run in runs:
        if not run["course"]:
            continue
        colour, course = colours[run["agent"]], run["course"]
        x, y = [point[column] for point in course], [point[3] for point in course]
        label = run["agent"] + ("" if run["finished"] else " (cut off)")
        ax.plot(x, y, color=colour, linewidth=1.2, label=label)
        dots = [(_at(course, steps, column), error) for steps, error in run["kept"]]
        ax.plot(*zip(*dots, strict=True), ".", color=colour, markersize=5)
    ax.axhline(100 * FAILED, color="0.7", linewidth=0.8, linestyle=":")
    ax.set_yscale("symlog", linthresh=1.0)
    ax.set_ylim(0, 105)
    ax.set_yticks([0, 1, 5, 10, 50, 100], ["0", "1", "5", "10", "50", "100"])
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.tick_params(labelsize="small")


def _at(course: list[list[float]], steps: int, column: int) -> float:
    """Returns where a checkpoint stands on an axis: at the first point that has as many steps."""
    return next((point[column] for point in course if point[0] >= steps), course[-1][column])


def main() -> None:
    """Write the results, their page and the pictures."""
    results = update(__doc__.splitlines()[0], RESULTS, PLANS, plan, read_run)
    for name, runs in results.items():
        if runs:
            draw(name, runs)
    write_text(PAGE, page(results))


if __name__ == "__main__":
    main()
