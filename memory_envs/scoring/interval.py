"""How far a mean over episodes can be trusted: percentile bootstrap (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Interval = tuple[float, float]
_RESAMPLES = 1000
_TAILS = (2.5, 97.5)  # percentiles, between which 95 % lie


def bootstrap(
    columns: npt.NDArray[np.float64],
    statistic: Callable[[npt.NDArray[np.float64]], Any],
    generator: np.random.Generator,
) -> Interval | None:
    """Returns the interval in which a statistic of column means lies in 95 % of resamples.

    Episodes are drawn whole, so that what was measured on the same seed stays together: an episode
    that is hard for the agent is hard for random play.

    Args:
        columns: Of shape ``(columns, episodes)``.
        statistic: Makes a number of means, ``(columns,)``; of many, ``(columns, n)``, n numbers.
        generator: Draws the resamples.

    Returns:
        Low and high end; None for a single episode, which says nothing of others.
    """
    episodes = columns.shape[1]
    if episodes < 2:
        return None
    means = np.empty((len(columns), _RESAMPLES))
    for draw in range(_RESAMPLES):
        means[:, draw] = columns[:, generator.integers(episodes, size=episodes)].mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.asarray(statistic(means))
    # A ratio has none where the few episodes that were drawn make its denominator 0.
    low, high = np.percentile(values[np.isfinite(values)], _TAILS)
    return float(low), float(high)
