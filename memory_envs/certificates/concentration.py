"""Bounds from sampled episodes that hold with a stated confidence.

With n independent episodes whose returns lie in an interval of width R:

- Hoeffding: the mean of one fixed policy's returns is off by less than R sqrt(ln(1/risk) / 2n).
- McDiarmid: let M be the largest mean that any policy of a class has on these very episodes. To
  change one episode changes M by R / n at most, so M is below its own expectation by no more than
  the same deviation; and the expectation of a largest mean is no less than the largest expectation.
  So the value of the best policy is at most M + R sqrt(ln(1/risk) / 2n), however many policies
  there are.
- Empirical Bernstein (Maurer & Pontil 2009, Theorem 4): the same mean is too large by less than
  sqrt(2 V ln(2/risk) / n) + 7 R ln(2/risk) / 3 (n - 1), with V the sample variance.
"""

import math

import numpy as np
import numpy.typing as npt

from memory_envs.certificates.interval import RISK


def deviation(width: float, episodes: int, risk: float = RISK) -> float:
    """Returns by how much a mean is off at most, in one direction.

    Args:
        width: Of the interval in which an episode's return lies.
        episodes: Number of independent episodes.
        risk: The chance that it is off by more.
    """
    return width * math.sqrt(math.log(1.0 / risk) / (2 * episodes))


def mean_from_below(returns: npt.NDArray[np.float64], width: float, risk: float = RISK) -> float:
    """Returns what a policy's expected return is no less than, by its returns in some episodes.

    Args:
        returns: Of independent episodes.
        width: Of the interval in which an episode's return lies.
        risk: The chance that it is less.
    """
    log, n = math.log(2.0 / risk), len(returns)
    off = math.sqrt(2 * returns.var(ddof=1) * log / n) + 7 * width * log / (3 * (n - 1))
    return float(returns.mean()) - off
