"""What a run of the benchmark leaves behind, as one JSON file, and the rules that it keeps."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from agents.saving.atomic import write_json

FORMAT = 1
RESULT = "result.json"
# A budget is met within a rollout's length, which algorithms do not cut.
_OVERSHOOT = 1.1


@dataclass(frozen=True)
class Point:
    """An evaluation on the way.

    Attributes:
        steps: Environment steps of training before it.
        success: Share of successful episodes; None if the environment knows no success.
        return_mean: Mean return.
        score: ``(return - random) / (optimal - random)``; None without an oracle.
    """

    steps: int
    success: float | None
    return_mean: float
    score: float | None


@dataclass(frozen=True)
class Result:
    """One agent, trained on one task with one seed, and evaluated.

    Attributes:
        suite: The suite's name.
        task: The task's name.
        env: The environment's id.
        agent: What was trained, in the words of the command line.
        seed: Seed of the training.
        timesteps: Steps that the training may take.
        steps: Steps that it took; 0 for an agent that was not trained.
        evaluation: What `memory_envs.evaluate` found after the training, as its `to_dict`.
        curve: The evaluations on the way, the earliest first.
        minutes: Minutes of the clock that training and evaluations took, all parts together.
        parts: How many times it was begun or continued.
        command: The command that does the same again.
        provenance: Commit, versions, machine and time, as in a run's settings.
    """

    suite: str
    task: str
    env: str
    agent: str
    seed: int
    timesteps: int
    steps: int
    evaluation: dict[str, Any]
    curve: tuple[Point, ...]
    minutes: float
    parts: int
    command: str
    provenance: dict[str, Any]

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What it is a result of: of two with the same key one counts."""
        return self.suite, self.task, self.agent, self.seed

    @property
    def score(self) -> float | None:
        """The normalised score; None where there is no oracle."""
        score: float | None = self.evaluation["score"]
        return score

    @property
    def over_budget(self) -> bool:
        """Whether it was trained for longer than a rollout's length explains."""
        return self.steps > _OVERSHOOT * self.timesteps

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields, ready for JSON."""
        return {"format": FORMAT, **asdict(self)}


class ResultError(ValueError):
    """A file holds no result; says which file, and what is wrong."""


def write_result(result: Result, folder: Path) -> None:
    """Writes a result, whole or not at all."""
    write_json(folder / RESULT, result.to_dict())


def read_result(path: Path) -> Result:
    """Reads a result.

    Raises:
        ResultError: If the file cannot be read, or holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: {error}") from error
    return result_from(data, str(path))


def result_from(data: Any, source: str) -> Result:
    """Returns the result that an object of JSON describes.

    Args:
        data: The object.
        source: Where it comes from, for messages.

    Raises:
        ResultError: Naming the first field that is missing, unknown or of another kind.
    """
    if not isinstance(data, dict):
        raise ResultError(f"{source}: it holds a {type(data).__name__}; allowed: an object")
    if data.get("format") != FORMAT:
        raise ResultError(f"{source}: format is {data.get('format')!r}; allowed: {FORMAT}")
    given = {name: value for name, value in data.items() if name != "format"}
    names = {attribute.name for attribute in fields(Result)}
    if given.keys() != names:
        odd = sorted(given.keys() ^ names)[0]
        kind = "missing" if odd in names else f"unknown; allowed: {', '.join(sorted(names))}"
        raise ResultError(f"{source}: {odd} is {kind}")
    _check_kinds(given, source)
    try:
        curve = tuple(Point(**point) for point in given.pop("curve"))
    except TypeError as error:
        raise ResultError(f"{source}: curve: {error}") from error
    return Result(curve=curve, **given)


_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("suite", "task", "env", "agent", "command"), (str,)),
    **dict.fromkeys(("seed", "timesteps", "steps", "parts"), (int,)),
    **dict.fromkeys(("evaluation", "provenance"), (dict,)),
    "minutes": (int, float),
    "curve": (list,),
}
_MEASURED = ("episodes", "seed", "success", "return_mean", "length_mean", "score")


def _check_kinds(given: dict[str, Any], source: str) -> None:
    for name, kinds in _KINDS.items():
        value = given[name]
        if not isinstance(value, kinds) or isinstance(value, bool):
            allowed = " or ".join(kind.__name__ for kind in kinds)
            raise ResultError(f"{source}: {name} is {value!r}; allowed: {allowed}")
        if isinstance(value, int | float) and not (math.isfinite(value) and value >= 0):
            raise ResultError(f"{source}: {name} is {value!r}; allowed: from 0 on")
    for name in _MEASURED:
        if name not in given["evaluation"]:
            raise ResultError(f"{source}: evaluation.{name} is missing")
