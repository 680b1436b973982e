"""Advantage actor-critic with memory (Mnih et al. 2016), synchronous as in SB3."""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor
from typing_extensions import Never

from agents.algorithms.buffer import Batch
from agents.algorithms.model import Env
from agents.algorithms.on_policy import MemoryOnPolicyAlgorithm, normalized
from agents.networks.policy import MemoryPolicy
from agents.networks.sb3_words import ALGORITHM_WORDS, refuse_unknown
from memory_envs.arguments import check_flag, check_number


class MemoryA2C(MemoryOnPolicyAlgorithm):
    """A2C: one gradient step on each whole rollout.

    Args:
        policy: ``"MemoryPolicy"`` or a subclass of it.
        env: An SB3 `VecEnv` (see `agents.make_vec_env`), a Gymnasium environment or vector
            environment, or an id.
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
        **unknown: Nothing; the error says what SB3's other words are called here.
    """

    def __init__(
        self,
        policy: str | type[MemoryPolicy],
        env: Env | str | None,
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
        **unknown: Never,
    ) -> None:
        refuse_unknown(MemoryA2C, unknown, ALGORITHM_WORDS)
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
        self.rms_prop_eps = check_number("rms_prop_eps", rms_prop_eps, 0.0, above=True)
        self.use_rms_prop = check_flag("use_rms_prop", use_rms_prop)
        self.normalize_advantage = check_flag("normalize_advantage", normalize_advantage)
        if _init_setup_model:
            self._setup_model()

    def _default_optimizer(self) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
        if self.use_rms_prop:
            return torch.optim.RMSprop, {"alpha": 0.99, "eps": self.rms_prop_eps}
        return super()._default_optimizer()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Returns the means of the losses over all steps of a batch; see `MemoryAlgorithm`."""
        now = self.evaluate_batch(batch)
        advantages = batch.advantages
        if self.normalize_advantage:
            advantages = normalized(advantages)
        return {
            "policy": -(advantages * now.log_probs).mean(),
            "value": torch.nn.functional.mse_loss(now.values, batch.returns),
            "entropy": -now.entropy.mean(),
            **{name: loss.mean() for name, loss in now.losses.items()},
        }
