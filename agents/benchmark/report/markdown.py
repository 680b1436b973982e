"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from agents.benchmark.report.leaderboard import Leaderboard, Standing
from agents.benchmark.report.statistics import Estimate
from agents.benchmark.results import Result
from agents.benchmark.suites import SUITES

_HEAD = """# Leaderboard

The score of a run is (return - random) / (optimal - random) over 1,000 fresh episodes: 0 for random
play, 1 for optimal play. A suite's score is the interquartile mean over all its tasks and seeds,
with a 95 % interval of the stratified bootstrap, which is too narrow where seeds are few. P(better)
is how probably a run of an agent beats one of the agent in the next line. An agent of which a task
is missing has no score of the suite. Minutes are of training and of all evaluations; the latter
take longer where observations are wrapped, as for Stable-Baselines3's classes.

"Without memory" and "with memory" are what is certified of the best policy that sees the present
observation alone, and of the best one that remembers all it saw. Where the latter is below 1,
optimal play knows what is not shown, such as the place of a maze's goal, and no agent scores 1.

Agents that are called `ppo/lstm` or the like have presets, settings and a curriculum that were
chosen for many of these tasks. Those called `stable_baselines3:PPO` or the like have their own
defaults, which were not, and no curriculum: the difference is not one of memories alone.
"""


def report_markdown(boards: Sequence[Leaderboard]) -> str:
    """Returns the leaderboards of suites, and their tasks, as Markdown."""
    parts = [_HEAD]
    for board in boards:
        about = f": {SUITES[board.suite].about}" if board.suite in SUITES else ""
        parts += [f"## {board.suite}{about}\n", _standings(board), _tasks(board)]
    return "\n".join(parts)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table; the first column is words, the others are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _standings(board: Leaderboard) -> str:
    better = {first: chance for first, _, chance in board.improvements}
    header = ("agent", "score", "95 %", "success", "P(better)", "seeds", "minutes a run")
    return table(header, (_standing(line, better.get(line.agent)) for line in board.standings))


def _standing(line: Standing, better: Estimate | None) -> list[str]:
    notes = [f"missing: {', '.join(line.missing)}"] if line.missing else []
    notes += [f"{line.over_budget} runs over budget"] if line.over_budget else []
    name = f"`{line.agent}`" + (f" ({'; '.join(notes)})" if notes else "")
    return [
        name,
        "-" if line.score is None else f"{line.score.value:.3f}",
        _interval(line.score),
        number(line.success),
        "-" if better is None else f"{better.value:.2f}",
        str(line.seeds),
        f"{line.minutes:.1f}",
    ]


def _interval(score: Estimate | None) -> str:
    if score is None or score.low is None or score.high is None:
        return "-"
    return f"{score.low:.3f} to {score.high:.3f}"


def _tasks(board: Leaderboard) -> str:
    """A line for each task, a column for each agent: the mean score, or return, over seeds."""
    agents = [line.agent for line in board.standings]
    tasks = list(dict.fromkeys(result.task for result in board.results))
    rows = []
    for task in tasks:
        runs = [result for result in board.results if result.task == task]
        cells = [_cell([run for run in runs if run.agent == name]) for name in agents]
        known = board.certified.get(task)
        bounds = ("-", "-") if known is None else (known.memoryless.words(), known.best.words())
        rows.append([task, *bounds, *cells])
    names = (f"`{agent}`" for agent in agents)
    return table(("task", "without memory", "with memory", *names), rows)


def _cell(runs: Sequence[Result]) -> str:
    if not runs:
        return "-"
    values, unit = measured(runs)
    spread = f" ± {np.std(values):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}{unit}"


def measured(runs: Sequence[Result]) -> tuple[list[float], str]:
    """Returns the scores of runs; their returns, and a mark that says so, where there are none."""
    scores = [run.score for run in runs if run.score is not None]
    if len(scores) == len(runs):
        return scores, ""
    return [run.evaluation["return_mean"] for run in runs], " (return)"


def number(value: float | None) -> str:
    """Returns a number as tables show it."""
    return "-" if value is None else f"{value:.3f}"
