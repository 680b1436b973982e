"""A suite of one small task, and results that nobody had to wait for."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.benchmark.results import Point, Result
from agents.benchmark.suites import SUITES, Suite, Task

ENV = "Tape-Copy-Easy-v0"
TINY = Suite("tiny", "one small task", (Task("copy", ENV, 2048),))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A suite of one task of 2,048 steps, known by its name."""
    monkeypatch.setitem(SUITES, TINY.name, TINY)
    return TINY


@pytest.fixture
def make_result() -> Callable[..., Result]:
    """Makes a result; what matters to a test is given."""

    def make(agent: str, task: str, seed: int, score: float | None, **changes: Any) -> Result:
        evaluation = {
            "episodes": 1000,
            "seed": 7,
            "success": 0.5,
            "return_mean": 2.0 if score is None else 10.0 * score,
            "length_mean": 5.0,
            "score": score,
        }
        curve = (Point(0, 0.0, 0.0, 0.0), Point(1000, 0.5, 1.0, score))
        fields: dict[str, Any] = {
            "suite": "some",
            "env": ENV,
            "timesteps": 1000,
            "steps": 1000,
            "evaluation": evaluation,
            "curve": curve,
            "minutes": 1.5,
            "parts": 1,
            "command": "memory-envs benchmark some",
            "provenance": {"commit": "0123456789"},
        }
        return Result(agent=agent, task=task, seed=seed, **{**fields, **changes})

    return make
