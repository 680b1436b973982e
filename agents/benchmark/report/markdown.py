"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from agents.benchmark.report.leaderboard import Leaderboard, Standing
from agents.benchmark.report.memoryless import Memoryless
from agents.benchmark.report.statistics import Estimate
from agents.benchmark.results import Result
from agents.benchmark.suites import SUITES

_HEAD = """# Leaderboard

The score of a run is (return - random) / (optimal - random) over 1,000 fresh episodes: 0 for random
play, 1 for optimal play. A suite's score is the interquartile mean over all its tasks and seeds,
with a 95 % interval of the stratified bootstrap. P(better) is how probably a run of an agent beats
one of the agent in the next line. An agent of which a task is missing has no score of the suite.
"Without memory" is what is certified of the best policy that sees the present observation alone.
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
        "-" if line.score is None else f"{line.score.low:.3f} to {line.score.high:.3f}",
        number(line.success),
        "-" if better is None else f"{better.value:.2f}",
        str(line.seeds),
        f"{line.minutes:.1f}",
    ]


def _tasks(board: Leaderboard) -> str:
    """A line for each task, a column for each agent: the mean score, or return, over seeds."""
    agents = [line.agent for line in board.standings]
    tasks = list(dict.fromkeys(result.task for result in board.results))
    rows = []
    for task in tasks:
        runs = [result for result in board.results if result.task == task]
        cells = [_cell([run for run in runs if run.agent == name]) for name in agents]
        rows.append([task, bounds_words(board.memoryless.get(task)), *cells])
    return table(("task", "without memory", *(f"`{agent}`" for agent in agents)), rows)


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


def bounds_words(bounds: Memoryless | None) -> str:
    """Returns between which bounds the best score without memory lies, in words."""
    if bounds is None:
        return "-"
    if bounds.high is None:
        return f"from {bounds.low:.3f}" if bounds.low > 0 else "unknown"
    low, high = f"{bounds.low:.3f}", f"{bounds.high:.3f}"
    return high if low == high else f"{low} to {high}"


def number(value: float | None) -> str:
    """Returns a number as tables show it."""
    return "-" if value is None else f"{value:.3f}"
