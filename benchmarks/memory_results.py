"""The memories' results as two pages: ``python -m benchmarks.memory_results --runs FOLDER``.

Reads what `benchmarks.memory_runs` left in FOLDER and adds it to benchmarks/results/memories.json,
where earlier results of other runs stay. From that it writes docs/results/maze.md, with its
picture, and docs/results/memories.md. Each file is written whole or not at all.
"""

from collections import Counter
from pathlib import Path

from matplotlib.figure import Figure

from agents.evaluation.plots import GREEN, GREY, save_png
from agents.saving.atomic import write_text
from benchmarks.memory_runs import MAZE, PLANS, plan
from benchmarks.recorded import (
    CUT_OFF,
    Record,
    first_at,
    head,
    machines,
    notes,
    read_preset_run,
    row,
    short_commit,
    shown_value,
    span,
    update,
)
from benchmarks.runs import PresetRun

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
_TITLES = {
    "maze": "PPO with our preset",
    "maze-large": "Larger mazes",
    "maze-a2c": "A2C with the paper's settings",
    "maze-first-look": "The maze: a first look",
    "mnm-options": "What MNM's paper leaves open: a first look in the maze",
    "tape-first-look": "Tape-Reverse: a first look",
    "cartpole": "CartPole by REINFORCE",
}
_ON_MAZE_PAGE = ("maze", "maze-large", "maze-a2c")


def read_run(run: PresetRun, folder: Path) -> Record | None:
    """What a training and its continuations did; None if it has not begun."""
    return read_preset_run(run, folder, MARKS)


def episodes_to(mark: float, run: Record) -> int | None:
    """After how many episodes of the maze the mean return of the latest was `mark`, if ever."""
    return next((run["curve"][i][0] // MAZE_STEPS for i in first_at(run["curve"], mark)), None)


def _maze_summary(name: str, runs: list[Record]) -> list[str]:
    """What became of a plan, memory by memory, also of those that have not begun."""
    numbers = ["planned", "done", "return", *_TO_MARKS, "cut off", "return by then"]
    lines = head(["maze", "agent"], numbers, [])
    planned = Counter((run.env, run.agent) for run in plan(name))
    for key, count in planned.items():
        group = [run for run in runs if (run["env"], run["agent"]) == key]
        done = [run for run in group if run["finished"]]
        cut = [run for run in group if not run["finished"]]
        marks = [[n for run in group if (n := episodes_to(mark, run))] for mark in MARKS]
        cells = [_size(key[0]), key[1], count, len(done) or ""]
        cells += [span([run["return_mean"] for run in done], 1)]
        cells += [*map(span, marks), len(cut) or ""]
        cells.append(span([run["return_mean"] for run in cut if run["return_mean"] is not None], 1))
        lines.append(row(cells))
    return lines


def _size(env: str) -> str:
    return env.split("-")[2]


def _maze_table(runs: list[Record]) -> list[str]:
    numbers = ["seed", "return", "success", *_TO_MARKS, "episodes"]
    lines = head(["maze", "agent"], [*numbers, "minutes", "processor's"], ["commit"])
    for run in runs:
        counts = [episodes_to(mark, run) for mark in MARKS]
        cells = [_size(run["env"]), run["agent"], run["seed"], shown_value(run, "return_mean", 1)]
        cells.append(shown_value(run, "success", 3))
        cells += ["never" if count is None else f"{count:,}" for count in counts]
        cells += [f"{run['steps'] // MAZE_STEPS:,}", run["minutes"], run["cpu_minutes"]]
        lines.append(row([*cells, short_commit(run)]))
    return lines


def _table(runs: list[Record]) -> list[str]:
    numbers = ["seed", "return", "success", "steps", "minutes", "processor's"]
    lines = head(["agent"], numbers, ["commit"])
    for run in runs:
        cells = [
            run["agent"],
            run["seed"],
            shown_value(run, "return_mean", 2),
            shown_value(run, "success", 3),
        ]
        cells += [f"{run['steps']:,}", run["minutes"], run["cpu_minutes"], short_commit(run)]
        lines.append(row(cells))
    return lines


def _section(name: str, runs: list[Record]) -> list[str]:
    lines = ["", f"## {_TITLES[name]}", "", f"For example: `{runs[0]['command']}`", ""]
    if name in _ON_MAZE_PAGE:
        return [*lines, *_maze_summary(name, runs), "", "Every run:", "", *_maze_table(runs)]
    return [*lines, *_table(runs)]


def maze_page(results: dict[str, list[Record]]) -> str:
    """The page of the maze in Markdown."""
    lines = [
        "# The maze: results",
        "",
        "Written by `python -m benchmarks.memory_results` from the folders that",
        "`python -m benchmarks.memory_runs` left. Return is the mean over 1,000 fresh episodes.",
        f"With {MAZE.format(9)}, random play gets 8, one that knows goal and place 533, and",
        "the best that an agent can do, which has to find the one and to work out the other,",
        f"{BOUND} ([computed exactly](../environments/maze.md)). "
        f"An episode has {MAZE_STEPS} steps.",
        f"Episodes to {MARKS[0]:g} and to {MARKS[1]:g}, nine tenths of the best, are those of",
        "training until the mean return of the latest ones (128 with the preset) was that.",
        f"Munkhdalai et al. (2019), Fig. 6, come to {MARKS[0]:g} after 250,000 with MNM, and with",
        "plastic networks after nearly a million.",
        *CUT_OFF,
        "",
        f"![Return against episodes](../images/{FIGURE.name})",
    ]
    shown = {name: results[name] for name in _ON_MAZE_PAGE if results.get(name)}
    for name, runs in shown.items():
        lines += _section(name, runs)
    lines += machines(run for runs in shown.values() for run in runs)
    return "\n".join(lines) + "\n" + notes(MAZE_PAGE)


def page(results: dict[str, list[Record]]) -> str:
    """The page of the other plans in Markdown."""
    lines = [
        "# Memories: first looks",
        "",
        "Written by `python -m benchmarks.memory_results` from the folders that",
        "`python -m benchmarks.memory_runs` left. First looks have one seed and few steps each,",
        "the same steps and settings for all: they show which memory learns what quickly, and are",
        "no ranking. Return and success are the means over 1,000 fresh episodes.",
        *CUT_OFF,
    ]
    shown = {
        name: results[name] for name in _TITLES if name not in _ON_MAZE_PAGE and results.get(name)
    }
    for name, runs in shown.items():
        lines += _section(name, runs)
    lines += machines(run for runs in shown.values() for run in runs)
    return "\n".join(lines) + "\n" + notes(PAGE)


def pages(results: dict[str, list[Record]]) -> dict[Path, str]:
    """The pages for which there are results."""
    made = {MAZE_PAGE: maze_page, PAGE: page}
    on_maze_page = {name in _ON_MAZE_PAGE for name, runs in results.items() if runs}
    return {
        path: make(results) for path, make in made.items() if (make is maze_page) in on_maze_page
    }


def draw(runs: list[Record]) -> None:
    """Return against episodes, a line for each training, a colour for each memory."""
    figure = Figure(figsize=(9, 4), layout="constrained")
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
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    save_png(figure, FIGURE)


def main() -> None:
    """Write the results, their pages and the picture."""
    results = update(__doc__.splitlines()[0], RESULTS, PLANS, plan, read_run)
    draw([run for run in results["maze"] if run["curve"]])
    for path, text in pages(results).items():
        write_text(path, text)


if __name__ == "__main__":
    main()
