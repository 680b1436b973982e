"""What the best policies score, without memory and with it: between these two memory shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agents.benchmark.results import Result
from agents.benchmark.suites import SUITES
from memory_envs.certificates import Interval, read_certificates
from memory_envs.scoring.result import score_of


class Bounds(NamedTuple):
    """Bounds of a score that nobody trained for.

    Attributes:
        low: The best policy of a kind scores no less.
        high: It scores no more; None where nothing is known from above.
    """

    low: float
    high: float | None

    def words(self) -> str:
        """Returns them as tables show them."""
        if self.high is None:
            return f"from {self.low:.3f}" if self.low > 0 else "unknown"
        low, high = f"{self.low:.3f}", f"{self.high:.3f}"
        return high if low == high else f"{low} to {high}"


class Certified(NamedTuple):
    """What is certified of a task's scores.

    Attributes:
        memoryless: Of the best policy that sees the present observation alone.
        best: Of the best policy that remembers all it saw. It can be less than 1: optimal play, at
            which the scale ends, knows where the maze's goal is, and what chance will bring.
    """

    memoryless: Bounds
    best: Bounds


def certified_scores(suite: str, task: str, results: Sequence[Result]) -> Certified | None:
    """Returns what is certified of the best scores on a task.

    The certificate's expected returns are put on the scale of the runs' evaluation, random and
    optimal play on its episodes. So they are as exact as a mean over these episodes is.

    Args:
        suite: The suite's name.
        task: The task's name.
        results: Runs of the suite.

    Returns:
        The bounds; None if the task is not an id of the package as it is, or has no scores: no
        optimum is known, or random play gets it.
    """
    known = SUITES[suite].find(task) if suite in SUITES else None
    run = next((result for result in results if result.task == task), None)
    if known is None or known.evaluation_kwargs or run is None:
        return None
    certificate = read_certificates().get(known.env)
    random, optimal = (run.evaluation.get(name) for name in ("random_return", "optimal_return"))
    if certificate is None or random is None or optimal is None or optimal <= random:
        return None
    memoryless, best = (
        _on_scale(interval, random, optimal)
        for interval in (certificate.memoryless, certificate.best)
    )
    if certificate.memoryless.upper_by == "trivial":
        memoryless = memoryless._replace(high=None)
    return Certified(memoryless, best)


def _on_scale(interval: Interval, random: float, optimal: float) -> Bounds:
    columns = np.array([[interval.lower, interval.upper], [random] * 2, [optimal] * 2])
    # Who plays at random has no memory either, and no score is above that of optimal play.
    low, high = np.clip(score_of(columns), 0.0, 1.0).tolist()
    return Bounds(low, high)
