"""The loss of RL-NTM: the hybrid objective, its baselines, and the entropy of the moves."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor

from agents.algorithms.rl_ntm.controller import Scores
from agents.algorithms.rl_ntm.objective import (
    Played,
    desired_log_probs,
    reinforce_loss,
    rewards,
    rewards_to_go,
)
from agents.algorithms.rl_ntm.policy import RLNTMPolicy
from agents.algorithms.rl_ntm.unroll import Seen


class Losses(NamedTuple):
    """The parts of the loss, each a sum over steps and a weighted sum over episodes."""

    symbols: Tensor
    moves: Tensor
    baseline: Tensor
    entropy: Tensor


class Learner(Protocol):
    """What the loss depends on beside the episodes; `agents.RLNTM` says what the settings mean."""

    policy: RLNTMPolicy
    reward: str
    gamma: float
    causality: bool
    online_baseline: bool
    offline_baseline: bool
    normalize_advantage: bool


def compute_losses(
    learner: Learner, played: Played, scores: Scores, seen: Seen, weights: Tensor
) -> Losses:
    """The parts of the loss, with gradients.

    Args:
        learner: its running means per time step take in the episodes.
        played: the episodes.
        scores: the controller's, of all steps.
        seen: what the controller saw.
        weights: of the episodes, ``(B,)``; 1 / B each for a mean.
    """
    policy, running = learner.policy, played.running
    log_probs = desired_log_probs(scores, played)
    step_rewards = rewards(log_probs, played, learner.reward)
    advantages = rewards_to_go(step_rewards, learner.gamma, learner.causality)
    if learner.online_baseline:
        known = policy.time_baseline(advantages, running.to(advantages.dtype))
        advantages = advantages - known
    baseline_loss = advantages.new_zeros(())
    if learner.offline_baseline:
        predicted = policy.baseline(played.source, seen, played.remaining(), running)
        errors = (advantages - predicted).square() * running
        baseline_loss = (errors.sum(dim=0) * weights).sum()
        advantages = advantages - predicted.detach()
    if learner.normalize_advantage:
        advantages = advantages / (advantages[running].std() + 1e-8)
    distribution = policy.moves(scores, played.masks)
    entropy = distribution.entropy() * running
    return Losses(
        symbols=-(log_probs.sum(dim=0) * weights).sum(),
        moves=reinforce_loss(distribution, played, advantages, weights),
        baseline=baseline_loss,
        entropy=-(entropy.sum(dim=0) * weights).sum(),
    )
