"""RLlib's PPO with an LSTM, as an agent of the benchmark.

    memory-envs benchmark quick --agent benchmarks.recipes.rllib:ppo_lstm

Its environments run in this process, where the trial counts their steps. With runners in others,
add their steps to `trial.steps`.
"""

from typing import Any

import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.tune.registry import register_env

from agents.benchmark.trial import Trial
from benchmarks.recipes.common import Seeded, flatten
from memory_envs.scoring.makers import from_rllib

BATCH = 2_048


def ppo_lstm(trial: Trial) -> Any:
    """Learns for `trial.timesteps` steps, and returns the most probable actions."""
    flatten(trial)
    ray.init(num_cpus=1, include_dashboard=False, ignore_reinit_error=True)
    # RLlib seeds NumPy and the environments alike, and NumPy takes no seed as large as a trial's.
    register_env("trial", lambda config: Seeded(trial.make(), trial.env_seed))
    config = (
        PPOConfig()
        .environment("trial")
        .env_runners(num_env_runners=0, num_envs_per_env_runner=1)
        .training(train_batch_size=BATCH, minibatch_size=256, num_epochs=4, lr=1e-3)
        .rl_module(
            model_config=DefaultModelConfig(use_lstm=True, lstm_cell_size=128, max_seq_len=20)
        )
        .debugging(seed=trial.seed)
    )
    algorithm = config.build_algo()
    updates = max(trial.timesteps // BATCH, 1)
    for update in range(updates):
        algorithm.train()
        if (update + 1) % max(updates // 5, 1) == 0:
            trial.report(from_rllib(algorithm.get_module()))
    policy = from_rllib(algorithm.get_module())
    algorithm.stop()
    return policy
