"""What `memory-envs list` says of optimal and random play is what they get."""

import numpy as np
import pytest

from agents.cli.optima import read_optima
from benchmarks.optima import summaries, summarize
from memory_envs import ENVIRONMENTS
from tests.memory_envs.conftest import DIFFERENT


def test_the_packaged_optima_are_those_of_the_oracles() -> None:
    packaged = read_optima()
    assert {env_id: packaged[env_id] for env_id in DIFFERENT} == summaries(DIFFERENT)
    assert list(read_optima()) == list(ENVIRONMENTS)


def test_an_environment_is_summed_up_without_an_agent() -> None:
    optimum, random, max_steps = summarize("Tape-Copy-Easy-v0")
    assert optimum == pytest.approx(1.0 + np.mean([1, 2, 3, 4, 5]), abs=0.15)
    assert -0.5 < random < 0.5
    assert max_steps == 2 * 6 + 10
    assert summarize("Maze-InvisibleGoal-9x9-v0", episodes=3).max_steps == 250
