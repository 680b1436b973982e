"""The adapter of a recurrent PPO of TorchRL's parts, put together as its documentation does.

An `LSTMModule` before both heads; environments with an `InitTracker` and the module's primer; a
`Collector`; `GAE`, which runs the critic over the rollout; `ClipPPOLoss`. The collector keeps no
values: those of a rollout are the ones that `GAE` works with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict
from tensordict.nn import TensorDictModule
from torch import nn
from torch.distributions import Categorical
from torchrl.collectors import Collector
from torchrl.envs import Compose, GymWrapper, InitTracker, SerialEnv, TransformedEnv
from torchrl.modules import (
    ActorValueOperator,
    LSTMModule,
    ProbabilisticActor,
    ValueOperator,
    set_recurrent_mode,
)
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from agents.evaluation.conformance import Adapter, Judged, Rollout, Step
from agents.evaluation.conformance.adapter import MakeEnv
from agents.evaluation.conformance.probe import STEPS
from memory_envs.scoring.makers import from_torchrl

HIDDEN = 32
GAMMA, LAMBDA = 0.99, 0.95
EPOCHS = 4


class TorchRLMaker:
    """Makes adapters of new agents.

    Args:
        shifted: Whether `GAE` finds the values of a step and of the next in one call; else it calls
            the critic once for each.
    """

    name = "TorchRL"

    def __init__(self, shifted: bool = False) -> None:
        self.shifted = shifted

    def __call__(self, make_env: MakeEnv, rows: int, seed: int) -> Adapter:
        """Makes a new agent and its adapter."""
        torch.manual_seed(seed)
        envs = [GymWrapper(make_env(), categorical_action_encoding=True) for _ in range(rows)]
        size = envs[0].observation_spec["observation"].shape[-1]
        return _adapter(Agent(size, envs[0].action_spec.n, self.shifted), envs)


class Agent:
    """Networks, loss and optimiser."""

    def __init__(self, size: int, choices: int, shifted: bool) -> None:
        self.made_of = size, choices, shifted
        memory = LSTMModule(size, HIDDEN, in_key="observation", out_key="memory")
        logits = TensorDictModule(nn.Linear(HIDDEN, choices), ["memory"], ["logits"])
        actor = ProbabilisticActor(
            logits, in_keys=["logits"], distribution_class=Categorical, return_log_prob=True
        )
        critic = ValueOperator(nn.Linear(HIDDEN, 1), in_keys=["memory"])
        self.memory = memory
        self.model = ActorValueOperator(memory, actor, critic)
        self.actor = self.model.get_policy_operator()
        self.critic = self.model.get_value_operator()
        self.gae = GAE(
            gamma=GAMMA,
            lmbda=LAMBDA,
            value_network=self.critic,
            deactivate_vmap=True,
            shifted=shifted,
            shifted_budget=STEPS,
        )
        # Not functional, so that loss and model have the same parameters.
        self.loss = ClipPPOLoss(self.actor, self.critic, functional=False)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 3e-3)


def _adapter(agent: Agent, envs: list[Any]) -> Adapter:
    collected: list[Any] = []

    def collect(envs: list[Any]) -> None:
        env = SerialEnv(len(envs), [lambda env=env: env for env in envs])
        transforms = Compose(InitTracker(), agent.memory.make_tensordict_primer())
        env = TransformedEnv(env, transforms)
        collector = Collector(env, agent.actor, frames_per_batch=STEPS * len(envs), total_frames=-1)
        collected[:] = [iter(collector)]

    def step(observations: Any, state: Any, starts: Any, masks: Any) -> Step:
        begins = torch.as_tensor(np.array(starts))
        given = {"observation": torch.as_tensor(np.array(observations)), "is_init": begins[:, None]}
        data = TensorDict({**given, **(state or {})}, [len(begins)])
        agent.model(data)
        log_probs = data["logits"].log_softmax(-1)
        return Step(log_probs, data["state_value"][:, 0], dict(data["next"].items()))

    def next_rollout() -> Any:
        data = next(collected[0]).clone()
        with torch.no_grad(), set_recurrent_mode(True):
            return agent.gae(data)

    def rollout() -> Rollout:
        data = next_rollout()
        parts = ("observation", "action", "is_init", "action_log_prob", "state_value", "advantage")
        shown, actions, starts, log_probs, values, advantages = (
            data[part].swapaxes(0, 1).numpy() for part in parts
        )
        columns = (starts[..., 0], log_probs, values[..., 0], advantages[..., 0])
        return Rollout(shown, actions, *columns, GAMMA, LAMBDA, inner=data)

    def evaluate(rollout: Rollout) -> Judged:
        data = rollout.inner.clone()
        with set_recurrent_mode(True):  # as the loss's own `forward` does
            log_weight, *_ = agent.loss._log_weight(data, data.shape)
            values = agent.loss.critic_network(data.clone())["state_value"]
        log_probs = log_weight[..., 0] + data["action_log_prob"]
        return Judged(log_probs.T, values[..., 0].T)

    def entropy(rollout: Rollout) -> float:
        return float(agent.loss(rollout.inner.clone())["entropy"].detach())

    def train(steps: int) -> None:
        for _ in range(-(-steps // (STEPS * len(envs)))):
            data = next_rollout()
            for _ in range(EPOCHS):
                losses = agent.loss(data.clone())
                agent.optimizer.zero_grad()
                sum(loss for name, loss in losses.items() if name.startswith("loss_")).backward()
                agent.optimizer.step()

    def reload(folder: Path) -> Adapter:
        torch.save(agent.model.state_dict(), folder / "model.pt")
        other = Agent(*agent.made_of)
        other.model.load_state_dict(torch.load(folder / "model.pt"))
        return _adapter(other, [])

    def change_env(make_env: MakeEnv) -> None:
        collect([GymWrapper(make_env(), categorical_action_encoding=True) for _ in envs])

    if envs:
        collect(envs)
    return Adapter(
        step=step,
        rollout=rollout,
        evaluate=evaluate,
        policy=from_torchrl(agent.actor),
        reload=reload,
        train=train,
        change_env=change_env,
        entropy=entropy,
    )
