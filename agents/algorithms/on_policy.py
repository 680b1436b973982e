"""What REINFORCE, A2C and PPO share: one rollout, one optimiser step."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import FloatSchedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.algorithms.base import MemoryAlgorithm
from agents.algorithms.buffer import Batch, MemoryRolloutBuffer, Step
from agents.cells.state import index_state
from agents.environments.vec_env import GymnasiumVecEnv
from agents.networks.distributions import BoxHead
from agents.networks.encoder import Observation
from agents.networks.inputs import read_masks
from agents.networks.policy import Evaluation


class NonFiniteError(RuntimeError):
    """A loss, a gradient or an action's probability is not finite.

    The gradient step in question was not taken; earlier ones of the same update were.
    """


def normalized(advantages: Tensor) -> Tensor:
    """Shifts and scales to mean 0 and standard deviation 1; a single element stays, as in SB3."""
    if advantages.numel() < 2:
        return advantages
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)


class MemoryOnPolicyAlgorithm(MemoryAlgorithm):
    """Collects rollouts with memory; subclasses say how to learn from them."""

    # Whether a time limit counts as the middle of an episode, whose future the critic estimates.
    bootstraps_time_limits: ClassVar[bool] = True

    def _rollout_begins(self, env: VecEnv) -> None:
        """Called before the first step of a rollout."""

    def _rollout_complete(self, n_steps: int, n_rollout_steps: int) -> bool:
        """Says whether the rollout ends after `n_steps` steps."""
        return n_steps >= n_rollout_steps

    def _to_tensor(self, obs: Any) -> Observation:
        if isinstance(obs, dict):
            return {key: torch.as_tensor(value, device=self.device) for key, value in obs.items()}
        return torch.as_tensor(obs, device=self.device)

    def _action_masks(self, env: VecEnv) -> Tensor | None:
        unwrapped = env.unwrapped
        if isinstance(unwrapped, GymnasiumVecEnv):
            masks = unwrapped.action_masks()
        else:
            masks = np.stack(env.env_method("action_masks"))
        return read_masks(self.policy.action_head, masks, env.num_envs, self.device)

    def collect_rollouts(  # type: ignore[override]  # our buffer is not a subclass of SB3's
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: MemoryRolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Fills the buffer with a rollout of the current policy.

        Args:
            env: The environments.
            callback: Called after each step, and at both ends of the rollout.
            rollout_buffer: Filled from its start.
            n_rollout_steps: Steps per environment.

        Returns:
            Whether the rollout is complete; False if the callback stopped it.
        """
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        self._rollout_begins(env)
        if self._memory_state is None:
            with torch.no_grad():
                self._memory_state = self.policy.initial_state(env.num_envs)
        masked = self.policy.action_head.maskable and env.has_attr("action_masks")
        callback.on_rollout_start()
        n_steps = 0
        while not self._rollout_complete(n_steps, n_rollout_steps):
            state = self._memory_state
            obs_tensor = self._to_tensor(self._last_obs)
            starts = torch.as_tensor(self._last_episode_starts, device=self.device)
            masks = self._action_masks(env) if masked else None
            actions, values, log_probs, self._memory_state = self.policy.step(
                obs_tensor, state, starts, self.generator, masks
            )
            if not math.isfinite(float(log_probs.sum())):
                row = int(log_probs.isfinite().logical_not().nonzero()[0])
                raise NonFiniteError(
                    f"update {self._n_updates + 1}, step {self.num_timesteps}: the probability of "
                    f"an action in row {row} is not finite; is an observation? The last checkpoint "
                    f"is {self.last_checkpoint or 'none'}"
                )
            clipped_actions = self.policy.action_head.to_env(actions)
            new_obs, rewards, dones, infos = env.step(clipped_actions)
            n_steps += 1
            self.num_timesteps += env.num_envs
            self._last_obs = new_obs  # type: ignore[assignment]  # SB3 declares it as None
            self._last_episode_starts = dones
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            step_rewards = self._bootstrapped(rewards, dones, infos)
            step = Step(obs_tensor, actions, step_rewards, starts, values, log_probs, masks)
            rollout_buffer.add(step, state)
        ends = torch.as_tensor(dones, device=self.device)
        last_values = self.policy.predict_values(self._to_tensor(new_obs), self._memory_state, ends)
        rollout_buffer.compute_returns_and_advantages(last_values, ends)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _bootstrapped(
        self, rewards: npt.NDArray[Any], dones: npt.NDArray[np.bool_], infos: list[dict[str, Any]]
    ) -> Tensor:
        """The rewards, plus the discounted value of what a time limit cut off.

        The last observation is fed to the memory as the next step of the same episode.
        """
        tensor = torch.as_tensor(rewards, dtype=torch.float32, device=self.device)
        if not (self.bootstraps_time_limits and dones.any()):
            return tensor
        rows = [i for i in np.flatnonzero(dones).tolist() if infos[i].get("TimeLimit.truncated")]
        if not rows:
            return tensor
        last = [infos[i]["terminal_observation"] for i in rows]
        if isinstance(last[0], dict):
            obs = self._to_tensor({key: np.stack([x[key] for x in last]) for key in last[0]})
        else:
            obs = self._to_tensor(np.stack(last))
        index = torch.as_tensor(rows, device=self.device)
        assert self._memory_state is not None
        values = self.policy.predict_values(
            obs, index_state(self._memory_state, index), torch.zeros_like(index, dtype=torch.bool)
        )
        return tensor.index_add(0, index, values, alpha=self.gamma)

    def _update_info_buffer(
        self, infos: list[dict[str, Any]], dones: npt.NDArray[np.bool_] | None = None
    ) -> None:
        """Keeps the statistics of finished episodes, looking at finished rows only."""
        if dones is not None:
            finished = np.flatnonzero(dones)
            super()._update_info_buffer([infos[i] for i in finished.tolist()], dones[finished])

    # Training

    def _evaluate(self, batch: Batch) -> Evaluation:
        return self.policy.evaluate(
            batch.observations, batch.actions, batch.state, batch.episode_starts, batch.masks
        )

    def _total_loss(self, policy_loss: Tensor, value_loss: Tensor, entropy_loss: Tensor) -> Tensor:
        assert isinstance(self.ent_coef, FloatSchedule)
        entropy_weight = self.ent_coef(self._current_progress_remaining)
        return policy_loss + entropy_weight * entropy_loss + self.vf_coef * value_loss

    def _optimize(self, loss: Tensor) -> None:
        """Takes one gradient step.

        Raises:
            NonFiniteError: If the loss or the gradient is not finite.
        """
        optimizer = self.policy.optimizer
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        if not math.isfinite(float(norm + loss.detach())):
            optimizer.zero_grad()
            raise NonFiniteError(
                f"update {self._n_updates + 1} after {self.num_timesteps} steps: the loss is "
                f"{float(loss.detach())} and the gradient norm {float(norm)}; the parameters were "
                f"left as they are; the last checkpoint is {self.last_checkpoint or 'none'}"
            )
        optimizer.step()

    def _log_losses(self, policy_loss: Tensor, value_loss: Tensor, entropy_loss: Tensor) -> None:
        self.logger.record("train/policy_loss", float(policy_loss.detach()))
        self.logger.record("train/value_loss", float(value_loss.detach()))
        self.logger.record("train/entropy_loss", float(entropy_loss.detach()))

    def _log_rollout_fit(self, counts: Tensor | None = None) -> None:
        """Logs what SB3 logs after every training.

        Args:
            counts: ``(T, B)`` bool, the steps that were learned from; None for all.
        """
        returns, values = self.rollout_buffer.returns, self.rollout_buffer.data.values
        if counts is not None:
            returns, values = returns[counts], values[counts]
        variance = returns.var(correction=0)
        explained = 1.0 - (returns - values).var(correction=0) / variance
        self.logger.record("train/explained_variance", float(explained) if variance > 0 else np.nan)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        if isinstance(self.policy.action_head, BoxHead):
            std = self.policy.action_head.log_std.detach().exp().mean()
            self.logger.record("train/std", float(std))

    @abstractmethod
    def train(self) -> None:
        """Updates the policy from the rollout in the buffer."""
