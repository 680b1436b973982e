"""Learning curves of several runs as one: means at common steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.benchmark.results import Result

_POINTS = 40


class Curve(NamedTuple):
    """A mean over runs.

    Attributes:
        steps: Environment steps, the same distance apart.
        means: The mean over runs of the last evaluation before.
        lows: The worst run's.
        highs: The best run's.
        quantity: "score", or "return" where there is none.
    """

    steps: list[int]
    means: list[float]
    lows: list[float]
    highs: list[float]
    quantity: str


def mean_curve(runs: Sequence[Result]) -> Curve | None:
    """Returns the curve of an agent's runs on one task; None if no run has one.

    Args:
        runs: The runs, of the same agent and task.
    """
    drawn = [run.curve for run in runs if len(run.curve) > 1]
    if not drawn:
        return None
    has_score = all(point.score is not None for curve in drawn for point in curve)
    first = max(curve[0].steps for curve in drawn)
    last = min(curve[-1].steps for curve in drawn)
    steps = np.linspace(first, max(last, first), _POINTS).round().astype(int)
    lines = []
    for curve in drawn:
        at = np.array([point.steps for point in curve])
        values = [point.score if has_score else point.return_mean for point in curve]
        lines.append(np.array(values, np.float64)[np.searchsorted(at, steps, "right") - 1])
    stacked = np.stack(lines)
    return Curve(
        steps.tolist(),
        _rounded(stacked.mean(axis=0)),
        _rounded(stacked.min(axis=0)),
        _rounded(stacked.max(axis=0)),
        "score" if has_score else "return",
    )


def _rounded(values: npt.NDArray[np.float64]) -> list[float]:
    return [round(value, 4) for value in values.tolist()]
