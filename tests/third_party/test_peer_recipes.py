"""The benchmark's recipes for libraries that are not installed with the tests: ``make peers``."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from agents.benchmark.suites import Task
from agents.benchmark.trial import Trial

# What they import warns of what they will have to change.
pytestmark = pytest.mark.filterwarnings("ignore")

# The needed package, the recipe, and what makes its rounds short.
RECIPES: tuple[tuple[str, str, dict[str, int]], ...] = (
    ("torchrl", "ppo_lstm", {"STEPS": 16}),
    ("tianshou", "recurrent_dqn", {"STEPS": 16, "BATCH": 16}),
    ("ray.rllib", "ppo_lstm", {"BATCH": 256}),
)


@pytest.mark.parametrize(("package", "agent", "shorter"), RECIPES, ids=[r[0] for r in RECIPES])
def test_a_recipe_trains_within_its_budget(
    package: str, agent: str, shorter: dict[str, int], tmp_path: Path, monkeypatch: Any
) -> None:
    pytest.importorskip(package)
    recipe = importlib.import_module(f"benchmarks.recipes.{package.rpartition('.')[2]}")
    for name, value in shorter.items():
        monkeypatch.setattr(recipe, name, value)
    trial = Trial(Task("one", "Tape-Copy-Easy-v0", timesteps=600), 0, tmp_path)
    found = trial.judge(getattr(recipe, agent)(trial))
    assert found.score is not None
    assert 256 <= trial.steps <= 1.1 * trial.timesteps
    assert trial.curve
