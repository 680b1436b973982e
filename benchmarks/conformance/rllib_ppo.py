"""The adapter of RLlib's PPO with an LSTM, of the new API.

Each row is an `EnvRunner` of its own with one environment, as is RLlib's default; they and the
learner are in this process. RLlib keeps no values in a rollout: its learner's connectors compute
them, and advantages of them, when a batch is made, and that is what is compared, before advantages
are standardised. RLlib's modules take no starts: connectors put a new state in. A `step` here does
likewise, so that `state reset` says nothing of RLlib; `rollout memory` and `ratio` do.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.learner.learner import ENTROPY_KEY
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.core.rl_module.rl_module import RLModule
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner
from ray.rllib.utils.debug import update_global_seed_if_necessary

from agents.evaluation.conformance import Adapter, Judged, Rollout, Step
from agents.evaluation.conformance.adapter import MakeEnv
from agents.evaluation.conformance.probe import STEPS
from memory_envs.scoring.makers import from_rllib

MODULE = "default_policy"
EPOCHS = 4


class RLlibMaker:
    """Makes adapters of new agents.

    Args:
        max_seq_len: Length of the sequences that a learner cuts episodes into.
    """

    name = "RLlib"

    def __init__(self, max_seq_len: int = 20) -> None:
        self.max_seq_len = max_seq_len

    def __call__(self, make_env: MakeEnv, rows: int, seed: int) -> Adapter:
        """Makes a new agent and its adapter."""
        envs = [make_env() for _ in range(rows)]
        model = DefaultModelConfig(
            use_lstm=True, lstm_cell_size=32, fcnet_hiddens=[32], max_seq_len=self.max_seq_len
        )
        config = (
            PPOConfig()
            .environment(lambda context: envs[context.worker_index - 1])
            .env_runners(
                num_env_runners=rows, rollout_fragment_length=STEPS, num_envs_per_env_runner=1
            )
            .rl_module(model_config=model)
            .training(lr=3e-3, train_batch_size=STEPS * rows, minibatch_size=None)
            .debugging(seed=seed)
        )
        update_global_seed_if_necessary("torch", seed)
        learner = config.build_learner(env=envs[0])
        runners = [SingleAgentEnvRunner(config=config, worker_index=row + 1) for row in range(rows)]
        for runner in runners:
            runner.module.set_state(learner.module[MODULE].get_state())
        return _adapter(learner.module[MODULE], learner, runners)


def _adapter(module: Any, learner: Any, runners: list[Any]) -> Adapter:
    def batch_of(episodes: list[Any]) -> Any:
        # It makes episodes longer by a step.
        data = TrainingData(episodes=deepcopy(episodes))
        return learner._make_batch_if_necessary(data)[MODULE]

    def by_row(x: Any, batch: Any) -> Any:
        # Without padding and that step, the episodes of the rows stand one after the other.
        return x[batch["loss_mask"]].reshape(len(runners), STEPS, *x.shape[2:]).swapaxes(0, 1)

    def step(observations: Any, state: Any, starts: Any, masks: Any) -> Step:
        begins = torch.as_tensor(np.array(starts))[:, None, None]
        zeros = {
            name: torch.as_tensor(part).expand(begins.shape[0], *part.shape)
            for name, part in module.get_initial_state().items()
        }
        before = {
            name: torch.where(begins, part, (state or zeros)[name]) for name, part in zeros.items()
        }
        batch = {"obs": torch.as_tensor(np.array(observations))[:, None], "state_in": before}
        out = module.forward_train(batch)
        values = module.compute_values(batch, out["embeddings"])
        return Step(out["action_dist_inputs"][:, 0].log_softmax(-1), values[:, 0], out["state_out"])

    def rollout() -> Rollout:
        episodes = [episode for runner in runners for episode in runner.sample()]
        batch = batch_of(episodes)
        with torch.no_grad():
            values = module.compute_values(batch)
        starts = np.concatenate(
            [np.arange(len(episode)) + episode.t_started == 0 for episode in episodes]
        )
        parts = [batch[name] for name in ("obs", "actions", "action_logp", "value_targets")]
        shown, actions, log_probs, targets, value = (
            by_row(part, batch).numpy() for part in (*parts, values)
        )
        return Rollout(
            shown,
            actions,
            starts.reshape(len(runners), STEPS).T,
            log_probs,
            value,
            targets - value,
            learner.config.gamma,
            learner.config.lambda_,
            inner=batch,
        )

    def evaluate(rollout: Rollout) -> Judged:
        batch = rollout.inner
        out = module.forward_train(batch)
        chances = module.get_train_action_dist_cls().from_logits(out["action_dist_inputs"])
        values = module.compute_values(batch, out["embeddings"])
        return Judged(by_row(chances.logp(batch["actions"]), batch), by_row(values, batch))

    def entropy(rollout: Rollout) -> float:
        batch = rollout.inner
        learner.compute_loss_for_module(
            module_id=MODULE,
            config=learner.config,
            batch=batch,
            fwd_out=module.forward_train(batch),
        )
        return float(learner.metrics.peek((MODULE, ENTROPY_KEY)))

    def train(steps: int) -> None:
        for _ in range(-(-steps // (STEPS * len(runners)))):
            episodes = [episode for runner in runners for episode in runner.sample()]
            learner.update(episodes=episodes, timesteps={}, num_epochs=EPOCHS)
            for runner in runners:
                runner.module.set_state(module.get_state())

    def reload(folder: Path) -> Adapter:
        module.save_to_path(folder / "module")
        return _adapter(RLModule.from_checkpoint(folder / "module"), None, [])

    return Adapter(
        step=step,
        rollout=rollout,
        evaluate=evaluate,
        policy=from_rllib(module),
        reload=reload,
        train=train,
        entropy=entropy,
    )
