"""What `Reinforce`, `MemoryA2C` and the first step of `MemoryPPO` should do, written out plainly.

Nothing here is taken from the algorithms: no buffer, no unroll, no distribution, no losses. One
step after the other is played with gradients, and sums are written as the papers write them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.algorithms.reinforce import Reinforce
from agents.cells.state import detach_state, index_state
from agents.environments.vec_env import GymnasiumVecEnv
from agents.networks.policy import MemoryPolicy


class Rollout:
    """B rows, played step by step with gradients.

    Args:
        policy: The policy, with discrete actions.
        critic: Estimates the future that a time limit cuts off; never has a gradient.
        env: The environments; they are reset.
        choose: Takes logits ``(B, sum(sizes))`` and masks of that shape or None, and returns the
            actions ``(B, ...)``.
        bootstraps: Factor of that estimate in the reward of the last step; 0 where a time limit
            is an end.

    Attributes:
        log_probs: Log-probabilities of the actions of each step so far, T tensors ``(B,)``.
        entropies: Entropies of the distributions they were chosen from, likewise.
        values: Values, likewise.
        rewards: Rewards, likewise, with the estimates at time limits.
        dones: Whether the step ended an episode, likewise.
    """

    def __init__(
        self,
        policy: MemoryPolicy,
        critic: MemoryPolicy,
        env: GymnasiumVecEnv,
        choose: Callable[[Tensor, Tensor | None], Tensor],
        bootstraps: float,
    ) -> None:
        self._policy, self._critic, self._env = policy, critic, env
        self._choose, self._bootstraps = choose, bootstraps
        self._masked = env.has_attr("action_masks")
        self._obs = _tensors(env.reset())
        self._state, self._critic_state = (p.initial_state(env.num_envs) for p in (policy, critic))
        self._starts = torch.ones(env.num_envs, dtype=torch.bool)
        self.log_probs: list[Tensor] = []
        self.entropies: list[Tensor] = []
        self.values: list[Tensor] = []
        self.rewards: list[Tensor] = []
        self.dones: list[Tensor] = []

    def step(self) -> None:
        """Plays one step."""
        policy, head = self._policy, self._policy.action_head
        features, judged, self._state = policy.features(self._obs, self._state, self._starts)
        with torch.no_grad():
            *_, self._critic_state = self._critic.features(
                self._obs, self._critic_state, self._starts
            )
        logits = policy.actor(features)
        masks = torch.as_tensor(self._env.action_masks()) if self._masked else None
        actions = self._choose(logits, masks)
        if masks is not None:
            logits = logits.masked_fill(~masks, -torch.inf)
        log_prob, entropy = torch.zeros(2, len(actions), dtype=logits.dtype)
        columns = actions.view(len(actions), -1).unbind(1)
        for part, action in zip(logits.split(head.sizes, dim=1), columns, strict=True):
            every = part - part.logsumexp(dim=1, keepdim=True)
            log_prob = log_prob + every.gather(1, action[:, None]).squeeze(1)
            possible = every.exp() * every.masked_fill(part == -torch.inf, 0.0)
            entropy = entropy - possible.sum(dim=1)
        self.values.append(policy.critic(judged))
        self.log_probs.append(log_prob)
        self.entropies.append(entropy)
        obs, rewards, dones, infos = self._env.step(head.to_env(actions))
        self.rewards.append(self._paid(rewards, dones, infos))
        self.dones.append(torch.as_tensor(dones))
        self._obs, self._starts = _tensors(obs), torch.as_tensor(dones)

    @torch.no_grad()
    def _paid(self, rewards: Any, dones: Any, infos: Any) -> Tensor:
        """The rewards, with the estimates at time limits, ``(B,)``."""
        paid = torch.as_tensor(np.asarray(rewards, np.float64))
        for row in np.flatnonzero(dones) if self._bootstraps else ():
            if infos[row]["TimeLimit.truncated"]:
                one = slice(int(row), int(row) + 1)
                last = _tensors(_one_row(infos[row]["terminal_observation"]))
                state = index_state(self._critic_state, one)
                _, judged, _ = self._critic.features(last, state, torch.tensor([False]))
                paid[one] += self._bootstraps * self._critic.critic(judged)
        return paid

    def cut_gradients(self) -> None:
        """Lets no gradient flow from later steps into earlier ones."""
        self._state = detach_state(self._state)

    @property
    def value_scale(self) -> float:
        """The unit in which the critic learns values."""
        return float(self._policy.critic.scale)

    @torch.no_grad()
    def last_values(self) -> Tensor:
        """Returns the values of what is seen after the last step, ``(B,)``."""
        _, judged, _ = self._policy.features(self._obs, self._state, self._starts)
        values: Tensor = self._policy.critic(judged)
        return values


def hand_written_loss(model: Any, rollout: Rollout) -> Tensor:
    """Returns what a training step should descend on before the parameters have changed.

    Args:
        model: The algorithm, of which only settings are read.
        rollout: What it played.
    """
    log_probs, entropies = torch.stack(rollout.log_probs), torch.stack(rollout.entropies)
    values = torch.stack(rollout.values)
    if isinstance(model, Reinforce):
        returns = _discounted(model.gamma, torch.stack(rollout.rewards), rollout.dones)
        baseline = torch.zeros_like(returns)
        if model.baseline == "time":
            means = model.policy.get_buffer("time_baseline.means")
            baseline += means[: len(returns), None]
        if model.baseline == "value":
            baseline = values.detach()
        ended = torch.stack(rollout.dones).cumsum(dim=0)
        first = torch.cat([torch.zeros_like(ended[:1]), ended[:-1]]) == 0
        episodes = first.shape[1]
        policy_loss = -((returns - baseline) * log_probs)[first].sum() / episodes
        value_loss = (values - returns)[first].square().mean() * (model.baseline == "value")
        entropy_loss = -entropies[first].sum() / episodes
    else:
        following = torch.stack([*rollout.values[1:], rollout.last_values()]).detach()
        going_on = ~torch.stack(rollout.dones)
        errors = torch.stack(rollout.rewards) + model.gamma * following * going_on - values.detach()
        advantages = _discounted(model.gamma * model.gae_lambda, errors, rollout.dones)
        returns = advantages + values.detach()
        if model.normalize_advantage and advantages.numel() > 1:
            centred = advantages - advantages.mean()
            deviation = (centred.square().sum() / (advantages.numel() - 1)).sqrt()
            advantages = centred / (deviation + 1e-8)
        policy_loss = -(advantages * log_probs).mean()  # the gradient of PPO's ratio is the same
        value_loss = (values - returns).square().mean()
        entropy_loss = -entropies.mean()
    value_loss = value_loss / rollout.value_scale**2
    total: Tensor = policy_loss + model.vf_coef * value_loss + model.ent_coef(1.0) * entropy_loss
    return total


def _discounted(factor: float, rewards: Tensor, dones: list[Tensor]) -> Tensor:
    """Sums of rewards ``(T, B)`` from each step to the end of its episode."""
    sums = torch.zeros_like(rewards)
    for t in range(len(rewards)):
        going_on = torch.ones_like(dones[0])
        for later in range(t, len(rewards)):
            sums[t] += factor ** (later - t) * rewards[later] * going_on
            going_on = going_on & ~dones[later]
    return sums


def _tensors(obs: Any) -> Any:
    if isinstance(obs, dict):
        return {name: torch.as_tensor(value) for name, value in obs.items()}
    return torch.as_tensor(obs)


def _one_row(obs: Any) -> Any:
    if isinstance(obs, dict):
        return {name: np.asarray(value)[None] for name, value in obs.items()}
    return np.asarray(obs)[None]
