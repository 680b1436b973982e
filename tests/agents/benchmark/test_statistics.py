"""The statistics of few runs, against definitions and, where it is installed, against rliable."""

import numpy as np
import pytest

from agents.benchmark.report.statistics import (
    Estimate,
    estimate,
    estimate_improvement,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
)


def ends(found: Estimate) -> tuple[float, float]:
    """The ends of an interval of several runs."""
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def test_the_interquartile_mean_cuts_a_quarter_at_each_end() -> None:
    assert interquartile_mean(np.array([[5.0]])) == 5.0
    assert interquartile_mean(np.array([[0.0, 1.0, 2.0]])) == 1.0  # none is a whole quarter
    assert interquartile_mean(np.array([[9.0, 1.0], [3.0, 0.0]])) == 2.0
    assert interquartile_mean(np.arange(10.0).reshape(2, 5) ** 2) == (4 + 9 + 16 + 25 + 36 + 49) / 6


def test_outliers_do_not_move_the_interquartile_mean() -> None:
    scores = np.array([[0.0, 0.4, 0.5, 0.6], [0.0, 0.4, 0.5, 100.0]])
    assert interquartile_mean(scores) == pytest.approx(0.45)


def test_an_interval_resamples_within_tasks() -> None:
    """Between tasks whose runs all agree there is nothing to resample."""
    scores = np.array([[0.1, 0.9, 0.5]] * 4)
    found = estimate(scores, interquartile_mean, np.random.default_rng(0))
    assert found.low == found.value == found.high


def test_a_single_run_has_no_interval() -> None:
    """One of no width would say that nothing else can come."""
    one, generator = np.array([[0.1, 0.9]]), np.random.default_rng(0)
    assert estimate(one, interquartile_mean, generator) == (0.5, None, None)
    assert estimate_improvement(one, one - 1, generator) == (1.0, None, None)
    assert estimate_improvement(np.repeat(one, 3, axis=0), one, generator)[1:] == (None, None)


def test_an_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        scores = generator.normal(0.5, 0.1, size=(20, 4))
        found = estimate(scores, lambda x: float(x.mean()), generator)
        low, high = ends(found)
        held += low <= 0.5 <= high
    # Binomial with 60 draws of 0.93 or so, as 20 runs are few: under 47 in one of a thousand.
    assert held >= 47


def test_more_runs_make_an_interval_narrower() -> None:
    generator = np.random.default_rng(0)
    few, many = (generator.normal(size=(runs, 5)) for runs in (3, 48))
    widths = [
        np.ptp(ends(estimate(scores, interquartile_mean, generator))) for scores in (few, many)
    ]
    assert widths[1] < widths[0] / 2


def test_the_probability_of_improvement_counts_pairs_task_by_task() -> None:
    first = np.array([[1.0, 0.0], [3.0, 0.0]])
    second = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]])
    # Task one: 1 beats 0; 3 beats 2 and 0, and draws with 3: 3.5 of 6. Task two: two draws of 6.
    expected = (3.5 / 6 + 1.0 / 6) / 2
    assert probability_of_improvement(first, second) == pytest.approx(expected)
    assert probability_of_improvement(second, first) == pytest.approx(1 - expected)
    found = estimate_improvement(first, second, np.random.default_rng(0))
    low, high = ends(found)
    assert low <= found.value <= high


def test_a_profile_is_the_share_above_each_threshold() -> None:
    scores = np.array([[0.0, 0.5], [1.0, 0.5]])
    profile = performance_profile(scores, np.array([-0.1, 0.0, 0.5, 1.0]))
    assert profile.tolist() == [1.0, 0.75, 0.25, 0.0]


def test_the_authors_package_finds_the_same() -> None:
    """These are the numbers of rliable 1.2.0 for the same arrays."""
    scores, others = np.random.default_rng(0).normal(size=(2, 5, 6))
    assert interquartile_mean(scores) == pytest.approx(-0.14516161252622858)
    assert probability_of_improvement(scores, others) == pytest.approx(0.3466666666666667)
