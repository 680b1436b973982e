"""The hybrid objective (Zaremba & Sutskever 2015, section 2 and Appendix A).

The objective is the expected log-probability of the desired symbols, over the moves. Its gradient
has two parts: backpropagation through the log-probabilities, and REINFORCE with the same
log-probabilities as rewards.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from agents.algorithms.rl_ntm.controller import Scores
from agents.networks.distributions import Categorical

REWARDS = ("log_prob", "prefix_prob")


class Played(NamedTuple):
    """B episodes of at most T steps, as they were played.

    Attributes:
        moves: Moves that were made, ``(T, B, moves)``.
        masks: Choices that were allowed, ``(T, B, sum(move_sizes))`` bool.
        running: Whether the episode was under way, ``(T, B)`` bool.
        source: Input tapes, ``(B, S)``.
        target: Desired outputs, ``(B, G)``.
        target_size: How many symbols of `target` count, ``(B,)``.
        limits: Time limit of each episode, ``(B,)``.
    """

    moves: Tensor
    masks: Tensor
    running: Tensor
    source: Tensor
    target: Tensor
    target_size: Tensor
    limits: Tensor

    def row(self, row: int) -> Played:
        """Returns one of the episodes; it still has T steps."""
        one = slice(row, row + 1)
        steps = (part[:, one] for part in (self.moves, self.masks, self.running))
        tapes = (self.source, self.target, self.target_size, self.limits)
        return Played(*steps, *(part[one] for part in tapes))

    @property
    def emits(self) -> Tensor:
        """Whether a step emitted a symbol, ``(T, B)``."""
        return (self.moves[..., -1] == 1) & self.running

    def emitted(self) -> Tensor:
        """Returns the number of symbols emitted before each step, ``(T, B)``."""
        emits = self.emits.long()
        return emits.cumsum(0) - emits

    def remaining(self) -> Tensor:
        """Returns how many symbols and steps remain before each step, ``(T, B, 2)`` float."""
        steps = torch.arange(len(self.moves), device=self.moves.device).unsqueeze(1)
        left = torch.stack([self.target_size - self.emitted(), self.limits - steps], dim=2)
        return left.clamp_min(0).float()


def desired_log_probs(scores: Scores, played: Played) -> Tensor:
    """Returns the log-probability of the desired symbol, 0 where none was emitted; ``(T, B)``."""
    place = played.emitted().clamp_max(played.target.shape[1] - 1)
    # Beyond the target lie blanks, which no emission asks for and no score belongs to.
    desired = played.target.t().gather(0, place).clamp_max(scores.symbols.shape[2] - 1)
    log_probs = scores.symbols.log_softmax(dim=-1)
    return log_probs.gather(2, desired.unsqueeze(2)).squeeze(2) * played.emits


def rewards(log_probs: Tensor, played: Played, kind: str) -> Tensor:
    """Returns what REINFORCE is paid at each step, ``(T, B)``, without gradient.

    Args:
        log_probs: Log-probabilities of the desired symbols, ``(T, B)``, 0 where none was emitted.
        played: The episodes.
        kind: Either "log_prob", the paper's; or "prefix_prob", the probability that this symbol
            and all before it come out right. The second is what an environment with
            ``on_error="terminate"`` pays on average if symbols are sampled: a mistake costs
            everything after it.
    """
    if kind == "log_prob":
        return log_probs.detach()
    return log_probs.detach().cumsum(0).exp() * played.emits


def rewards_to_go(rewards: Tensor, gamma: float, causality: bool) -> Tensor:
    """Returns the discounted rewards from each step on, or from the first; ``(T, B)``."""
    returns = rewards.clone()
    for t in range(len(rewards) - 2, -1, -1):
        returns[t] += gamma * returns[t + 1]
    return returns if causality else returns[:1].expand_as(returns)


def reinforce_loss(distribution: Categorical, played: Played, advantages: Tensor) -> Tensor:
    """Returns minus the REINFORCE part of the objective: its gradient counts, not its value.

    A forced emission has but one allowed choice, so its log-probability is 0 and has no gradient.

    Args:
        distribution: Distribution of the moves, with the masks applied.
        played: The episodes.
        advantages: Rewards-to-go less a baseline, ``(T, B)``, without gradient.
    """
    log_probs = distribution.log_prob(played.moves) * played.running
    return -(log_probs * advantages).sum()
