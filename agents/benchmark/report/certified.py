"""What the best policy without memory scores: the line above which memory begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agents.benchmark.results import Result
from agents.benchmark.suites import SUITES
from memory_envs.certificates import read_certificates
from memory_envs.scoring.result import score_of


class Memoryless(NamedTuple):
    """Bounds of a score that nobody trained for.

    Attributes:
        low: The best policy without memory scores no less.
        high: It scores no more; None where nothing is known from above.
    """

    low: float
    high: float | None


def memoryless_score(suite: str, task: str, results: Sequence[Result]) -> Memoryless | None:
    """Returns what is certified of the best score without memory on a task.

    The certificate's expected returns are put on the scale of the runs' evaluation, random and
    optimal play on its episodes. So they are as exact as a mean over these episodes is.

    Args:
        suite: The suite's name.
        task: The task's name.
        results: Runs of the suite.

    Returns:
        The bounds; None if the task is not an id of the package as it is, or has no scores.
    """
    known = SUITES[suite].find(task) if suite in SUITES else None
    run = next((result for result in results if result.task == task), None)
    if known is None or known.evaluation_kwargs or run is None:
        return None
    certificate = read_certificates().get(known.env)
    random, optimal = (run.evaluation.get(name) for name in ("random_return", "optimal_return"))
    if certificate is None or random is None or optimal is None:
        return None
    bounds = certificate.memoryless
    columns = np.array([[bounds.lower, bounds.upper], [random] * 2, [optimal] * 2])
    # Who plays at random has no memory either, and no score is above that of optimal play.
    low, high = np.clip(score_of(columns), 0.0, 1.0).tolist()
    return Memoryless(low, None if bounds.upper_by == "trivial" else high)
