"""Writes the report of results: folders of runs, and files of submissions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agents.benchmark.reading import read_runs
from agents.benchmark.report.leaderboard import leaderboards
from agents.benchmark.report.markdown import report_markdown
from agents.benchmark.report.page import report_html
from agents.benchmark.results import ResultError
from agents.saving.atomic import write_text


def write_report(paths: Iterable[Path], out: Path) -> tuple[Path, Path]:
    """Writes ``report.md`` and ``report.html``, each whole or not at all.

    Args:
        paths: Folders where results are, however deep, and files of submissions.
        out: The folder of the two files.

    Returns:
        The paths of the two files.

    Raises:
        ResultError: If there is no result, a file holds none, or two are of the same run.
        OSError: If a file cannot be written.
    """
    paths = list(paths)
    runs = read_runs(paths)
    if not runs:
        names = ", ".join(map(str, paths))
        raise ResultError(f"there are no results below {names}; `memory-envs benchmark` makes some")
    boards = leaderboards([run.result for run in runs])
    text, page = out / "report.md", out / "report.html"
    write_text(text, report_markdown(boards))
    report_html(boards, runs, page)
    return text, page
