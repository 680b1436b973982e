"""How often intervals hold the truth: what is drawn is as it says, and three seeds are few."""

import numpy as np

from benchmarks.intervals import coverage, spread, stuck


def test_runs_are_spread_or_stuck() -> None:
    generator = np.random.default_rng(0)
    even, two = (kind(3)(generator, 2000) for kind in (spread, stuck))
    assert even.shape == two.shape == (2000, 3)
    assert np.allclose(even.mean(axis=0), [0.2, 0.55, 0.9], atol=0.01)
    assert np.allclose(even.std(axis=0), 0.1, atol=0.01)
    assert np.allclose((two > 0.6).mean(axis=0), [0.2, 0.55, 0.9], atol=0.05)
    assert not ((two > 0.4) & (two < 0.8)).any()


def test_intervals_of_few_seeds_hold_the_truth_too_seldom() -> None:
    generator = np.random.default_rng(0)
    few, more = (coverage(spread(3), seeds, 40, generator) for seeds in (3, 20))
    assert 0.6 <= few < more <= 1.0
