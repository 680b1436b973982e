"""Proximal policy optimisation with memory (Schulman et al. 2017)."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from typing import Any, NamedTuple

import torch
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.utils import FloatSchedule
from torch import Tensor
from typing_extensions import Never

from agents.algorithms.buffer import Batch, minibatches
from agents.algorithms.model import Env, check_schedule
from agents.algorithms.on_policy import MemoryOnPolicyAlgorithm, normalized
from agents.networks.policy import Evaluation, MemoryPolicy
from agents.networks.sb3_words import ALGORITHM_WORDS, refuse_unknown
from memory_envs.arguments import check_flag, check_integer, check_number, check_or_none, shown

# Minibatches in an epoch where `batch_size` is None.
_MINIBATCHES = 4


class _Step(NamedTuple):
    """What is logged of a gradient step.

    Attributes:
        losses: By name, without gradient.
        loss: Their weighted sum.
        log_ratio: New minus old log-probabilities of the actions, ``(T, N)``.
    """

    losses: dict[str, Tensor]
    loss: Tensor
    log_ratio: Tensor


class MemoryPPO(MemoryOnPolicyAlgorithm):
    """PPO with clipping, on minibatches of whole columns.

    Args:
        policy: ``"MemoryPolicy"`` or a subclass of it.
        env: An SB3 `VecEnv` (see `agents.make_vec_env`), a Gymnasium environment or vector
            environment, or an id.
        learning_rate: A number, or a function of the remaining progress (from 1 to 0).
        n_steps: Steps per environment in a rollout.
        batch_size: Transitions in a minibatch, a multiple of `bptt`; None for a quarter of the
            rollout, rounded down to whole chunks of columns.
        n_epochs: Passes over each rollout.
        bptt: Steps over which gradients flow back, a divisor of `n_steps`; None for all.
        gamma: Discount factor.
        gae_lambda: Factor between bias and variance of the advantages.
        clip_range: Clipping of the probability ratio; a number or a schedule.
        clip_range_vf: Clipping of the value's change; a number, a schedule, or None for none.
        normalize_advantage: Whether to normalise advantages in each minibatch.
        normalize_value: Whether the critic learns values in units of the returns' standard
            deviation, see `ValueHead`; the loss of values is then in these units, too.
        ent_coef: Weight of the entropy bonus; a number or a schedule.
        vf_coef: Weight of the value loss.
        max_grad_norm: Largest norm of the gradient; longer ones are scaled down.
        target_kl: Ends an update when the approximate KL divergence exceeds 1.5 times it.
        stats_window_size: Episodes over which the logged means are taken.
        tensorboard_log: Folder of the TensorBoard log, or None.
        policy_kwargs: Arguments of the policy, see `MemoryPolicy`.
        verbose: 0 for no output, 1 for information, 2 for debugging.
        seed: Seed of everything random.
        device: PyTorch device, or ``"auto"``.
        _init_setup_model: Whether to build the networks at once.
        **unknown: Nothing; the error says what SB3's other words are called here.
    """

    def __init__(
        self,
        policy: str | type[MemoryPolicy],
        env: Env | str | None,
        learning_rate: float | Schedule = 1e-3,
        n_steps: int = 128,
        batch_size: int | None = None,
        n_epochs: int = 10,
        bptt: int | None = None,
        gamma: float = 0.99,
        gae_lambda: float = 0.95,
        clip_range: float | Schedule = 0.2,
        clip_range_vf: float | Schedule | None = None,
        normalize_advantage: bool = True,
        normalize_value: bool = True,
        ent_coef: float | Schedule = 0.0,
        vf_coef: float = 0.5,
        max_grad_norm: float = 0.5,
        target_kl: float | None = None,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
        **unknown: Never,
    ) -> None:
        refuse_unknown(MemoryPPO, unknown, ALGORITHM_WORDS)
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_steps=n_steps,
            bptt=bptt,
            gamma=gamma,
            gae_lambda=gae_lambda,
            ent_coef=ent_coef,
            vf_coef=vf_coef,
            max_grad_norm=max_grad_norm,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=device,
        )
        self.batch_size = check_or_none(self._check_batch_size, "batch_size", batch_size)
        self.n_epochs = check_integer("n_epochs", n_epochs, 1)
        self.clip_range = check_schedule("clip_range", clip_range, above=True)
        self.clip_range_vf = check_or_none(
            check_schedule, "clip_range_vf", clip_range_vf, above=True
        )
        self.normalize_advantage = check_flag("normalize_advantage", normalize_advantage)
        self.normalize_value = check_flag("normalize_value", normalize_value)
        self.target_kl = check_or_none(check_number, "target_kl", target_kl, 0.0, above=True)
        if _init_setup_model:
            self._setup_model()

    def _check_batch_size(self, name: str, batch_size: int) -> int:
        length = self.bptt or self.n_steps
        if check_integer(name, batch_size, 1) % length:
            raise ValueError(
                f"{name} is {shown(batch_size)}; allowed: multiples of bptt={length}, "
                "as minibatches are whole chunks of columns"
            )
        total = 0 if self.env is None else self.n_steps * self.n_envs
        if total > batch_size and total % batch_size:
            warnings.warn(
                f"batch_size={batch_size} does not divide n_steps * n_envs = {total}; the last "
                f"minibatch of each epoch has {total % batch_size} transitions",
                stacklevel=4,
            )
        return batch_size

    def _setup_model(self) -> None:
        super()._setup_model()
        self.clip_range = FloatSchedule(self.clip_range)
        if self.clip_range_vf is not None:
            self.clip_range_vf = FloatSchedule(self.clip_range_vf)

    def losses(self, batch: Batch, now: Evaluation | None = None) -> dict[str, Tensor]:
        """Returns the means of the losses over all steps of a batch; see `MemoryAlgorithm`.

        Args:
            batch: Steps of a rollout.
            now: What the policy makes of them, if it is known already.
        """
        now = now or self.evaluate_batch(batch)
        advantages = batch.advantages
        if self.normalize_advantage:
            advantages = normalized(advantages)
        ratio = (now.log_probs - batch.old_log_probs).exp()
        clip_range = self._clip_range()
        clipped = ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
        values = now.values
        clip_range_vf = self._clip_range_vf()
        if clip_range_vf is not None:
            change = (values - batch.old_values).clamp(-clip_range_vf, clip_range_vf)
            values = batch.old_values + change
        scale = self.policy.critic.scale
        return {
            "policy": -torch.min(advantages * ratio, advantages * clipped).mean(),
            "value": torch.nn.functional.mse_loss(values, batch.returns) / scale.square(),
            "entropy": -now.entropy.mean(),
            **{name: loss.mean() for name, loss in now.losses.items()},
        }

    def _clip_range(self) -> float:
        assert isinstance(self.clip_range, FloatSchedule)
        return self.clip_range(self._current_progress_remaining)

    def _clip_range_vf(self) -> float | None:
        schedule = self.clip_range_vf
        if not isinstance(schedule, FloatSchedule):
            return None
        return schedule(self._current_progress_remaining)

    def train(self) -> None:
        """Runs `n_epochs` passes over the rollout, or fewer if `target_kl` is exceeded."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.optimizer)
        rollout = self.rollout_batch()
        # What is not finite must not reach the parameters; the first gradient step will say so.
        if self.normalize_value and bool(rollout.returns.isfinite().all()):
            self.policy.critic.track(rollout.returns)
        for _ in range(self.n_epochs):
            steps: list[_Step] = []
            complete = self._epoch(rollout, steps)
            self._n_updates += 1
            if not complete:
                break
        self._log_epoch(steps)
        self.logger.record("train/clip_range", self._clip_range())
        if (clip_range_vf := self._clip_range_vf()) is not None:
            self.logger.record("train/clip_range_vf", clip_range_vf)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self._log_rollout_fit()

    def _epoch(self, rollout: Batch, steps: list[_Step]) -> bool:
        """One pass over the rollout; returns whether `target_kl` allows another."""
        batch_size = self.batch_size or rollout.returns.numel() // _MINIBATCHES
        for batch in minibatches(rollout, batch_size, self.generator):
            now = self.evaluate_batch(batch)
            losses = self.losses(batch, now)
            loss = self.total_loss(losses)
            step = _Step(
                {name: value.detach() for name, value in losses.items()},
                loss.detach(),
                now.log_probs.detach() - batch.old_log_probs,
            )
            steps.append(step)
            limit = math.inf if self.target_kl is None else 1.5 * self.target_kl
            if limit < math.inf and float(approximate_kl(step.log_ratio)) > limit:
                return False
            self._optimize(loss)
        return True

    def _log_epoch(self, steps: list[_Step]) -> None:
        """Logs the means over the minibatches of one epoch, by SB3's names."""
        seen: dict[str, list[Tensor]] = defaultdict(list)
        for step in steps:
            for name, value in step.losses.items():
                seen["policy_gradient_loss" if name == "policy" else f"{name}_loss"].append(value)
            seen["loss"].append(step.loss)
            seen["approx_kl"].append(approximate_kl(step.log_ratio))
            clipped = (step.log_ratio.exp() - 1.0).abs() > self._clip_range()
            seen["clip_fraction"].append(clipped.float().mean())
        for name, values in seen.items():
            self.logger.record(f"train/{name}", float(torch.stack(values).mean()))


def approximate_kl(log_ratio: Tensor) -> Tensor:
    """Returns an estimate of the KL divergence that is never negative, from both policies' logs.

    Args:
        log_ratio: Of the actions taken, new log-probabilities minus old.
    """
    return (log_ratio.exp() - 1.0 - log_ratio).mean()
