"""What can be said of few runs.

Agarwal et al. (2021), *Deep Reinforcement Learning at the Edge of the Statistical Precipice*.

Scores of an agent are an array ``(runs, tasks)``; a run is a seed. The authors' package, `rliable`,
brings a plotting library and a compiler along for what are forty lines of NumPy; a test compares
the two where it is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
_RESAMPLES = 2000
_TAILS = (2.5, 97.5)


class Estimate(NamedTuple):
    """A number and the interval in which it lies in 95 % of resamples.

    Attributes:
        value: The number.
        low: Low end; None for a single run, which says nothing of others.
        high: High end, likewise.
    """

    value: float
    low: float | None
    high: float | None


def interquartile_mean(scores: Scores) -> float:
    """Returns the mean of the middle half of all scores, ``(runs, tasks)`` taken together.

    Where a quarter of the scores is no whole number it is rounded down, as in SciPy's `trim_mean`.
    """
    ordered = np.sort(scores, axis=None)
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def estimate(
    scores: Scores, statistic: Callable[[Scores], float], generator: np.random.Generator
) -> Estimate:
    """Returns a statistic with its stratified bootstrap interval.

    The runs of each task are drawn anew, task by task, as many as there are. Of few runs such an
    interval is too narrow (``python -m benchmarks.intervals``): those drawn differ less than runs
    do.

    Args:
        scores: Of shape ``(runs, tasks)``.
        statistic: Makes a number of such an array.
        generator: Draws the resamples.
    """
    if len(scores) < 2:
        return Estimate(statistic(scores), None, None)
    values = [statistic(_resample(scores, generator)) for _ in range(_RESAMPLES)]
    return Estimate(statistic(scores), *_ends(values))


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.percentile(values, _TAILS)
    return float(low), float(high)


def _resample(scores: Scores, generator: np.random.Generator) -> Scores:
    drawn = generator.integers(len(scores), size=scores.shape)
    return np.take_along_axis(scores, drawn, axis=0)


def probability_of_improvement(first: Scores, second: Scores) -> float:
    """Returns how probably a run of the first agent is better than one of the second.

    It is the mean over tasks of the share of pairs of runs that the first wins, a draw counting
    half (the Mann-Whitney statistic).

    Args:
        first: Of shape ``(runs, tasks)``.
        second: Of shape ``(its runs, tasks)``.
    """
    mine, theirs = first[:, None], second[None]
    return float(((mine > theirs) + 0.5 * (mine == theirs)).mean())


def estimate_improvement(first: Scores, second: Scores, generator: np.random.Generator) -> Estimate:
    """Returns `probability_of_improvement` with its stratified bootstrap interval."""
    if min(len(first), len(second)) < 2:
        return Estimate(probability_of_improvement(first, second), None, None)
    values = [
        probability_of_improvement(_resample(first, generator), _resample(second, generator))
        for _ in range(_RESAMPLES)
    ]
    return Estimate(probability_of_improvement(first, second), *_ends(values))


def performance_profile(scores: Scores, thresholds: npt.NDArray[np.float64]) -> Scores:
    """Returns the share of all scores above each threshold.

    Args:
        scores: Of shape ``(runs, tasks)``.
        thresholds: Of shape ``(n,)``.

    Returns:
        ``(n,)`` shares.
    """
    above = scores.ravel()[:, None] > thresholds
    return np.asarray(above.mean(axis=0), np.float64)
