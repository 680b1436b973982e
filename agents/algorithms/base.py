"""An algorithm that plays rollouts, has losses on them, and descends on these."""

from __future__ import annotations

import math
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.utils import FloatSchedule, safe_mean
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn
from typing_extensions import Unpack

from agents.algorithms.model import CommonArguments, Env, MemoryModel
from agents.cells.state import State
from memory_envs import Curriculum
from memory_envs.arguments import check_number

Self = TypeVar("Self", bound="MemoryAlgorithm")


class NonFiniteError(RuntimeError):
    """A loss, a gradient or an action's probability is not finite.

    The gradient step in question was not taken; earlier ones of the same update were.
    """


class Marked(NamedTuple):
    """Episodes that were not stepped through but marked whole, when they were learned from.

    Attributes:
        successes: Of each, whether all answers were right.
        shares: Of each, the share of right answers.
    """

    successes: Sequence[bool]
    shares: Sequence[float]


class Drawable(Protocol):
    """A distribution of the actions of B rows, as a sampler sees it."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Returns random actions, ``(B, ...)``."""
        ...

    def mode(self) -> Tensor:
        """Returns the most probable actions, ``(B, ...)``."""
        ...


# Chooses the actions of a step of a rollout.
Sampler: TypeAlias = Callable[[Drawable], Tensor]


class MemoryAlgorithm(MemoryModel):
    """What an algorithm with memory is.

    A subclass plays rollouts (`collect_rollouts`, `rollout_batch`) and says what its losses are
    (`losses`). `train` takes one gradient step on `total_loss` of them, unless it is overridden.

    Args:
        policy: The policy's name or class.
        env: An SB3 `VecEnv` (see `agents.make_vec_env`), a Gymnasium environment or vector
            environment, or an id.
        **common: See `MemoryModel`.

    Attributes:
        gamma: Discount factor, which a subclass sets.
        sampler: Chooses the actions of a rollout from their distribution; draws them at random
            with the algorithm's generator unless another one is set.
        marked: The episodes that the last update marked, of an algorithm that learns from whole
            streams; a curriculum takes them from here. None where there are no new ones.
    """

    gamma: float

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: Env | str | None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(policy, env, **common)
        # What the memory holds between two rollouts; None where each rollout starts anew.
        self._memory_state: State | None = None
        self.marked: Marked | None = None
        self.sampler: Sampler = self._draw

    def _draw(self, distribution: Drawable) -> Tensor:
        return distribution.sample(self.generator)

    @abstractmethod
    def collect_rollouts(self, env: VecEnv, callback: BaseCallback) -> bool:
        """Plays a rollout of the current policy; `rollout_batch` then holds it.

        Args:
            env: The environments.
            callback: Called after each step, and at both ends of the rollout.

        Returns:
            Whether the rollout is complete; False if the callback stopped it.
        """

    @abstractmethod
    def rollout_batch(self) -> Any:
        """Returns the last rollout, whole, as `losses` takes it."""

    @abstractmethod
    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Returns the losses on a batch by name, scalars with gradients.

        Nothing else happens: no statistics, no log, no optimizer. The same parameters and the same
        batch give the same losses.

        Args:
            batch: What `rollout_batch` returns, or a part of it.
        """

    def loss_weights(self) -> dict[str, float]:
        """Returns the weights of losses in `total_loss`; a loss that is not named weighs 1."""
        assert isinstance(self.ent_coef, FloatSchedule)
        return {"entropy": self.ent_coef(self._current_progress_remaining)}

    def total_loss(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the sum of the losses, each times its weight: what a gradient step descends on.

        Args:
            losses: What `losses` returns.
        """
        weights = self.loss_weights()
        # Going back through a loss of no weight takes time.
        weighed = {k: loss for k, loss in losses.items() if weights.get(k, 1.0) != 0.0}
        return torch.stack([weights.get(k, 1.0) * loss for k, loss in weighed.items()]).sum()

    def rollout(self) -> Any:
        """Plays a rollout as `learn` does first, from new episodes, and returns its batch."""
        _, callback = self._setup_learn(1)
        assert self.env is not None
        self.collect_rollouts(self.env, callback)
        return self.rollout_batch()

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        """Adds the lines of progress to what the user gave; SB3's bar needs a terminal."""
        given = super()._init_callback(callback, progress_bar=False)
        if not progress_bar:
            return given
        from agents.algorithms.progress import ProgressLines

        curriculum: Curriculum | None = getattr(self, "curriculum", None)
        both = CallbackList([given, ProgressLines(self._total_timesteps, curriculum)])
        both.init_callback(self)
        return both

    def learn(
        self: Self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 1,
        tb_log_name: str | None = None,
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Trains for `total_timesteps` environment steps; the arguments are SB3's.

        Args:
            total_timesteps: Environment steps, all rows together.
            callback: A callback, a list of them, or a function that is called at every step.
            log_interval: Rollouts between two logs.
            tb_log_name: Name of the run in the TensorBoard log; None for that of the class.
            reset_num_timesteps: Whether steps are counted from 0, and new episodes begin.
            progress_bar: Whether lines are printed that say how it goes.

        Raises:
            TypeError, ValueError: If `total_timesteps` is no number from 0 on, or there are no
                environments: a model that was loaded to predict has none.
        """
        check_number("total_timesteps", total_timesteps, 0.0)
        if self.env is None:
            raise ValueError("env is None; allowed: load(path, env), or set_env(env) before learn")
        total_timesteps, callback = self._setup_learn(
            total_timesteps,
            callback,
            reset_num_timesteps,
            tb_log_name or type(self).__name__,
            progress_bar,
        )
        processor_time = time.process_time()
        callback.on_training_start(locals(), globals())
        iteration = 0
        while self.num_timesteps < total_timesteps:
            if not self.collect_rollouts(self.env, callback):
                break
            iteration += 1
            self._update_current_progress_remaining(self.num_timesteps, total_timesteps)
            if log_interval and iteration % log_interval == 0:
                self._log_progress(iteration, time.process_time() - processor_time)
            self.train()
        callback.on_training_end()
        return self

    def train(self) -> None:
        """Takes one gradient step on the whole rollout."""
        self.policy.set_training_mode(True)
        batch = self.rollout_batch()
        self._take_step(self.losses(batch))
        self._trained(batch)

    def _take_step(self, losses: Mapping[str, Tensor]) -> None:
        """Takes a gradient step on the losses of a batch, and logs them."""
        self._update_learning_rate(self.optimizer)
        self._optimize(self.total_loss(losses))
        self._n_updates += 1
        for name, loss in losses.items():
            self.logger.record(f"train/{name}_loss", float(loss.detach()))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _trained(self, batch: Any) -> None:
        """Called by `train` after its gradient step."""

    def _clipped_parts(self) -> list[tuple[nn.Module, float]]:
        """The parts of the policy whose gradients are clipped apart, and their largest norms."""
        return [(self.policy, self.max_grad_norm)]

    def _optimize(self, loss: Tensor) -> None:
        """Takes one gradient step.

        Raises:
            NonFiniteError: If the loss or the gradient is not finite.
        """
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
        norms = [
            float(torch.nn.utils.clip_grad_norm_(part.parameters(), largest))
            for part, largest in self._clipped_parts()
        ]
        if not math.isfinite(sum(norms) + float(loss.detach())):
            self.optimizer.zero_grad()
            raise NonFiniteError(
                f"update {self._n_updates + 1} after {self.num_timesteps} steps: the loss is "
                f"{float(loss.detach())} and the gradient norm {sum(norms)}; the parameters were "
                f"left as they are; the last checkpoint is {self.last_checkpoint or 'none'}"
            )
        self.optimizer.step()

    def _keep_episodes(
        self, returns: Sequence[float], lengths: Sequence[int], marked: Marked
    ) -> None:
        """Keeps what episodes that were not stepped through would have told, as SB3 does."""
        assert self.ep_info_buffer is not None
        assert self.ep_success_buffer is not None
        now = round(time.time() - self.start_time / 1e9, 6)
        self.ep_info_buffer.extend(
            {"r": total, "l": length, "t": now}
            for total, length in zip(returns, lengths, strict=True)
        )
        self.ep_success_buffer.extend(marked.successes)
        self.marked = marked

    def _log_progress(self, iteration: int, processor_seconds: float) -> None:
        """Logs what SB3 logs after each rollout, by SB3's names, and the processor's time."""
        assert self.ep_info_buffer is not None
        assert self.ep_success_buffer is not None
        seconds = max((time.time_ns() - self.start_time) / 1e9, sys.float_info.epsilon)
        steps = self.num_timesteps - self._num_timesteps_at_start
        self.logger.record("time/iterations", iteration, exclude="tensorboard")
        if self.ep_info_buffer:
            for name, key in (("ep_rew_mean", "r"), ("ep_len_mean", "l")):
                mean = safe_mean([info[key] for info in self.ep_info_buffer])
                self.logger.record(f"rollout/{name}", mean)
        self.logger.record("time/fps", int(steps / seconds))
        self.logger.record("time/time_elapsed", int(seconds), exclude="tensorboard")
        # Of all threads. On a busy machine it says more of what a training takes.
        self.logger.record("time/cpu_time", int(processor_seconds), exclude="tensorboard")
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        if self.ep_success_buffer:
            self.logger.record("rollout/success_rate", safe_mean(self.ep_success_buffer))
        self.logger.dump(step=self.num_timesteps)
