"""TorchRL's PPO with an LSTM, as an agent of the benchmark.

memory-envs benchmark quick --agent benchmarks.recipes.torchrl:ppo_lstm
"""

from typing import Any

import torch
from tensordict.nn import TensorDictModule, TensorDictSequential
from torch.distributions import Categorical
from torchrl.collectors import Collector
from torchrl.envs import GymWrapper, InitTracker, SerialEnv, TransformedEnv
from torchrl.modules import (
    MLP,
    LSTMModule,
    ProbabilisticActor,
    ValueOperator,
    set_recurrent_mode,
)
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from agents.benchmark.trial import Trial
from benchmarks.recipes.common import flatten
from memory_envs.scoring.makers import from_torchrl

ENVS, STEPS, EPOCHS, MINIBATCHES, HIDDEN = 16, 128, 4, 4, 128


def ppo_lstm(trial: Trial) -> Any:
    """Learns for `trial.timesteps` steps, and returns the most probable actions."""
    torch.manual_seed(trial.seed)
    flatten(trial)
    spaces = trial.make()
    inputs, actions = spaces.observation_space.shape[0], int(spaces.action_space.n)  # type: ignore[attr-defined, index]
    lstm = LSTMModule(inputs, HIDDEN, in_key="observation", out_key="memory")

    def make() -> Any:
        env = GymWrapper(trial.make(), categorical_action_encoding=True)
        tracked = TransformedEnv(env, InitTracker())
        tracked.append_transform(lstm.make_tensordict_primer())
        return tracked

    def head(size: int, key: str) -> Any:
        mlp = MLP(in_features=HIDDEN, out_features=size, num_cells=[])
        return TensorDictModule(mlp, in_keys=["memory"], out_keys=[key])

    body = TensorDictSequential(lstm, head(actions, "logits"))
    actor = ProbabilisticActor(
        body,
        in_keys=["logits"],
        distribution_class=Categorical,
        out_keys=["action"],
        return_log_prob=True,
    )
    mlp = MLP(in_features=HIDDEN, out_features=1, num_cells=[])
    critic = TensorDictSequential(lstm, ValueOperator(mlp, in_keys=["memory"]))
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=critic, deactivate_vmap=True)
    loss = ClipPPOLoss(actor, critic, clip_epsilon=0.2, entropy_coeff=0.01, critic_coeff=0.5)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)

    frames = ENVS * STEPS
    updates = max(trial.timesteps // frames, 1)
    rows = SerialEnv(ENVS, make)
    rows.set_seed(trial.env_seed)
    collector = Collector(rows, actor, frames_per_batch=frames, total_frames=updates * frames)
    for update, batch in enumerate(collector):  # of shape (rows, steps)
        for _ in range(EPOCHS):
            with set_recurrent_mode(True):
                with torch.no_grad():
                    advantage(batch)
                for part in torch.randperm(ENVS).chunk(MINIBATCHES):
                    losses = loss(batch[part])
                    total = sum(part for name, part in losses.items() if name.startswith("loss_"))
                    optimizer.zero_grad()
                    total.backward()
                    torch.nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
                    optimizer.step()
        if (update + 1) % max(updates // 5, 1) == 0:
            trial.report(from_torchrl(actor))
    collector.shutdown()
    return from_torchrl(actor)
