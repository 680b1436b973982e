"""The report as one HTML page that needs nothing else: sorted, filtered, opened row by row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.benchmark.reading import Run
from agents.benchmark.report.certified import Bounds
from agents.benchmark.report.curves import mean_curve
from agents.benchmark.report.leaderboard import THRESHOLDS, Leaderboard, Standing
from agents.benchmark.report.markdown import measured
from agents.benchmark.suites import SUITES
from agents.evaluation.pages import embedded_json, fill_places, read_part
from agents.saving.atomic import write_text

_LONGEST_TRACE = 6000  # characters


def report_html(boards: Sequence[Leaderboard], runs: Sequence[Run], path: Path) -> None:
    """Writes the page, whole or not at all."""
    write_text(path, report_page(boards, runs))


def report_page(boards: Sequence[Leaderboard], runs: Sequence[Run]) -> str:
    """Returns the page; its colours are those of a trace's page."""
    parts = {
        "style": read_part("agents.evaluation.trace.page", "style.css")
        + read_part(__name__, "board.css"),
        "script": read_part(__name__, "charts.js") + read_part(__name__, "board.js"),
        "data": embedded_json(page_data(boards, runs)),
    }
    return fill_places(read_part(__name__, "page.html"), parts)


def page_data(boards: Sequence[Leaderboard], runs: Sequence[Run]) -> dict[str, Any]:
    """Returns what the page shows, ready for JSON."""
    return {
        "thresholds": THRESHOLDS.tolist(),
        "boards": [_board(board, runs) for board in boards],
    }


def _board(board: Leaderboard, runs: Sequence[Run]) -> dict[str, Any]:
    own = [run for run in runs if run.result.suite == board.suite]
    tasks = list(dict.fromkeys(run.result.task for run in own))
    better = {first: estimate for first, _, estimate in board.improvements}
    return {
        "suite": board.suite,
        "about": SUITES[board.suite].about if board.suite in SUITES else "",
        "tasks": tasks,
        "certified": {
            task: {name: _bounds(bounds) for name, bounds in found._asdict().items()}
            for task, found in board.certified.items()
        },
        "agents": [
            {
                **_standing(standing),
                "better": better.get(standing.agent),
                "tasks": {
                    task: _task(found)
                    for task in tasks
                    if (found := _of(own, standing.agent, task))
                },
            }
            for standing in board.standings
        ],
    }


def _bounds(bounds: Bounds) -> dict[str, Any]:
    """The line that is drawn is the bound that nobody of the kind passes."""
    return {"words": bounds.words(), "high": bounds.high}


def _of(runs: Sequence[Run], agent: str, task: str) -> list[Run]:
    return [run for run in runs if (run.result.agent, run.result.task) == (agent, task)]


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "agent": standing.agent,
        "score": standing.score,
        "success": standing.success,
        "seeds": standing.seeds,
        "minutes": round(standing.minutes, 2),
        "missing": list(standing.missing),
        "overBudget": standing.over_budget,
        "profile": standing.profile,
    }


def _task(runs: Sequence[Run]) -> dict[str, Any]:
    results = [run.result for run in runs]
    values, unit = measured(results)
    curve = mean_curve(results)
    return {
        "values": [round(value, 4) for value in values],
        "unit": unit.strip(" ()") or "score",
        "curve": None if curve is None else curve._asdict(),
        "trace": _trace(runs[0].source),
        "command": results[0].command,
        "runs": [
            {
                "seed": result.seed,
                "success": result.evaluation["success"],
                "return": result.evaluation["return_mean"],
                "steps": result.steps,
                "minutes": round(result.minutes, 2),
                "parts": result.parts,
                "commit": (result.provenance.get("commit") or "unknown")[:7],
            }
            for result in results
        ],
    }


def _trace(source: Path) -> str | None:
    """Returns the episode that a training of this project leaves behind, step by step."""
    found = sorted(source.glob("part-*/trace.txt"))
    if not found:
        return None
    text = found[-1].read_text(encoding="utf-8")
    return text if len(text) <= _LONGEST_TRACE else text[:_LONGEST_TRACE] + "\n..."
