"""The adapter of this project's on-policy algorithms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import Tensor

from agents.algorithms.on_policy import MemoryOnPolicyAlgorithm
from agents.environments.vec_env import GymnasiumVecEnv
from agents.evaluation.conformance.adapter import Adapter, Judged, MakeEnv, Rollout, Step
from agents.evaluation.conformance.probe import STEPS
from agents.networks.distributions import Categorical
from agents.networks.inputs import read_masks
from agents.saving.model_file import setting_names
from memory_envs.scoring.makers import from_predict


class OnPolicyMaker:
    """Makes adapters of new models of a model's class and settings.

    Rollouts are short, and minibatches those of the algorithm's own choice.

    Args:
        model: The model.
    """

    def __init__(self, model: MemoryOnPolicyAlgorithm) -> None:
        self.kind = type(model)
        self.policy = model.policy_class
        self.name = self.kind.__name__
        settings = {name: getattr(model, name) for name in setting_names(self.kind)}
        self.settings = {**settings, "verbose": 0, "device": "cpu"}
        if "n_steps" in settings:
            self.settings["n_steps"] = -(-STEPS // (model.bptt or STEPS)) * (model.bptt or STEPS)
        if "batch_size" in settings:
            self.settings["batch_size"] = None

    def __call__(self, make_env: MakeEnv, rows: int, seed: int) -> Adapter:
        """Makes a new model and its adapter."""
        env = _vector_env(make_env, rows)
        return adapter_of(self.kind(self.policy, env, **{**self.settings, "seed": seed}))


def _vector_env(make_env: MakeEnv, rows: int) -> GymnasiumVecEnv:
    return GymnasiumVecEnv(SyncVectorEnv([make_env] * rows, autoreset_mode=AutoresetMode.SAME_STEP))


def adapter_of(model: MemoryOnPolicyAlgorithm) -> Adapter:
    """Returns the adapter of a model that has environments."""

    def step(observations: Any, state: Any, starts: Any, masks: Any) -> Step:
        policy, rows = model.policy, len(starts)
        seen = torch.as_tensor(np.array(observations))
        before = policy.initial_state(rows) if state is None else state
        features, judged, after = policy.features(seen, before, torch.as_tensor(np.array(starts)))
        allowed = read_masks(policy.action_head, masks, rows, model.device)
        distribution = policy.action_head(policy.actor(features), allowed)
        assert isinstance(distribution, Categorical)
        choices = policy.action_head.input_size
        return Step(distribution.log_probs[:, 0, :choices], policy.critic(judged), after)

    def rollout() -> Rollout:
        # As `learn` does at first and goes on.
        _, callback = model._setup_learn(1, reset_num_timesteps=model._last_obs is None)
        assert model.env is not None
        model.collect_rollouts(model.env, callback)
        buffer = model.rollout_buffer
        data = buffer.data
        assert isinstance(data.observations, Tensor)
        return Rollout(
            data.observations.numpy(),
            data.actions.numpy(),
            data.episode_starts.numpy(),
            data.log_probs.numpy(),
            data.values.numpy(),
            None if model.whole_episodes else buffer.advantages.numpy(),
            buffer.gamma,
            buffer.gae_lambda,
            buffer.bptt,
            None if data.masks is None else data.masks.numpy(),
        )

    def evaluate(rollout: Rollout) -> Judged:
        batch = model.rollout_batch()
        now = model.evaluate_batch(getattr(batch, "steps", batch))
        rows = rollout.actions.shape[1]
        return Judged(_uncut(now.log_probs, rows), _uncut(now.values, rows))

    def entropy(rollout: Rollout) -> float:
        return -float(model.losses(model.rollout_batch())["entropy"].detach())

    def reload(folder: Path) -> Adapter:
        model.save(folder / "model.zip")
        return adapter_of(type(model).load(folder / "model.zip", device="cpu"))

    def train(steps: int) -> None:
        model.learn(steps, reset_num_timesteps=False)

    def change_env(make_env: MakeEnv) -> None:
        assert model.env is not None
        model.set_env(_vector_env(make_env, model.env.num_envs))

    return Adapter(
        step=step,
        rollout=rollout,
        evaluate=evaluate,
        policy=from_predict(model),
        reload=reload,
        train=train,
        change_env=change_env,
        # Of whole episodes, losses are sums over steps, not means.
        entropy=None if model.whole_episodes else entropy,
        takes_masks=True,
    )


def _uncut(x: Tensor, rows: int) -> Tensor:
    """Arranges ``(bptt, chunks * B)`` as ``(T, B)``; see `MemoryRolloutBuffer.cut`."""
    return x.reshape(len(x), -1, rows).transpose(0, 1).flatten(0, 1)
