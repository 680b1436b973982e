"""Tianshou's DQN with an LSTM over the last observations, as an agent of the benchmark.

    memory-envs benchmark quick --agent benchmarks.recipes.tianshou:recurrent_dqn

Tianshou's on-policy algorithms train no recurrent network; its Q-learning does, on stacks of
observations.
"""

from typing import Any

import numpy as np
import torch
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.utils.net.common import Recurrent
from tianshou.utils.torch_utils import policy_within_training_step

from agents.benchmark.trial import Trial
from benchmarks.recipes.common import flatten
from memory_envs.scoring.makers import from_tianshou

ENVS, STEPS, STACK, BATCH = 8, 64, 16, 128


def recurrent_dqn(trial: Trial) -> Any:
    """Learns for `trial.timesteps` steps, and returns the most probable actions."""
    torch.manual_seed(trial.seed)
    np.random.seed(trial.seed)  # noqa: NPY002 - Tianshou's buffers draw from it
    flatten(trial)
    spaces = trial.make()
    inputs, actions = spaces.observation_space.shape[0], int(spaces.action_space.n)  # type: ignore[attr-defined, index]
    net = Recurrent(layer_num=1, state_shape=(inputs,), action_shape=actions, hidden_layer_size=128)
    policy = DiscreteQLearningPolicy(
        model=net,
        action_space=spaces.action_space,
        observation_space=spaces.observation_space,
        eps_training=0.1,
    )
    algorithm = DQN(
        policy=policy,
        optim=AdamOptimizerFactory(lr=1e-3),
        gamma=0.99,
        n_step_return_horizon=3,
        target_update_freq=200,
    )
    envs = DummyVectorEnv([trial.make for _ in range(ENVS)])
    buffer = VectorReplayBuffer(50_000, ENVS, stack_num=STACK)
    collector = Collector(algorithm, envs, buffer, exploration_noise=True)
    envs.seed([trial.env_seed + row for row in range(ENVS)])
    collector.reset()
    rounds = max(trial.timesteps // (ENVS * STEPS), 1)
    for number in range(rounds):
        with policy_within_training_step(policy):
            collector.collect(n_step=ENVS * STEPS)
            for _ in range(ENVS * STEPS // 10):
                algorithm.update(sample_size=BATCH, buffer=buffer)
        if (number + 1) % max(rounds // 5, 1) == 0:
            trial.report(from_tianshou(policy))
    return from_tianshou(policy)
