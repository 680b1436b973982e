"""A training run, from its plan to the files that it leaves behind (see `run_directory`)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import Enum
from types import FrameType
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from agents.algorithms.base import MemoryAlgorithm
from agents.algorithms.loading import load
from agents.environments.make_env import make_vec_env
from agents.evaluation.actors import random_policy
from agents.evaluation.evaluate import EvaluationResult, evaluate, evaluation_env, play
from agents.evaluation.plots import learning_curve_png
from agents.evaluation.trace import Trace, longest_episode, run_trace, trace_text
from agents.evaluation.trace.picture import trace_png
from agents.saving.atomic import write_json, write_text
from agents.training.callbacks import (
    CheckpointCallback,
    EvaluationCallback,
    ProgressCallback,
    StopCallback,
)
from agents.training.loggers import make_logger, start_wandb
from agents.training.progress import Display, Status
from agents.training.provenance import provenance
from agents.training.recipes import Recipe, RecipeError, make_curriculum, make_model
from agents.training.run_directory import HELD_OUT_SEEDS, RunDirectory, training_seed

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


@dataclass(frozen=True)
class Plan:
    """What to train.

    Attributes:
        env: A registered id.
        algorithm: A name in `agents.algorithms.table.ALGORITHMS`.
        memory: The name of a memory of that algorithm.
        recipe: The settings.
        preset: Where the recipe comes from.
        seed: Seed of everything random.
        device: PyTorch device, or ``"auto"``.
        stop_at_success: See `EvaluationCallback`.
        part: How many runs this one continues.
    """

    env: str
    algorithm: str
    memory: str
    recipe: Recipe
    preset: str
    seed: int = 0
    device: str = "auto"
    stop_at_success: float | None = None
    part: int = 0


class Training:
    """One run.

    Args:
        plan: What to train.
        run: Where its files go.
        command: The command that does the same again, for the settings file.
        parent: The run to continue with its model and its curriculum.
        start: The model whose parameters to start with.

    Attributes:
        model: The model.

    Raises:
        TypeError, ValueError, RuntimeError, gymnasium.error.Error: If a setting is refused; no file
            is written then.
    """

    def __init__(
        self,
        plan: Plan,
        run: RunDirectory,
        command: str,
        parent: RunDirectory | None = None,
        start: MemoryAlgorithm | None = None,
    ) -> None:
        self.plan, self.run, self.command = plan, run, command
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
            self.model = load(parent.newest_model(), self.env, plan.device)
            # Other noise than that of the run to continue, which starts from the same seed.
            self.model.generator.manual_seed(training_seed(plan.seed, plan.part))
            if self.curriculum is not None:
                self.curriculum.load_state_dict(parent.read_curriculum())
        # After the model, which seeds the environments with small numbers.
        self.env.seed(training_seed(plan.seed, plan.part))
        self.evaluation = EvaluationCallback(
            evaluation_env(plan.env, _EVALUATION_EPISODES, **recipe.evaluation_env_kwargs),
            every=max(recipe.timesteps // _EVALUATIONS, 1),
            episodes=_EVALUATION_EPISODES,
            deterministic=recipe.deterministic,
            stop_at=plan.stop_at_success,
            confirming_episodes=FINAL_EPISODES,
        )
        if plan.stop_at_success is not None:
            self._check_success()

    def learn(self, display: Display, wandb: bool = False) -> StopReason:
        """Trains until the steps are done, the success is reached or a signal comes; saves then.

        Raises:
            agents.NonFiniteError: See there; the checkpoints stay.
            KeyboardInterrupt: At a second signal; the checkpoints stay.
        """
        recipe, model = self.plan.recipe, self.model
        settings = {"command": self.command, **asdict(self.plan), **provenance()}
        settings["device"] = str(model.device)
        wandb_run = start_wandb(self.run, settings) if wandb else None
        write_json(self.run.settings, settings)
        model.set_logger(make_logger(self.run, wandb_run))
        remaining = recipe.timesteps - (model.num_timesteps if self.plan.part else 0)
        with stop_on_signals() as stop:
            callbacks: list[BaseCallback] = [
                *([] if self._advance is None else [self._advance]),
                StopCallback(stop),
                CheckpointCallback(max(recipe.timesteps // _CHECKPOINTS, 1), self._checkpoint),
                self.evaluation,
                ProgressCallback(
                    display, Status(recipe.timesteps), self.curriculum, self.evaluation
                ),
            ]
            try:
                if remaining > 0:
                    fresh = self.plan.part == 0
                    model.learn(remaining, callback=callbacks, reset_num_timesteps=fresh)
            finally:
                model.logger.close()
            self._save(self.run.model)
            if stop.is_set():
                return StopReason.INTERRUPTED
        return StopReason.SUCCESS if self.evaluation.stopped else StopReason.STEPS_DONE

    def finish(self) -> tuple[EvaluationResult, Trace]:
        """Evaluates on fresh episodes; writes the evaluation, the learning curve and a trace."""
        plan, recipe = self.plan, self.plan.recipe
        evaluation = evaluate(
            self.model,
            plan.env,
            FINAL_EPISODES,
            FINAL_SEED,
            recipe.deterministic,
            recipe.evaluation_env_kwargs,
            str(self.run.path),
        )
        write_json(self.run.evaluation, evaluation.to_dict())
        name = f"{plan.algorithm}/{plan.memory}"
        learning_curve_png(
            self.run.read_progress(),
            self.run.learning_curve,
            f"{plan.env}   {name}   seed {plan.seed}",
            evaluation.optimal_return,
            evaluation.random_return,
        )
        env_kwargs = recipe.evaluation_env_kwargs
        seed = longest_episode(plan.env, env_kwargs, FINAL_SEED)
        trace = run_trace(self.model, plan.env, seed, recipe.deterministic, env_kwargs, name)
        write_text(self.run.trace_text, trace_text(trace))
        trace_png(trace, self.run.trace_image)
        return evaluation, trace

    def _check_success(self) -> None:
        episode = play(random_policy, self.evaluation.env, 1, HELD_OUT_SEEDS)
        if episode.success is None:
            raise RecipeError(f"{self.plan.env} knows no success at which to stop")

    def _checkpoint(self, name: str) -> None:
        self._save(self.run.checkpoints / f"{name}.zip")

    def _save(self, path: Any) -> None:
        self.model.save(path)
        if self.curriculum is not None:
            write_json(self.run.curriculum, self.curriculum.state_dict())


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


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Lets SIGINT and SIGTERM set an event; a second signal raises KeyboardInterrupt.

    Training then ends between two steps, with a model that is whole.
    """
    event = threading.Event()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event  # no other thread may handle signals
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
