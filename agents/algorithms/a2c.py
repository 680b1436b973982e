"""Advantage actor-critic with memory (Mnih et al. 2016), synchronous as in SB3."""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.type_aliases import GymEnv, Schedule

from agents.algorithms.on_policy import MemoryOnPolicyAlgorithm, normalized
from agents.networks.policy import MemoryPolicy


class MemoryA2C(MemoryOnPolicyAlgorithm):
    """A2C: one gradient step on each whole rollout.

    Args:
        policy: ``"MemoryPolicy"`` or a subclass of it.
        env: An SB3 `VecEnv` (see `agents.make_vec_env`), a Gymnasium environment, or an id.
        learning_rate: A number, or a function of the remaining progress (from 1 to 0).
        n_steps: Steps per environment in a rollout.
        bptt: Steps over which gradients flow back, a divisor of `n_steps`; None for all.
        gamma: Discount factor.
        gae_lambda: Factor between bias and variance of the advantages.
        ent_coef: Weight of the entropy bonus; a number or a schedule.
        vf_coef: Weight of the value loss.
        max_grad_norm: Largest norm of the gradient; longer ones are scaled down.
        rms_prop_eps: Epsilon of RMSprop.
        use_rms_prop: Whether to use RMSprop instead of Adam, unless `policy_kwargs` names an
            optimizer.
        normalize_advantage: Whether to normalise advantages.
        stats_window_size: Episodes over which the logged means are taken.
        tensorboard_log: Folder of the TensorBoard log, or None.
        policy_kwargs: Arguments of the policy, see `MemoryPolicy`.
        verbose: 0 for no output, 1 for information, 2 for debugging.
        seed: Seed of everything random.
        device: PyTorch device, or ``"auto"``.
        _init_setup_model: Whether to build the networks at once.
    """

    def __init__(
        self,
        policy: str | type[MemoryPolicy],
        env: GymEnv | str | None,
        learning_rate: float | Schedule = 7e-4,
        n_steps: int = 16,
        bptt: int | None = None,
        gamma: float = 0.99,
        gae_lambda: float = 1.0,
        ent_coef: float | Schedule = 0.0,
        vf_coef: float = 0.5,
        max_grad_norm: float = 0.5,
        rms_prop_eps: float = 1e-5,
        use_rms_prop: bool = True,
        normalize_advantage: bool = False,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        policy_kwargs = dict(policy_kwargs or {})
        if use_rms_prop and "optimizer_class" not in policy_kwargs:
            policy_kwargs["optimizer_class"] = torch.optim.RMSprop
            policy_kwargs["optimizer_kwargs"] = {"alpha": 0.99, "eps": rms_prop_eps}
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
        self.rms_prop_eps = rms_prop_eps
        self.use_rms_prop = use_rms_prop
        self.normalize_advantage = normalize_advantage
        if _init_setup_model:
            self._setup_model()

    def train(self) -> None:
        """Takes one gradient step on the whole rollout."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        batch = next(self.rollout_buffer.batches())
        now = self._evaluate(batch)
        advantages = batch.advantages
        if self.normalize_advantage:
            advantages = normalized(advantages)
        policy_loss = -(advantages * now.log_probs).mean()
        value_loss = torch.nn.functional.mse_loss(now.values, batch.returns)
        entropy_loss = -now.entropy.mean()
        self._optimize(self._total_loss(policy_loss, value_loss, entropy_loss))
        self._n_updates += 1
        self._log_losses(policy_loss, value_loss, entropy_loss)
        self._log_rollout_fit()
