"""What REINFORCE, A2C and PPO share: one rollout, one optimiser step."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from typing_extensions import Unpack

from agents.algorithms.base import MemoryAlgorithm, NonFiniteError
from agents.algorithms.buffer import Batch, MemoryRolloutBuffer, Step
from agents.algorithms.model import CommonArguments, Env
from agents.cells.state import index_state
from agents.environments.vec_env import GymnasiumVecEnv
from agents.networks.distributions import BoxHead
from agents.networks.encoder import Observation
from agents.networks.inputs import read_masks
from agents.networks.policy import Evaluation, MemoryPolicy
from memory_envs.arguments import check_integer, check_number, check_or_none


def normalized(advantages: Tensor) -> Tensor:
    """Shifts and scales to mean 0 and standard deviation 1; a single element stays, as in SB3."""
    if advantages.numel() < 2:
        return advantages
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)


class MemoryOnPolicyAlgorithm(MemoryAlgorithm):
    """Collects rollouts with memory; subclasses say how to learn from them.

    Args:
        policy: ``"MemoryPolicy"`` or a subclass of it.
        env: An SB3 `VecEnv` (see `agents.make_vec_env`), a Gymnasium environment or vector
            environment, or an id.
        n_steps: Steps per environment in a rollout.
        bptt: Steps over which gradients flow back, a divisor of `n_steps`; None for all.
        gamma: Discount factor.
        vf_coef: Weight of the value loss.
        gae_lambda: Factor between bias and variance of the advantages, where they are estimated.
        **common: See `MemoryAlgorithm`.
    """

    policy: MemoryPolicy
    # Whether a rollout is the first whole episode of each row, so that a time limit is an end and
    # what follows the episode does not count. Else a time limit is the middle of an episode, whose
    # future the critic estimates.
    whole_episodes: ClassVar[bool] = False

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: Env | str | None,
        *,
        n_steps: int,
        bptt: int | None,
        gamma: float,
        vf_coef: float,
        gae_lambda: float = 1.0,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(policy, env, **common)
        self.n_steps = check_integer("n_steps", n_steps, 1)
        self.bptt = check_or_none(check_integer, "bptt", bptt, 1)
        if bptt is not None and n_steps % bptt:
            raise ValueError(f"bptt is {bptt}; allowed: None or a divisor of n_steps={n_steps}")
        self.gamma = check_number("gamma", gamma, 0.0, 1.0)
        self.gae_lambda = check_number("gae_lambda", gae_lambda, 0.0, 1.0)
        self.vf_coef = check_number("vf_coef", vf_coef, 0.0)

    def _setup_model(self) -> None:
        super()._setup_model()
        if self.policy.critic_memory == "none":
            raise ValueError(
                f"critic_memory is 'none'; allowed with {type(self).__name__}: 'own', 'shared', "
                "'detached'"
            )
        self.rollout_buffer = MemoryRolloutBuffer(
            self.n_steps, self.bptt, self.gamma, self.gae_lambda
        )

    # The rollout

    def _rollout_begins(self, env: VecEnv) -> None:
        """Called before the first step of a rollout."""

    def _rollout_complete(self, n_steps: int, ended: npt.NDArray[np.bool_]) -> bool:
        """Says whether the rollout ends after `n_steps` steps.

        Args:
            n_steps: Steps so far.
            ended: ``(B,)``, the rows that have ended an episode in this rollout.
        """
        return n_steps >= self.n_steps

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

    def collect_rollouts(self, env: VecEnv, callback: BaseCallback) -> bool:
        """Fills the buffer with a rollout of the current policy; see `MemoryAlgorithm`."""
        rollout_buffer = self.rollout_buffer
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        self._rollout_begins(env)
        if self._memory_state is None:
            with torch.no_grad():
                self._memory_state = self.policy.initial_state(env.num_envs)
        masked = self.policy.action_head.maskable and env.has_attr("action_masks")
        callback.on_rollout_start()
        n_steps, ended = 0, np.zeros(env.num_envs, np.bool_)
        while not self._rollout_complete(n_steps, ended):
            state = self._memory_state
            obs_tensor = self._to_tensor(self._last_obs)
            starts = torch.as_tensor(self._last_episode_starts, device=self.device)
            masks = self._action_masks(env) if masked else None
            with torch.no_grad():
                actions, values, log_probs, self._memory_state = self.policy(
                    obs_tensor, state, starts, masks=masks, sampler=self.sampler
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
            # The rows whose episode counts in statistics and curricula.
            counted = dones & ~ended if self.whole_episodes else dones
            ended |= dones
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, counted)
            step_rewards = self._bootstrapped(rewards, dones, infos, values.dtype)
            step = Step(obs_tensor, actions, step_rewards, starts, values, log_probs, masks)
            rollout_buffer.add(step, state)
        self._compute_advantages(self._to_tensor(new_obs), torch.as_tensor(dones).to(self.device))
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _compute_advantages(self, last_obs: Observation, ends: Tensor) -> None:
        """Called after the last step of a rollout.

        Args:
            last_obs: ``(B, ...)``, what is seen after it.
            ends: ``(B,)`` bool, whether it ended an episode.
        """
        assert self._memory_state is not None
        last_values = self.policy.predict_values(last_obs, self._memory_state, ends)
        self.rollout_buffer.compute_returns_and_advantages(last_values, ends)

    def _bootstrapped(
        self,
        rewards: npt.NDArray[Any],
        dones: npt.NDArray[np.bool_],
        infos: list[dict[str, Any]],
        dtype: torch.dtype,
    ) -> Tensor:
        """The rewards, plus the discounted value of what a time limit cut off.

        The last observation is fed to the memory as the next step of the same episode.
        """
        tensor = torch.as_tensor(rewards, dtype=dtype, device=self.device)
        if self.whole_episodes or not dones.any():
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

    def rollout_batch(self) -> Any:
        """Returns the last rollout, whole, as `losses` takes it."""
        return self.rollout_buffer.chunks()

    def loss_weights(self) -> dict[str, float]:
        """Returns the weights of losses in `total_loss`; a loss that is not named weighs 1."""
        return {**super().loss_weights(), "value": self.vf_coef}

    def evaluate_batch(self, batch: Batch) -> Evaluation:
        """Returns what the policy makes of a batch, with gradients."""
        return self.policy.evaluate_actions(
            batch.observations, batch.actions, batch.state, batch.episode_starts, batch.masks
        )

    def _trained(self, batch: Any) -> None:
        self._log_rollout_fit()

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
        if isinstance(self.policy.action_head, BoxHead):
            std = self.policy.action_head.log_std.detach().exp().mean()
            self.logger.record("train/std", float(std))
