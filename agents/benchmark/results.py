"""What a run of the benchmark leaves behind, as one JSON file, and the rules that it keeps."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents.benchmark.schema import SchemaError, check
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
    try:
        check(data, "result")
    except SchemaError as error:
        raise ResultError(f"{source}: {error}") from error
    given = {name: value for name, value in data.items() if name != "format"}
    curve = tuple(Point(**point) for point in given.pop("curve"))
    return Result(curve=curve, **given)
