"""Writes the report of a folder of results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agents.benchmark.report.leaderboard import leaderboards
from agents.benchmark.report.markdown import report_markdown
from agents.benchmark.report.page import report_html
from agents.benchmark.results import ResultError, read_runs
from agents.saving.atomic import write_text


def write_report(folders: Iterable[Path], out: Path) -> tuple[Path, Path]:
    """Writes ``report.md`` and ``report.html``, each whole or not at all.

    Args:
        folders: Where results are, however deep.
        out: The folder of the two files.

    Returns:
        The paths of the two files.

    Raises:
        ResultError: If there is no result, or a file holds none.
        OSError: If a file cannot be written.
    """
    folders = list(folders)
    runs = read_runs(folders)
    if not runs:
        names = ", ".join(map(str, folders))
        raise ResultError(f"there are no results below {names}; `memory-envs benchmark` makes some")
    boards = leaderboards([run.result for run in runs])
    text, page = out / "report.md", out / "report.html"
    write_text(text, report_markdown(boards))
    report_html(boards, runs, page)
    return text, page
