"""The suites of the benchmark, as data: which tasks, with how many steps of training each.

A score is comparable where tasks, steps and evaluation are the same. So what is changed here gets
another name, once there are published scores of it. Budgets of the suites that have a leaderboard
are small, for its agents are many.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from memory_envs import ENVIRONMENTS
from memory_envs.arguments import check_choice


@dataclass(frozen=True)
class Task:
    """One task of a suite.

    Attributes:
        name: Its name in results, the same for an environment and an evaluation in all suites.
        env: A registered id; ``module:id`` imports the module first.
        timesteps: Environment steps of training, all rows together.
        evaluation_kwargs: Arguments of the environment that evaluations change.
    """

    name: str
    env: str
    timesteps: int
    evaluation_kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """Tasks whose scores are summed up together.

    Attributes:
        name: What the command line calls it.
        about: What it asks, in a line.
        tasks: The tasks.
        needs: The package that has the environments, if it is not this one.
    """

    name: str
    about: str
    tasks: tuple[Task, ...]
    needs: str | None = None

    def find(self, name: str) -> Task | None:
        """Returns the task of that name; None if there is none."""
        return next((task for task in self.tasks if task.name == name), None)

    def missing(self) -> bool:
        """Says whether the package that has its environments is not installed."""
        return self.needs is not None and importlib.util.find_spec(self.needs) is None


def _ids(
    family: str, timesteps: int, keep: Callable[[str], bool] = lambda _id: True
) -> tuple[Task, ...]:
    return tuple(
        Task(_short(spec.id), spec.id, timesteps)
        for spec in ENVIRONMENTS.values()
        if spec.family == family and keep(spec.id)
    )


def _tier(tier: str, timesteps: int) -> tuple[Task, ...]:
    return _ids("tape", timesteps, lambda env: ENVIRONMENTS[env].tier == tier)


def _short(env: str) -> str:
    return env.rpartition(":")[2].removesuffix("-v0")


def _longer(env: str, timesteps: int, lengths: Iterable[int]) -> tuple[Task, ...]:
    """Trained as the id says, evaluated at lengths that never came."""
    return tuple(
        Task(
            f"{_short(env)}, length {length}",
            env,
            timesteps,
            {"min_length": length, "max_length": length},
        )
        for length in lengths
    )


def _quick() -> tuple[Task, ...]:
    steps = {
        "Tape-Copy-Easy-v0": 100_000,
        "Tape-Reverse-Easy-v0": 300_000,
        "Algorithmic/Copy-v0": 100_000,
        "Stream-AssociativeRecall-v0": 200_000,
        "Maze-InvisibleGoal-9x9-v0": 200_000,
    }
    return tuple(Task(_short(env), env, timesteps) for env, timesteps in steps.items())


_POPGYM_TASKS = (
    "Autoencode",
    "Battleship",
    "Concentration",
    "CountRecall",
    "HigherLower",
    "MineSweeper",
    "MultiarmedBandit",
    "NoisyPositionOnlyCartPole",
    "NoisyPositionOnlyPendulum",
    "PositionOnlyCartPole",
    "PositionOnlyPendulum",
    "RepeatFirst",
    "RepeatPrevious",
    "VelocityOnlyCartpole",
)


def _popgym(timesteps: int) -> tuple[Task, ...]:
    ids = [f"popgym-{name}{level}-v0" for level in ("Easy", "Medium") for name in _POPGYM_TASKS]
    # As the agents of its paper see them; the module is imported where one of them is made.
    shown = "agents.benchmark.popgym_tasks:previous-action"
    return tuple(Task(_short(env), f"{shown}/{env}", timesteps) for env in ids)


def _is_drawn(env: str) -> bool:
    """Says whether a stream is drawn anew each time, and is not one of a data set's texts."""
    task = ENVIRONMENTS[env].task
    return task not in ("Logic", "Tagging", "Sentences") and not task.startswith("bAbI")


SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite("quick", "one task of each kind, in five minutes", _quick()),
        Suite("tape-easy", "5 symbols, strings of up to 5", _tier("easy", 200_000)),
        Suite("tape", "10 symbols, strings of up to 10", _tier("plain", 400_000)),
        Suite("tape-hard", "30 symbols, strings of up to 30", _tier("hard", 10_000_000)),
        Suite("algorithmic", "Gym's algorithmic tasks", _ids("algorithmic", 2_000_000)),
        Suite("maze", "find the goal again", _ids("maze", 400_000)),
        Suite(
            "streams",
            "symbols and vectors to be recalled",
            _ids("stream", 4_000_000, _is_drawn),
        ),
        Suite(
            "generalisation",
            "trained on short strings, asked for long ones",
            (
                *_longer("Tape-Copy-v0", 1_000_000, (20, 50)),
                *_longer("Tape-Reverse-v0", 4_000_000, (20, 50)),
                *_longer("Tape-RepeatCopy-v0", 4_000_000, (20, 50)),
                *_longer("Stream-Copy-v0", 4_000_000, (40, 120)),
            ),
        ),
        Suite(
            "popgym",
            "POPGym's tasks as its paper's agents see them",
            _popgym(1_000_000),
            needs="popgym",
        ),
    )
}


def find_suite(name: str) -> Suite:
    """Returns a suite by its name.

    Raises:
        ValueError: If there is no such suite, or what it needs is not installed.
    """
    suite = SUITES[check_choice("suite", name, SUITES)]
    if suite.missing():
        raise ValueError(f"suite is {name!r}, which needs {suite.needs}; allowed: installed ones")
    return suite
