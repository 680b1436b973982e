"""PPO with an LSTM in CleanRL's style, one file of plain PyTorch, as an agent of the benchmark.

    memory-envs benchmark quick --agent benchmarks.recipes.cleanrl:ppo_lstm

After cleanrl/ppo_atari_lstm.py. What makes a script an agent: its environments come from
``trial.make_vec``, its budget is ``trial.timesteps``, and it returns its network as a policy.
"""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from torch import Tensor, nn
from torch.distributions import Categorical

from agents.benchmark.trial import Trial
from benchmarks.recipes.common import flatten
from memory_envs.scoring.policy import Turn

ENVS, STEPS, EPOCHS, MINIBATCHES = 16, 128, 4, 4
LEARNING_RATE, GAMMA, GAE_LAMBDA = 1e-3, 0.99, 0.95
CLIP, ENTROPY, VALUE, MAX_NORM = 0.2, 0.01, 0.5, 0.5
HIDDEN = 128
State = tuple[Tensor, Tensor]


class Agent(nn.Module):
    """An LSTM with two heads."""

    def __init__(self, inputs: int, actions: int) -> None:
        super().__init__()
        self.lstm = nn.LSTMCell(inputs, HIDDEN)
        self.actor, self.critic = nn.Linear(HIDDEN, actions), nn.Linear(HIDDEN, 1)
        nn.init.orthogonal_(self.actor.weight, 0.01)

    def step(self, seen: Tensor, starts: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Forgets where an episode starts, and reads one observation."""
        if state is not None:
            state = (state[0] * (1 - starts)[:, None], state[1] * (1 - starts)[:, None])
        hidden, cell = self.lstm(seen, state)
        return hidden, (hidden, cell)

    def unroll(self, seen: Tensor, starts: Tensor, state: State) -> tuple[Any, Tensor]:
        """Reads a rollout from the state at its begin."""
        outputs = []
        for t in range(seen.shape[0]):
            hidden, state = self.step(seen[t], starts[t], state)
            outputs.append(hidden)
        hidden = torch.stack(outputs)
        return Categorical(logits=self.actor(hidden)), self.critic(hidden)[..., 0]


def estimate(rewards: Tensor, values: Tensor, done: Tensor, after: Tensor) -> Tensor:
    """Returns generalised advantages ``(T, B)``; `after` is the value behind the last step.

    Where ``done[t]``, an episode starts at step t. As in CleanRL, a time limit counts as an end.
    """
    advantage, advantages = torch.zeros_like(after), torch.zeros_like(values)
    for t in reversed(range(values.shape[0])):
        going_on = 1 - done[t + 1]
        delta = rewards[t] + GAMMA * after * going_on - values[t]
        advantage = delta + GAMMA * GAE_LAMBDA * going_on * advantage
        advantages[t], after = advantage, values[t]
    return advantages


def loss_of(
    policy: Any, value: Tensor, chosen: Tensor, logprobs: Tensor, gain: Tensor, returns: Tensor
) -> Tensor:
    """Returns PPO's loss of a minibatch, of the policy and value that its steps have now."""
    ratio = (policy.log_prob(chosen) - logprobs).exp()
    gain = (gain - gain.mean()) / (gain.std() + 1e-8)
    clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
    loss: Tensor = -torch.min(gain * ratio, gain * clipped).mean()
    loss += VALUE * 0.5 * ((value - returns) ** 2).mean()
    loss -= ENTROPY * policy.entropy().mean()
    return loss


def ppo_lstm(trial: Trial) -> Any:
    """Learns for `trial.timesteps` steps, and returns the most probable actions."""
    torch.manual_seed(trial.seed)
    flatten(trial)
    envs = trial.make_vec(ENVS, autoreset_mode=AutoresetMode.SAME_STEP)
    space, actions = envs.single_observation_space, envs.single_action_space
    assert isinstance(space, spaces.Box)
    assert isinstance(actions, spaces.Discrete)
    agent = Agent(space.shape[0], int(actions.n))
    optimizer = torch.optim.Adam(agent.parameters(), lr=LEARNING_RATE, eps=1e-5)
    updates = max(trial.timesteps // (ENVS * STEPS), 1)

    seen = torch.zeros(STEPS, ENVS, space.shape[0])
    done = torch.zeros(STEPS + 1, ENVS)
    chosen = torch.zeros(STEPS, ENVS, dtype=torch.long)
    logprobs, rewards, values = (torch.zeros(STEPS, ENVS) for _ in range(3))
    state: State = (torch.zeros(ENVS, HIDDEN), torch.zeros(ENVS, HIDDEN))
    following = torch.as_tensor(envs.reset(seed=trial.env_seed)[0])
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - update / updates)
        first, done[0] = state, done[STEPS] if update else 0.0
        with torch.no_grad():
            for t in range(STEPS):
                seen[t] = following
                hidden, state = agent.step(seen[t], done[t], state)
                policy: Any = Categorical(logits=agent.actor(hidden))
                chosen[t], values[t] = policy.sample(), agent.critic(hidden)[:, 0]
                logprobs[t] = policy.log_prob(chosen[t])
                shown, reward, terminated, truncated, _ = envs.step(chosen[t].numpy())
                following, rewards[t] = torch.as_tensor(shown), torch.as_tensor(reward)
                done[t + 1] = torch.as_tensor(terminated | truncated)
            hidden, _ = agent.step(following, done[STEPS], state)
            advantages = estimate(rewards, values, done, agent.critic(hidden)[:, 0])
            returns = advantages + values
        for _ in range(EPOCHS):
            # Minibatches are of whole columns, each unrolled from its first state.
            for rows in torch.randperm(ENVS).chunk(MINIBATCHES):
                start = (first[0][rows], first[1][rows])
                policy, value = agent.unroll(seen[:, rows], done[:-1, rows], start)
                steps = (x[:, rows] for x in (chosen, logprobs, advantages, returns))
                loss: Any = loss_of(policy, value, *steps)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), MAX_NORM)
                optimizer.step()
        if (update + 1) % max(updates // 5, 1) == 0:
            trial.report(best_actions(agent))
    envs.close()
    return best_actions(agent)


def best_actions(agent: Agent) -> Any:
    """Returns the network as a policy; see docs/how-to/score-your-agent.md."""

    @torch.no_grad()
    def policy(turn: Turn, state: State | None) -> tuple[Any, State]:
        starts = torch.as_tensor(turn.starts, dtype=torch.float32)
        hidden, state = agent.step(torch.as_tensor(turn.observations), starts, state)
        return np.asarray(agent.actor(hidden).argmax(dim=1)), state

    return policy
