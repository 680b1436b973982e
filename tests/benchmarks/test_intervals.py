"""How often intervals hold the truth: what is drawn is as it says, and three seeds are few."""

import numpy as np
import pytest

from agents.benchmark.report.statistics import Scores
from benchmarks import intervals
from benchmarks.intervals import ENDLESS, coverage, spread, stuck


def test_runs_are_spread_or_stuck() -> None:
    generator = np.random.default_rng(0)
    even, two = (kind(3)(generator, 2000) for kind in (spread, stuck))
    assert even.shape == two.shape == (2000, 3)
    assert np.allclose(even.mean(axis=0), [0.2, 0.55, 0.9], atol=0.01)
    assert np.allclose(even.std(axis=0), 0.1, atol=0.01)
    assert np.allclose((two > 0.6).mean(axis=0), [0.2, 0.55, 0.9], atol=0.05)
    noise = two - np.where(two > 0.6, 0.95, 0.25)
    assert np.allclose((noise.mean(), noise.std()), (0.0, 0.02), atol=0.002)


def test_an_interval_holds_the_truth_between_its_two_ends() -> None:
    """Of four intervals without a width, two are at the truth, one is below and one above."""
    endless = np.array([[0.0], [0.5], [0.5], [9.0]])  # the middle half is what counts
    few = (np.full((3, 2), value) for value in (0.5, 0.25, 0.75, 0.5))
    sizes: list[int] = []

    def draw(generator: np.random.Generator, seeds: int) -> Scores:
        sizes.append(seeds)
        return next(few) if seeds == 3 else endless

    assert coverage(draw, 3, 4, np.random.default_rng(0)) == 0.5
    assert sizes == [ENDLESS, 3, 3, 3, 3]


def test_each_line_is_of_a_kind_and_a_number_of_tasks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def size(draw: intervals.Draw, seeds: int, suites: int, generator: np.random.Generator) -> int:
        return draw(generator, seeds).size

    monkeypatch.setattr(intervals, "coverage", size)
    intervals.main()
    lines = [line.rpartition(",")[2].split() for line in capsys.readouterr().out.splitlines()[1:]]
    sizes = [[tasks, *(f"{tasks * seeds}.000" for seeds in intervals.SEEDS)] for tasks in (3, 8)]
    assert [[int(tasks), *rest] for tasks, *rest in lines] == sizes * 2


def test_intervals_of_few_seeds_hold_the_truth_too_seldom() -> None:
    generator = np.random.default_rng(0)
    few, more = (coverage(spread(3), seeds, 40, generator) for seeds in (3, 20))
    assert 0.6 <= few < more <= 1.0
