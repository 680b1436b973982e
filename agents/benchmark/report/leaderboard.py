"""The leaderboard of a suite: what the report shows, in numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from agents.benchmark.report.certified import Certified, certified_scores
from agents.benchmark.report.statistics import (
    Estimate,
    Scores,
    estimate,
    estimate_improvement,
    interquartile_mean,
    performance_profile,
)
from agents.benchmark.results import Result
from agents.benchmark.suites import SUITES

THRESHOLDS = np.round(np.linspace(0.0, 1.0, 41), 3)


@dataclass(frozen=True)
class Standing:
    """How an agent did in a suite.

    Attributes:
        agent: Its name.
        seeds: How many seeds it has on every task.
        missing: Tasks of the suite of which it has no result, or fewer seeds than of others.
        score: Interquartile mean of the scores of all runs; None if a task is missing or has no
            score.
        success: Mean share of successful episodes over its tasks; None where there are none.
        profile: Share of runs whose score is above each of `THRESHOLDS`; None without scores.
        minutes: Mean minutes of a run.
        over_budget: How many of its runs were trained for too long.
    """

    agent: str
    seeds: int
    missing: tuple[str, ...]
    score: Estimate | None
    success: float | None
    profile: tuple[float, ...] | None
    minutes: float
    over_budget: int


@dataclass(frozen=True)
class Leaderboard:
    """A suite's agents, the best first; those of which a task is missing come last.

    Attributes:
        suite: The suite's name.
        standings: The agents.
        improvements: Of neighbours in the order of scores, how probably the better one's run is
            the better one: agent, agent, probability.
        results: The runs.
        certified: By task, what the best policies score without memory and with it; tasks of which
            nothing is certified are left out.
    """

    suite: str
    standings: tuple[Standing, ...]
    improvements: tuple[tuple[str, str, Estimate], ...]
    results: tuple[Result, ...]
    certified: dict[str, Certified]


def leaderboards(results: Sequence[Result]) -> list[Leaderboard]:
    """Returns a leaderboard of each suite that has results, in the order of the suites."""
    by_suite: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_suite[result.suite].append(result)
    order = {name: number for number, name in enumerate(SUITES)}
    names = sorted(by_suite, key=lambda name: (order.get(name, len(order)), name))
    return [_leaderboard(name, by_suite[name]) for name in names]


def _leaderboard(suite: str, results: list[Result]) -> Leaderboard:
    generator = np.random.default_rng(0)
    tasks = _task_names(suite, results)
    standings, scores = [], {}
    for agent in sorted({result.agent for result in results}):
        runs = [result for result in results if result.agent == agent]
        table = _scores(runs, tasks)
        if table is not None:
            scores[agent] = table
        standings.append(_standing(agent, runs, tasks, table, generator))
    standings.sort(key=_rank)
    ranked = [standing.agent for standing in standings if standing.agent in scores]
    improvements = tuple(
        (better, worse, estimate_improvement(scores[better], scores[worse], generator))
        for better, worse in pairwise(ranked)
    )
    found = {task: certified_scores(suite, task, results) for task in tasks}
    certified = {task: bounds for task, bounds in found.items() if bounds is not None}
    return Leaderboard(suite, tuple(standings), improvements, tuple(results), certified)


def _rank(standing: Standing) -> tuple[bool, float, str]:
    value = 0.0 if standing.score is None else standing.score.value
    return standing.score is None, -value, standing.agent


def _task_names(suite: str, results: list[Result]) -> list[str]:
    known = [task.name for task in SUITES[suite].tasks] if suite in SUITES else []
    return known or sorted({result.task for result in results})


def _scores(runs: list[Result], tasks: list[str]) -> Scores | None:
    """Returns ``(seeds, tasks)``; None if a task has no run, or no score."""
    by_task = {task: [run.score for run in runs if run.task == task] for task in tasks}
    seeds = min(len(found) for found in by_task.values())
    if seeds == 0 or any(score is None for found in by_task.values() for score in found):
        return None
    return np.array([found[:seeds] for found in by_task.values()], np.float64).T


def _standing(
    agent: str,
    runs: list[Result],
    tasks: list[str],
    scores: Scores | None,
    generator: np.random.Generator,
) -> Standing:
    counts = {task: sum(run.task == task for run in runs) for task in tasks}
    most = max(counts.values())
    successes = [run.evaluation["success"] for run in runs]
    known = [success for success in successes if success is not None]
    profile = None if scores is None else performance_profile(scores, THRESHOLDS)
    return Standing(
        agent=agent,
        seeds=min(counts.values()),
        missing=tuple(task for task, count in counts.items() if count < most),
        score=None if scores is None else estimate(scores, interquartile_mean, generator),
        success=float(np.mean(known)) if known else None,
        profile=None if profile is None else tuple(profile.tolist()),
        minutes=float(np.mean([run.minutes for run in runs])),
        over_budget=sum(run.over_budget for run in runs),
    )
