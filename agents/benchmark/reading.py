"""Results and where they lie: folders that the benchmark filled, and files of submissions.

A submission says what its agent is called; what the command line called it, the results' commands
still tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from agents.benchmark.results import RESULT, Result, ResultError, read_result
from agents.benchmark.submission import read_submission


class Run(NamedTuple):
    """A result, and where it lies: the folder of its run, or the file of a submission."""

    result: Result
    source: Path


def read_runs(paths: Iterable[Path]) -> list[Run]:
    """Reads all results of folders and submissions, in the order of suite, task, agent and seed.

    Args:
        paths: Folders where results are, however deep, and files of submissions.

    Raises:
        ResultError: If a path is not there, a file holds no result, or two are of the same run.
    """
    found: dict[tuple[str, str, str, int], Run] = {}
    for path in paths:
        for run in _read(path):
            first = found.setdefault(run.result.key, run)
            if first is not run:
                raise ResultError(
                    f"{run.source} and {first.source} are results of the same run: "
                    f"{run.result.agent} on {run.result.task}, seed {run.result.seed}; leave one "
                    "of the two out"
                )
    return [found[key] for key in sorted(found)]


def _read(path: Path) -> Iterable[Run]:
    if path.is_dir():
        return [Run(read_result(file), file.parent) for file in sorted(path.rglob(RESULT))]
    if path.exists():
        sent = read_submission(path)
        return [Run(replace(result, agent=sent.agent), path) for result in sent.results]
    raise ResultError(f"{path} is not there; allowed: folders of results and submissions")
