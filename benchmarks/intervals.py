"""How often the leaderboards' 95 % intervals hold the truth: ``python -m benchmarks.intervals``.

Runs are drawn whose distribution is known, so that the interquartile mean of endlessly many is
known, too. They are of two kinds: spread evenly around a task's mean; or each either solves its
task or is stuck, as trainings often are.
"""

from collections.abc import Callable

import numpy as np

from agents.benchmark.report.statistics import Scores, estimate, interquartile_mean

Draw = Callable[[np.random.Generator, int], Scores]
TASKS, SEEDS = (3, 8), (3, 5, 10)
SUITES, ENDLESS = 200, 100_000


def spread(tasks: int) -> Draw:
    """Returns what draws runs ``(seeds, tasks)`` with a standard deviation of 0.1."""
    means = np.linspace(0.2, 0.9, tasks)
    return lambda generator, seeds: means + 0.1 * generator.normal(size=(seeds, tasks))


def stuck(tasks: int) -> Draw:
    """Returns what draws runs ``(seeds, tasks)`` that are near 0.95 or near 0.25."""
    chances = np.linspace(0.2, 0.9, tasks)

    def draw(generator: np.random.Generator, seeds: int) -> Scores:
        solved = generator.random((seeds, tasks)) < chances
        noise = 0.02 * generator.normal(size=(seeds, tasks))
        return np.asarray(np.where(solved, 0.95, 0.25) + noise, np.float64)

    return draw


def coverage(draw: Draw, seeds: int, suites: int, generator: np.random.Generator) -> float:
    """Returns in which share of drawn suites the interval holds the truth.

    Args:
        draw: Draws a suite's runs.
        seeds: How many runs there are of each task.
        suites: How many suites are drawn.
        generator: Draws everything.
    """
    truth = interquartile_mean(draw(generator, ENDLESS))
    held = 0
    for _ in range(suites):
        found = estimate(draw(generator, seeds), interquartile_mean, generator)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    return held / suites


def main() -> None:
    """Prints the shares, a line for each kind of runs and number of tasks."""
    generator = np.random.default_rng(0)
    print("runs, tasks".ljust(18), *(f"{seeds:2} seeds" for seeds in SEEDS))
    for name, kind in (("spread", spread), ("solved or stuck", stuck)):
        for tasks in TASKS:
            shares = [coverage(kind(tasks), seeds, SUITES, generator) for seeds in SEEDS]
            line = "  ".join(f"{share:6.3f}" for share in shares)
            print(f"{name}, {tasks}".ljust(18), line, flush=True)


if __name__ == "__main__":
    main()
