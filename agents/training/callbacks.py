"""Callbacks of a training run; they work with every on-policy algorithm of SB3's kind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from agents.algorithms.progress import HeldOut
from agents.evaluation.answers import play_model
from agents.training.run_directory import HELD_OUT_SEEDS
from memory_envs.scoring.play import EpisodeResults
from memory_envs.scoring.references import References, references
from memory_envs.scoring.rows import Rows


class EvaluationCallback(BaseCallback):
    """Evaluates on held-out seeds before the first rollout and every so often afterwards.

    Each evaluation plays episodes that were never seen before. It draws its actions from a
    generator of its own, so that training goes on as it would without it.

    Args:
        rows: Rows of the environment to evaluate in; without a curriculum.
        every: Environment steps between evaluations.
        episodes: Episodes of each evaluation.
        deterministic: Whether the model takes its most probable action.
        stop_at: Share of successes that ends the training, when an evaluation and a second, larger
            one both reach it; None never does.
        confirming_episodes: Episodes of the second evaluation.

    Attributes:
        stopped: Whether the training was ended.
        last: The last evaluation.
        references: What random and optimal play get, or None where there is no oracle.
    """

    def __init__(
        self,
        rows: Rows,
        every: int,
        episodes: int = 256,
        deterministic: bool = True,
        stop_at: float | None = None,
        confirming_episodes: int = 1000,
    ) -> None:
        super().__init__()
        self.rows = rows
        self.every = every
        self.episodes = episodes
        self.deterministic = deterministic
        self.stop_at = stop_at
        self.confirming_episodes = confirming_episodes
        self.stopped = False
        self.last: EpisodeResults | None = None
        self.references: References | None = None
        self._next_seed = HELD_OUT_SEEDS
        self._due: int | None = None

    def evaluate(self, episodes: int) -> EpisodeResults:
        """Plays fresh episodes."""
        seed, self._next_seed = self._next_seed, self._next_seed + episodes
        return play_model(self.model, self.deterministic, self.rows, episodes, seed)

    def state_dict(self) -> dict[str, Any]:
        """Returns the counters, ready for JSON."""
        stopped_at = self.stop_at if self.stopped else None
        return {"next_seed": self._next_seed, "due": self._due, "stopped_at": stopped_at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Returns to a state that `state_dict` gave."""
        self._next_seed, self._due = int(state["next_seed"]), int(state["due"])
        reached = state["stopped_at"]
        self.stopped = None not in (reached, self.stop_at) and reached >= self.stop_at

    def held_out(self) -> HeldOut:
        """Returns what a display shows of the evaluations."""
        held_out = HeldOut()
        if self.references is not None:
            random, optimum = (float(returns.mean()) for returns in self.references)
            held_out = HeldOut(random_return=random, optimal_return=optimum)
        if self.last is None:
            return held_out
        mean = float(self.last.returns.mean())
        return held_out._replace(mean_return=mean, success=self.last.success)

    def _on_training_start(self) -> None:
        if self._due is None:
            self._due = self.num_timesteps
        self.references = references(self.rows.env, self.episodes, HELD_OUT_SEEDS)

    def _on_rollout_start(self) -> None:
        # Here the last update is done: what is evaluated is what is kept if training ends now.
        assert self._due is not None
        if self.num_timesteps < self._due:
            return
        self._due = self.num_timesteps + self.every
        self.last = self.evaluate(self.episodes)
        if self._reached(self.last):
            self.last = self.evaluate(self.confirming_episodes)
            self.stopped = self._reached(self.last)
        mean = float(self.last.returns.mean())
        self.logger.record("evaluation/return", mean)
        if self.references is not None:
            random, optimum = (float(returns.mean()) for returns in self.references)
            if optimum > random:
                self.logger.record("evaluation/score", (mean - random) / (optimum - random))
        if self.last.success is not None:
            self.logger.record("evaluation/success", self.last.success)
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.dump(self.num_timesteps)

    def _reached(self, episodes: EpisodeResults) -> bool:
        success = episodes.success
        return self.stop_at is not None and success is not None and success >= self.stop_at

    def _on_step(self) -> bool:
        return not self.stopped


class StopCallback(BaseCallback):
    """Ends the training, once an event is set, when the update that is under way is done.

    Args:
        event: Event that is set from outside, for instance by a signal handler.

    Attributes:
        stopping: Whether the training ends with the present rollout, of which nothing is learned.
    """

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self.event = event
        self.stopping = False

    def _on_rollout_start(self) -> None:
        self.stopping = self.event.is_set()

    def _on_step(self) -> bool:
        return not self.stopping


class CheckpointCallback(BaseCallback):
    """Calls a function before a rollout, when the last update is done, every so often.

    Args:
        every: Environment steps between checkpoints that are kept.
        save: Function that is called with the name of a checkpoint: "model-" and the steps; and
            "model-latest" with each of these, at the start, at the end, and in between so often
            that little is lost if the process is killed.
        ends: Says whether the training ends with the rollout that begins; asked after the
            callbacks that come before this one.
        seconds: Time after which "model-latest" is due.
    """

    def __init__(
        self,
        every: int,
        save: Callable[[str], Any],
        ends: Callable[[], bool] = lambda: False,
        seconds: float = 10.0,
    ) -> None:
        super().__init__()
        self.every = every
        self.save = save
        self.ends = ends
        self.seconds = seconds
        self._due: int | None = None
        self._due_time = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Returns the counters, ready for JSON."""
        return {"due": self._due}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Returns to a state that `state_dict` gave."""
        self._due = int(state["due"])

    def _on_training_start(self) -> None:
        if self._due is None:
            self._due = self.num_timesteps + self.every
        self._due_time = time.monotonic()

    def _on_rollout_start(self) -> None:
        assert self._due is not None
        kept = self.num_timesteps >= self._due
        if kept:
            self._due = self.num_timesteps + self.every
            self.save(f"model-{self.num_timesteps}")
        if kept or self.ends() or time.monotonic() >= self._due_time:
            self.save("model-latest")
            self._due_time = time.monotonic() + self.seconds

    def _on_step(self) -> bool:
        return True
