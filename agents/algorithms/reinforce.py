"""REINFORCE with memory on whole episodes (Williams 1992)."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from typing_extensions import Never

from agents.algorithms.buffer import Batch
from agents.algorithms.model import Env
from agents.algorithms.on_policy import MemoryOnPolicyAlgorithm
from agents.algorithms.time_baseline import TimeBaseline
from agents.networks.encoder import Observation
from agents.networks.policy import MemoryPolicy
from agents.networks.sb3_words import ALGORITHM_WORDS, refuse_unknown
from memory_envs.arguments import check_choice, check_flag, check_integer, check_or_none

BASELINES = ("none", "time", "value")
# Steps that the buffer holds at first; it grows.
_FIRST_CAPACITY = 128


class WholeEpisodes(NamedTuple):
    """A batch of `Reinforce`.

    Attributes:
        steps: Steps of a rollout, in chunks ``(T, N)``.
        weights: ``(T, N)``, 1 for the steps of each row's first episode, 0 for those after it.
        episodes: Number of first episodes.
    """

    steps: Batch
    weights: Tensor
    episodes: int


class Reinforce(MemoryOnPolicyAlgorithm):
    """REINFORCE with rewards-to-go; each update plays one whole episode per environment.

    All environments are reset, and run until each has finished its first episode. The gradient is
    the sum over the steps of these episodes, divided by their number; what early finishers do
    afterwards carries no weight (but counts as environment steps). A time limit is an end.

    Args:
        policy: ``"MemoryPolicy"`` or a subclass of it.
        env: An SB3 `VecEnv` (see `agents.make_vec_env`), a Gymnasium environment or vector
            environment, or an id.
        learning_rate: A number, or a function of the remaining progress (from 1 to 0).
        baseline: What is subtracted from the rewards-to-go: ``"none"``; ``"time"``, a running mean
            per time step over former updates; ``"value"``, the critic, trained by regression.
        max_episode_steps: Longest episode allowed.
        bptt: Steps over which gradients flow back; None for whole episodes.
        gamma: Discount factor.
        normalize_value: Whether the critic learns values in units of the returns' standard
            deviation, see `ValueHead`; the loss of values is then in these units, too.
        ent_coef: Weight of the entropy bonus; a number or a schedule.
        vf_coef: Weight of the critic's regression loss (baseline ``"value"`` only).
        max_grad_norm: Largest norm of the gradient; longer ones are scaled down.
        stats_window_size: Episodes over which the logged means are taken.
        tensorboard_log: Folder of the TensorBoard log, or None.
        policy_kwargs: Arguments of the policy, see `MemoryPolicy`.
        verbose: 0 for no output, 1 for information, 2 for debugging.
        seed: Seed of everything random.
        device: PyTorch device, or ``"auto"``.
        _init_setup_model: Whether to build the networks at once.
        **unknown: Nothing; the error says what SB3's other words are called here.
    """

    whole_episodes: ClassVar[bool] = True

    def __init__(
        self,
        policy: str | type[MemoryPolicy],
        env: Env | str | None,
        learning_rate: float | Schedule = 1e-3,
        baseline: str = "value",
        max_episode_steps: int = 10_000,
        bptt: int | None = None,
        gamma: float = 1.0,
        normalize_value: bool = True,
        ent_coef: float | Schedule = 0.0,
        vf_coef: float = 0.5,
        max_grad_norm: float = 0.5,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
        **unknown: Never,
    ) -> None:
        refuse_unknown(Reinforce, unknown, ALGORITHM_WORDS)
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_steps=check_or_none(check_integer, "bptt", bptt, 1) or _FIRST_CAPACITY,
            bptt=bptt,
            gamma=gamma,
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
        self.baseline = check_choice("baseline", baseline, BASELINES)
        self.normalize_value = check_flag("normalize_value", normalize_value)
        self.max_episode_steps = check_integer("max_episode_steps", max_episode_steps, 1)
        if _init_setup_model:
            self._setup_model()

    def _make_policy(self) -> BasePolicy:
        policy = super()._make_policy()
        if self.baseline == "time":
            # Part of the policy, so that it is saved with it.
            policy.time_baseline = TimeBaseline(self.max_episode_steps)
        return policy

    def _time_baseline(self) -> TimeBaseline:
        baseline = self.policy.get_submodule("time_baseline")
        assert isinstance(baseline, TimeBaseline)
        return baseline

    # The rollout: reset, then run until every row has finished its first episode.

    def _rollout_begins(self, env: VecEnv) -> None:
        starts: Any = self._last_episode_starts
        if not starts.all():
            self._last_obs = env.reset()  # type: ignore[assignment]  # SB3 declares it as None
            self._last_episode_starts = np.ones_like(starts)

    def _rollout_complete(self, n_steps: int, ended: npt.NDArray[np.bool_]) -> bool:
        if ended.all():
            return self.bptt is None or n_steps % self.bptt == 0
        if n_steps >= self.max_episode_steps:
            row = int(np.argmin(ended))
            raise RuntimeError(
                f"the episode of row {row} has not ended after max_episode_steps="
                f"{self.max_episode_steps} steps; allow more, or give the environment a time limit"
            )
        return False

    def _compute_advantages(self, last_obs: Observation, ends: Tensor) -> None:
        buffer = self.rollout_buffer
        buffer.compute_rewards_to_go(ends)
        if self.baseline == "value":
            buffer.advantages = buffer.returns - buffer.data.values
            returns = buffer.returns[self._first_episodes()]
            # What is not finite must not reach the parameters; the gradient step will say so.
            if self.normalize_value and bool(returns.isfinite().all()):
                self.policy.critic.track(returns)
        elif self.baseline == "time":
            buffer.advantages = buffer.returns - self._time_baseline()(buffer.size)
        else:
            buffer.advantages = buffer.returns

    # Training

    def rollout_batch(self) -> WholeEpisodes:
        """Returns the last rollout as `losses` takes it."""
        buffer, first = self.rollout_buffer, self._first_episodes()
        weights = buffer.cut(first.to(buffer.returns.dtype))
        return WholeEpisodes(super().rollout_batch(), weights, first.shape[1])

    def _first_episodes(self) -> Tensor:
        """Which steps of the rollout are learned from, ``(T, B)`` bool."""
        return self.rollout_buffer.data.episode_starts.cumsum(dim=0) == 1

    def losses(self, batch: WholeEpisodes) -> dict[str, Tensor]:
        """Returns the losses, sums over the steps of an episode and means over episodes.

        The value loss (baseline ``"value"`` only) is a mean over all steps that count. See
        `MemoryAlgorithm`.
        """
        steps, weights, episodes = batch
        now = self.evaluate_batch(steps)
        losses = {"policy": -(weights * steps.advantages * now.log_probs).sum() / episodes}
        if self.baseline == "value":
            errors = (now.values - steps.returns).square() / self.policy.critic.scale.square()
            losses["value"] = (weights * errors).sum() / weights.sum()
        losses["entropy"] = -(weights * now.entropy).sum() / episodes
        own = {name: (weights * loss).sum() / episodes for name, loss in now.losses.items()}
        return {**losses, **own}

    def _trained(self, batch: WholeEpisodes) -> None:
        first = self._first_episodes()
        if self.baseline == "time":
            returns = self.rollout_buffer.returns
            self._time_baseline().update(returns, first.to(returns.dtype))
        self._log_rollout_fit(first)
