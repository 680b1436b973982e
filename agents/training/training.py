"""A training run, from its plan to the files that it leaves behind (see `run_directory`)."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from agents.algorithms.base import MemoryAlgorithm
from agents.algorithms.loading import load
from agents.algorithms.model import check_device
from agents.algorithms.progress import Display, ProgressCallback
from agents.environments.make_env import make_vec_env
from agents.evaluation.memory_map import memory_map
from agents.evaluation.memory_map.picture import memory_map_png
from agents.evaluation.plots import learning_curve_png
from agents.evaluation.trace import Trace, longest_episode, run_trace, trace_text
from agents.evaluation.trace.picture import trace_png
from agents.saving.archive import ModelFileError
from agents.saving.atomic import copy_whole, write_json, write_text
from agents.saving.model_file import read_training, save_model
from agents.training.callbacks import (
    CheckpointCallback,
    EvaluationCallback,
    StopCallback,
)
from agents.training.checkpoint import Standing
from agents.training.loggers import open_logger, start_wandb
from agents.training.plan import Plan
from agents.training.provenance import provenance
from agents.training.recipes import (
    RecipeError,
    algorithm_arguments,
    make_curriculum,
    make_model,
)
from agents.training.run_directory import HELD_OUT_SEEDS, RunDirectory, training_seed
from memory_envs.scoring.evaluate import evaluate
from memory_envs.scoring.makers import from_predict
from memory_envs.scoring.opening import open_rows
from memory_envs.scoring.play import play
from memory_envs.scoring.random_play import random_policy
from memory_envs.scoring.result import EvaluationResult

_EVALUATIONS = 100  # during a run
_EVALUATION_EPISODES = 256  # in each of them
_CHECKPOINTS = 10
FINAL_EPISODES = 1000
FINAL_SEED = 7  # also what `memory-envs evaluate` uses: it finds the same numbers again


class StopReason(Enum):
    """Why a training ended."""

    STEPS_DONE = "all steps done"
    SUCCESS = "success reached"
    INTERRUPTED = "interrupted"


class Training:
    """One run.

    Args:
        plan: What to train.
        command: The command that does the same again, for the settings file.
        parent: The run to continue from its newest checkpoint.
        start: The model whose parameters to start with.

    Attributes:
        model: The model.
        difference: Why a run that is continued does not go on to the bit as if it had never
            stopped; empty if it does.

    Raises:
        OSError, TypeError, ValueError, RuntimeError, gymnasium.error.Error: If a setting is
            refused, such as a folder of data that is not there; no file is written then.
    """

    _run: RunDirectory  # set by `learn`

    def __init__(
        self,
        plan: Plan,
        command: str = "",
        parent: RunDirectory | None = None,
        start: MemoryAlgorithm | None = None,
    ) -> None:
        check_device(plan.device)
        self.plan, self.command, self.parent = plan, command, parent
        recipe = plan.recipe
        self._advance = make_curriculum(recipe, plan.env)
        self.curriculum = None if self._advance is None else self._advance.curriculum
        extra: dict[str, Any] = {} if self.curriculum is None else {"curriculum": self.curriculum}
        self.env = make_vec_env(plan.env, recipe.n_envs, **recipe.env_kwargs, **extra)
        if parent is None:
            self.model = make_model(
                recipe, plan.algorithm, plan.memory, self.env, plan.seed, plan.device
            )
            if start is not None:
                _take_parameters(self.model, start)
        else:
            arguments = algorithm_arguments(recipe)
            self.model = load(parent.latest, self.env, plan.device, **arguments)
            # For a device on which the generators of the checkpoint do not run.
            self.model.generator.manual_seed(training_seed(plan.seed, plan.part))
        # After the model, which seeds the environments with small numbers.
        self.env.seed(training_seed(plan.seed, plan.part))
        self.evaluation = EvaluationCallback(
            open_rows(plan.env, _EVALUATION_EPISODES, recipe.evaluation_env_kwargs),
            every=max(recipe.timesteps // _EVALUATIONS, 1),
            episodes=_EVALUATION_EPISODES,
            deterministic=recipe.deterministic,
            stop_at=plan.stop_at_success,
            confirming_episodes=FINAL_EPISODES,
        )
        self._stop = StopCallback(threading.Event())
        self._checkpoints = CheckpointCallback(
            max(recipe.timesteps // _CHECKPOINTS, 1), self._checkpoint, self._ends
        )
        self._standing = Standing(
            self.model,
            self.env,
            self.curriculum,
            {"evaluation": self.evaluation, "checkpoints": self._checkpoints},
        )
        if plan.stop_at_success is not None:
            self._check_success()
        self.difference = "" if parent is None else self._go_on(parent)

    def learn(self, run: RunDirectory, display: Display, wandb: bool = False) -> StopReason:
        """Trains until the steps are done, the success is reached or a signal comes; saves then.

        Args:
            run: Where the files go; its folder is there and empty, see `RunDirectory.claim`.
            display: Shows how it goes.
            wandb: Whether to log to Weights & Biases, too.

        Raises:
            agents.NonFiniteError: See there; the checkpoints stay.
            CannotWriteError: If a file cannot be written; those that were stay as they are.
            KeyboardInterrupt: At a second signal; the checkpoints stay.
        """
        with cannot_write(run):
            self._run = run
            if self.parent is not None:
                copy_whole(self.parent.latest, run.latest)
            settings = {"command": self.command, **asdict(self.plan), **provenance()}
            settings["device"] = str(self.model.device)
            # Once this file is there, the run can be continued.
            write_json(run.settings, settings)
            wandb_run = start_wandb(run, settings) if wandb else None
            with stop_on_signals(self._stop.event), open_logger(run, wandb_run) as logger:
                self.model.set_logger(logger)
                self._learn(run, display)
            self.model.save(run.model, exclude=["optimizer"])
        if self._stop.stopping:
            return StopReason.INTERRUPTED
        return StopReason.SUCCESS if self.evaluation.stopped else StopReason.STEPS_DONE

    def _learn(self, run: RunDirectory, display: Display) -> None:
        recipe, model = self.plan.recipe, self.model
        fresh = self.parent is None
        remaining = recipe.timesteps - (0 if fresh else model.num_timesteps)
        if remaining <= 0 or self.evaluation.stopped:  # of a run that was killed at its end
            return
        callbacks: list[BaseCallback] = [
            *([] if self._advance is None else [self._advance]),
            self._stop,
            self.evaluation,
            self._checkpoints,
            ProgressCallback(
                display,
                recipe.timesteps,
                self.curriculum,
                self.evaluation.held_out,
                self._stop.event.is_set,
            ),
        ]
        model.learn(remaining, callback=callbacks, reset_num_timesteps=fresh)
        if not self._ends():
            self._checkpoint(run.latest.stem)

    def finish(self) -> tuple[EvaluationResult, Trace]:
        """Evaluates on fresh episodes; writes evaluation, learning curve, trace and memory map.

        Raises:
            CannotWriteError: If a file cannot be written; those that were stay as they are.
        """
        plan, recipe, run = self.plan, self.plan.recipe, self._run
        evaluation = evaluate(
            from_predict(self.model, recipe.deterministic),
            plan.env,
            FINAL_EPISODES,
            FINAL_SEED,
            env_kwargs=recipe.evaluation_env_kwargs,
            name=str(run.path),
        )
        name = f"{plan.algorithm}/{plan.memory}"
        env_kwargs = recipe.evaluation_env_kwargs
        with cannot_write(run):
            learning_curve_png(
                run.read_progress(),
                run.learning_curve,
                f"{plan.env}   {name}   seed {plan.seed}",
                evaluation.optimal_return,
                evaluation.random_return,
            )
            seed = longest_episode(plan.env, env_kwargs, FINAL_SEED)
            trace = run_trace(self.model, plan.env, seed, recipe.deterministic, env_kwargs, name)
            write_text(run.trace_text, trace_text(trace))
            trace_png(trace, run.trace_image)
            seen = memory_map(trace)
            if seen.maps:
                memory_map_png(seen, run.memory_map_image)
            # Last: a run that has it is finished.
            write_json(run.evaluation, evaluation.to_dict())
        return evaluation, trace

    def _check_success(self) -> None:
        rows = self.evaluation.rows
        episode = play(random_policy(rows.action_space), rows, 1, HELD_OUT_SEEDS)
        if episode.success is None:
            raise RecipeError(f"{self.plan.env} knows no success at which to stop")

    def _go_on(self, parent: RunDirectory) -> str:
        """Returns to the parent's checkpoint; says what is not as it was there."""
        before, now = parent.read_settings()["recipe"], self.plan.recipe.to_dict()
        names = ("n_envs", "env_kwargs", "curriculum")
        changed = [name for name in names if before[name] != now[name]]
        state = read_training(parent.latest)
        try:
            return self._standing.restore(state, new_episodes=changed not in ([], ["curriculum"]))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            if changed:
                what = " and ".join(changed)
                raise RecipeError(f"{what} cannot be changed so in a run: {error}") from error
            raise ModelFileError(parent.latest, f"its training is damaged ({error})") from error

    def _ends(self) -> bool:
        """Whether the training ends with the rollout that begins now."""
        return self._stop.stopping or self.evaluation.stopped

    def _checkpoint(self, name: str) -> None:
        if not self._run.settings.exists():
            missing = os.strerror(errno.ENOENT)
            raise FileNotFoundError(errno.ENOENT, missing, str(self._run.settings))
        path = self._run.checkpoints / f"{name}.zip"
        self.model.last_checkpoint = str(
            save_model(self.model, path, training=self._standing.capture())
        )


def _take_parameters(model: MemoryAlgorithm, start: MemoryAlgorithm) -> None:
    """Gives a model the parameters of another one, perhaps of another task.

    Raises:
        RecipeError: If they do not fit, naming the first that does not.
    """
    theirs, own = start.policy.state_dict(), model.policy.state_dict()
    for name in {**own, **theirs}:
        there, here = (
            f"of shape {tuple(tensors[name].shape)}" if name in tensors else "missing"
            for tensors in (theirs, own)
        )
        if there != here:
            raise RecipeError(
                f"the model to start from does not fit: its {name} is {there}, here it is {here}; "
                "allowed: a model of the same algorithm, memory and sizes"
            )
    model.policy.load_state_dict(theirs)


class CannotWriteError(OSError):
    """A file of a run cannot be written; says which, why, and what is left."""


@contextmanager
def cannot_write(run: RunDirectory) -> Iterator[RunDirectory]:
    """Turns what the system says of a file into one line about the run, which is handed through.

    Raises:
        CannotWriteError: For any OSError.
    """
    try:
        yield run
    except OSError as error:
        name = Path(os.fsdecode(error.filename or run.path))
        if run.path in name.parents and not run.path.exists():
            message = f"{run.path} was moved or removed during the training, which has ended"
            raise CannotWriteError(message) from error
        left = f"the last checkpoint is {run.latest}" if run.latest.exists() else "nothing is left"
        reason = error.strerror or str(error)
        raise CannotWriteError(f"{name} cannot be written: {reason}; {left}") from error


@contextmanager
def stop_on_signals(event: threading.Event) -> Iterator[None]:
    """Lets SIGINT and SIGTERM set an event; a second signal raises KeyboardInterrupt.

    Training then ends between two updates, with a model that is whole.
    """

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield  # no other thread may handle signals
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
