"""The adapter of sb3-contrib's RecurrentPPO, for actions of a `Discrete` space."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.evaluation.conformance.adapter import Adapter, Judged, MakeEnv, Rollout, Step
from agents.evaluation.conformance.probe import STEPS
from memory_envs.scoring.makers import from_predict

_SETTINGS = (
    "learning_rate",
    "batch_size",
    "n_epochs",
    "gamma",
    "gae_lambda",
    "clip_range",
    "clip_range_vf",
    "target_kl",
    "normalize_advantage",
    "ent_coef",
    "vf_coef",
    "max_grad_norm",
    "policy_kwargs",
)


class RecurrentPPOMaker:
    """Makes adapters of new models of a model's class and settings; rollouts are short.

    Args:
        model: The model.
    """

    def __init__(self, model: Any) -> None:
        self.kind = type(model)
        self.policy = model.policy_class
        self.name = self.kind.__name__
        self.settings = {name: getattr(model, name) for name in _SETTINGS}

    def __call__(self, make_env: MakeEnv, rows: int, seed: int) -> Adapter:
        """Makes a new model and its adapter."""
        env = DummyVecEnv([make_env] * rows)
        settings = {**self.settings, "policy_kwargs": dict(self.settings["policy_kwargs"])}
        model = self.kind(self.policy, env, n_steps=STEPS, seed=seed, device="cpu", **settings)
        return adapter_of(model)


def adapter_of(model: Any) -> Adapter:
    """Returns the adapter of a model that has environments."""

    def new_state(rows: int) -> Any:
        lstm = model.policy.lstm_actor
        zeros = torch.zeros(lstm.num_layers, rows, lstm.hidden_size)
        return type(model._last_lstm_states)((zeros, zeros), (zeros, zeros))

    def step(observations: Any, state: Any, starts: Any, masks: Any) -> Step:
        policy = model.policy
        seen = torch.as_tensor(np.array(observations))
        begins = torch.as_tensor(np.array(starts), dtype=torch.float32)
        before = new_state(len(starts)) if state is None else state
        distribution, _ = policy.get_distribution(seen, before.pi, begins)
        # Not sampled, so that to look at an agent does not draw from its generator.
        _, values, _, after = policy(seen, before, begins, deterministic=True)
        return Step(distribution.distribution.logits, values.flatten(), after)

    def rollout() -> Rollout:
        first = model._last_obs is None
        _, callback = model._setup_learn(1, reset_num_timesteps=first)
        buffer = model.rollout_buffer
        model.collect_rollouts(model.env, callback, buffer, model.n_steps)
        return Rollout(
            buffer.observations.copy(),
            buffer.actions[..., 0].astype(np.int64),
            buffer.episode_starts.astype(np.bool_),
            buffer.log_probs.copy(),
            buffer.values.copy(),
            buffer.advantages.copy(),
            buffer.gamma,
            buffer.gae_lambda,
        )

    def evaluate(rollout: Rollout) -> Judged:
        # The buffer turns its columns into one long row and begins anywhere in it; here it begins
        # at the beginning, so that no episode is cut.
        with patch("numpy.random.randint", return_value=0):
            batch = next(model.rollout_buffer.get(None))
        actions = batch.actions.long().flatten()
        values, log_probs, _ = model.policy.evaluate_actions(
            batch.observations, actions, batch.lstm_states, batch.episode_starts
        )
        real, (steps, rows) = batch.mask > 1e-8, rollout.actions.shape
        columns = (log_probs[real], values.flatten()[real])
        return Judged(*(column.reshape(rows, steps).T for column in columns))

    def entropy(rollout: Rollout) -> float:
        # A training step on the whole rollout, of no length, and what it logs.
        model.n_epochs, model.batch_size, model.lr_schedule = 1, None, lambda _: 0.0
        with patch("numpy.random.randint", return_value=0):
            model.train()
        return -float(model.logger.name_to_value["train/entropy_loss"])

    def reload(folder: Path) -> Adapter:
        model.save(folder / "model.zip")
        return adapter_of(type(model).load(folder / "model.zip", device="cpu"))

    def train(steps: int) -> None:
        model.learn(steps, reset_num_timesteps=False)

    def change_env(make_env: MakeEnv) -> None:
        model.set_env(DummyVecEnv([make_env] * model.n_envs))

    return Adapter(
        step=step,
        rollout=rollout,
        evaluate=evaluate,
        policy=from_predict(model),
        reload=reload,
        train=train,
        change_env=change_env,
        entropy=entropy,
    )
