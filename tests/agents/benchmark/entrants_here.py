"""Agents of somebody else's, as the benchmark takes them."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from agents.benchmark.trial import Trial


def waiter(trial: Trial) -> Any:
    """Trains nothing: it takes the first of all actions, always."""
    action = np.zeros(trial.make().action_space.shape or (), np.int64)

    def policy(turn: Any, state: Any) -> tuple[Any, Any]:
        return np.stack([action] * len(turn.starts)), state

    return policy


def random_learner(trial: Trial, rows: int = 4) -> Any:
    """Plays at random for its steps, and reports twice."""
    env = trial.make_vec(rows)
    env.action_space.seed(trial.seed)
    env.reset(seed=trial.env_seed)
    trial.report("random")
    while trial.steps < trial.timesteps:
        env.step(env.action_space.sample())
    env.close()
    trial.report("random")
    return "random"


def dies_once(trial: Trial) -> Any:
    """Is killed in the first part, and does its work in the second."""
    mark = Path(trial.folder) / "begun"
    if not mark.exists():
        mark.touch()
        import os

        os.kill(os.getpid(), 9)
    return "random"


def watches_the_clock(trial: Trial) -> Any:
    """Waits until the time that it took so far can be read, as after a kill."""
    clock, end = Path(trial.folder) / "clock.json", time.monotonic() + 2.0
    while json.loads(clock.read_text(encoding="utf-8"))["minutes"] < 1e-4:
        assert time.monotonic() < end, "a part that is killed now has taken no time"
        time.sleep(0.005)
    return "random"


def breaks(trial: Trial) -> Any:
    """Raises."""
    raise RuntimeError("no GPU")
