"""This project's algorithms as agents of the benchmark: presets, and trainings that go on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from agents.algorithms.loading import load
from agents.algorithms.progress import LineDisplay
from agents.benchmark.results import Point
from agents.benchmark.trial import Trial
from agents.training.plan import FinishedError, Plan, first_plan, next_plan
from agents.training.run_directory import RunDirectory
from agents.training.training import StopReason, Training
from memory_envs.scoring.makers import from_predict


class InterruptedTrialError(Exception):
    """A training was asked to stop; what it learned is kept, and the same command goes on."""


class OwnAgent:
    """An algorithm with a memory, trained with the preset that serves the task best.

    Each part of a training that was interrupted has a folder of its own, ``part-0``, ``part-1``,
    ..., as `memory-envs train` leaves it.

    Args:
        algorithm: A name in `agents.algorithms.table.ALGORITHMS`.
        memory: The name of a memory of it.
        settings: Settings in place of the preset's, as `--set` takes them.
        words: What the command line calls it.
    """

    def __init__(
        self, algorithm: str, memory: str, settings: Mapping[str, Any], words: str
    ) -> None:
        self._algorithm, self._memory = algorithm, memory
        self._settings, self._words = settings, words

    def __call__(self, trial: Trial) -> Any:
        """Trains, or goes on.

        Raises:
            InterruptedTrialError: If a signal ended the training.
            ValueError: If the algorithm cannot play there, or its preset changes the environment.
        """
        parts = training_parts(trial.folder)
        plan = self._plan(trial, parts)
        if plan is not None:
            _train(plan, parts, trial)
        for part in training_parts(trial.folder):
            _read_curve(part, trial)
        last = training_parts(trial.folder)[-1]
        recipe = last.read_settings()["recipe"]
        model = load(last.newest_model())
        trial.steps = model.num_timesteps
        policy = from_predict(model, deterministic=recipe["deterministic"])
        trial.report(policy)  # no evaluation on the way follows the last update
        return policy

    def _plan(self, trial: Trial, parts: list[RunDirectory]) -> Plan | None:
        """Returns what is left to train; None if nothing is."""
        if parts:
            try:
                return next_plan(parts[-1])
            except FinishedError:
                return None
        changes = {**self._settings, "timesteps": trial.timesteps}
        # The curve is of what is judged in the end, as that of `Trial.report` is.
        for name, value in trial.evaluation_kwargs().items():
            changes[f"evaluation_kwargs.{name}"] = value
        plan = first_plan(trial.env, self._algorithm, self._memory, changes, trial.seed)
        if plan.recipe.env_kwargs:
            raise ValueError(
                f"agent is {self._words!r}, whose preset changes the environment "
                f"({plan.recipe.env_kwargs}); allowed: agents that play {trial.env} as it is"
            )
        return plan


def training_parts(folder: Path) -> list[RunDirectory]:
    """Returns the training in a trial's folder and those that went on with it, the first first."""
    found = sorted(folder.glob("part-*"), key=lambda part: int(part.name.rpartition("-")[2]))
    return [RunDirectory(part) for part in found if (part / "settings.json").exists()]


def _train(plan: Plan, parts: list[RunDirectory], trial: Trial) -> None:
    parent = parts[-1] if parts and plan.part else None
    training = Training(plan, "", parent)
    run = RunDirectory(trial.folder / f"part-{len(parts)}")
    run.claim()
    with LineDisplay(Console(width=200)) as display:
        reason = training.learn(run, display)
    training.env.close()
    if reason is StopReason.INTERRUPTED:
        raise InterruptedTrialError(f"interrupted at {training.model.num_timesteps:,} steps")
    training.finish()


def _read_curve(part: RunDirectory, trial: Trial) -> None:
    """Adds the evaluations of a training to the trial's curve."""
    if not part.progress.exists():
        return
    columns = part.read_progress()
    successes = dict(columns.get("evaluation/success", []))
    scores = dict(columns.get("evaluation/score", []))
    for steps, mean in columns.get("evaluation/return", []):
        if not trial.curve or steps > trial.curve[-1].steps:
            point = Point(steps, successes.get(steps), mean, scores.get(steps))
            trial.curve.append(point)
