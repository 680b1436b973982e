"""Results that somebody sends: one file, and what can be verified of it without trusting it.

Random and optimal play are played again on the seeds of the evaluation, which are the same for
everybody. An agent that came along, as ``module:function`` that returns what a trial's training
came to, is played again, too. That a training took the steps that it says cannot be verified.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agents.benchmark.results import FORMAT, Result, ResultError, result_from
from agents.benchmark.schema import SchemaError, check
from agents.benchmark.suites import SUITES, Task
from agents.benchmark.trial import EPISODES, SEED, Trial
from agents.saving.atomic import write_json
from memory_envs.scoring.result import EvaluationResult

# What is added up in another order, on another processor, differs by this at most.
_ROUNDING = 1e-6
TO_BE_SAID = "(say it here)"  # what stands in a field that its sender has yet to fill in
_FIELDS = ("format", "agent", "authors", "code", "about", "results")
_MEASURED = ("return_mean", "success", "length_mean", "score")

# An agent that does not train: it returns the policy that was evaluated on the trial's task for its
# seed, and wraps environments as they were in training.
Replay = Callable[[Trial], Any]


@dataclass(frozen=True)
class Submission:
    """One agent's results.

    Attributes:
        agent: Its name on the leaderboard.
        authors: Who sends them.
        code: Where its code is, with a commit.
        about: What it is, in a line or two.
        results: Its runs.
    """

    agent: str
    authors: str
    code: str
    about: str
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: What it is.
        wrong: What is wrong with it; empty if nothing is.
    """

    what: str
    wrong: str = ""


def write_submission(submission: Submission, path: Path) -> None:
    """Writes a submission, whole or not at all."""
    data = {name: getattr(submission, name) for name in _FIELDS[1:-1]}
    results = [result.to_dict() for result in submission.results]
    write_json(path, {"format": FORMAT, **data, "results": results})


def read_submission(path: Path) -> Submission:
    """Reads a submission.

    Raises:
        ResultError: If the file cannot be read, or a field is missing or of another kind.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: {error}") from error
    try:
        check(data, "submission")
    except SchemaError as error:
        raise ResultError(f"{path}: {error}") from error
    results = tuple(result_from(found, str(path)) for found in data["results"])
    return Submission(results=results, **{name: data[name] for name in _FIELDS[1:-1]})


def check_submission(submission: Submission, replay: Replay | None = None) -> Iterator[Finding]:
    """Yields what was looked at, as it is found.

    Args:
        submission: The submission.
        replay: Returns what is to be played again; None if none came along.
    """
    yield _said(submission)
    yield _whole(submission.results)
    known: dict[str, EvaluationResult] = {}
    for result in submission.results:
        title = f"{result.suite}, {result.task}, seed {result.seed}"
        task = _task(result)
        if task is None:
            yield Finding(title, "there is no such task")
            continue
        if task.name not in known:
            known[task.name] = _play(lambda trial: "random", task, result.seed)
        yield Finding(f"{title}: rules", "; ".join(_broken_rules(result, task)))
        yield Finding(f"{title}: scale", _wrong_scale(result, known[task.name]))
        if replay is not None:
            again = _play(replay, task, result.seed)
            yield Finding(f"{title}: played again", _differs(result, again))


def _said(submission: Submission) -> Finding:
    empty = [name for name in _FIELDS[1:-1] if getattr(submission, name) == TO_BE_SAID]
    return Finding("who, where and what", f"{', '.join(empty)} not filled in" if empty else "")


def _whole(results: Sequence[Result]) -> Finding:
    """Looks whether each run is there once, for every task of a suite, with the same seeds."""
    what = "every task, once for each seed"
    keys = [result.key for result in results]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        return Finding(what, f"{twice} is there twice")
    if len({result.agent for result in results}) > 1:
        return Finding(what, "the results are of several agents")
    for suite in sorted({result.suite for result in results} & SUITES.keys()):
        seeds = {
            task.name: {r.seed for r in results if (r.suite, r.task) == (suite, task.name)}
            for task in SUITES[suite].tasks
        }
        missing = [name for name, found in seeds.items() if not found]
        if missing:
            return Finding(what, f"{suite}: {', '.join(missing)} missing")
        if len({frozenset(found) for found in seeds.values()}) > 1:
            return Finding(what, f"{suite}: the tasks have different seeds")
    return Finding(what)


def _task(result: Result) -> Task | None:
    suite = SUITES.get(result.suite)
    return None if suite is None else suite.find(result.task)


def _broken_rules(result: Result, task: Task) -> Iterator[str]:
    evaluation = result.evaluation
    if result.env != task.env:
        yield f"env is {result.env!r}, in the suite it is {task.env!r}"
    if result.timesteps != task.timesteps:
        yield f"timesteps is {result.timesteps}, in the suite it is {task.timesteps}"
    if result.over_budget:
        yield f"it took {result.steps:,} steps of {result.timesteps:,}"
    if (evaluation["episodes"], evaluation["seed"]) != (EPISODES, SEED):
        yield f"it was not evaluated on {EPISODES} episodes from seed {SEED} on"
    if evaluation["success"] is not None and not 0 <= evaluation["success"] <= 1:
        yield f"success is {evaluation['success']}"
    if not result.provenance.get("versions"):
        yield "provenance names no versions"


def _wrong_scale(result: Result, known: EvaluationResult) -> str:
    evaluation = result.evaluation
    for name in ("random_return", "optimal_return"):
        if not _same(evaluation.get(name), getattr(known, name)):
            return f"{name} is {evaluation.get(name)}, played again it is {getattr(known, name)}"
    low, high = known.random_return, known.optimal_return
    if low is None or high is None:
        return "" if result.score is None else "there is no optimum, and so no score"
    score = (evaluation["return_mean"] - low) / (high - low)
    return "" if _same(result.score, score) else f"score is {result.score}, by the returns {score}"


def _differs(result: Result, again: EvaluationResult) -> str:
    for name in _MEASURED:
        if not _same(result.evaluation[name], getattr(again, name)):
            return f"{name} is {result.evaluation[name]}, played again {getattr(again, name)}"
    return ""


def _same(value: Any, other: Any) -> bool:
    if value is None or other is None:
        return value is other
    return isinstance(value, int | float) and math.isclose(
        value, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING
    )


def _play(replay: Replay, task: Task, seed: int) -> EvaluationResult:
    with TemporaryDirectory() as folder:
        trial = Trial(task, seed, Path(folder))
        return trial.judge(replay(trial))
