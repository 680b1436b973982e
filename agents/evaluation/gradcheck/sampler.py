"""What stands in for chance: a sampler that hands out every sequence of actions once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from agents.algorithms.base import Drawable

# In a plan, and where nothing is left to choose because the episode is over.
OVER = -1


class EnumerationError(RuntimeError):
    """The sequences of actions cannot be enumerated, or were not; says why."""


class _Unfolded(Exception):  # noqa: N818  # not an error: the play is cut short on purpose
    """A step was reached that no plan says anything about yet.

    Args:
        plan: The plan with one more step, and a row for each choice that it offers.
    """

    def __init__(self, plan: Tensor) -> None:
        super().__init__()
        self.plan = plan


class PlannedActions:
    """In place of an algorithm's sampler: hands out the actions of a plan, step by step.

    Rows whose episode is over, where the algorithm goes on with them, take the most probable
    actions.

    Args:
        plan: See `Sampler`.
    """

    def __init__(self, plan: Tensor) -> None:
        self._steps = iter(plan)

    def __call__(self, distribution: Drawable) -> Tensor:
        """Returns the actions of the next step."""
        modes = distribution.mode()
        planned: Tensor | None = next(self._steps, None)
        if planned is None:
            return modes
        running = (planned != OVER).any(dim=1)
        if len(modes) < len(planned):  # the algorithm has left out those that are over
            return planned[running]
        actions: Tensor = torch.where(running[:, None], planned, modes.view(len(modes), -1))
        return actions.view_as(modes)


class Sampler:
    """Hands each row its own sequence, and accumulates the probability and the return of each.

    Probabilities are computed here from logits and masks alone. An algorithm has code of its own
    for them; a mistake in it shows as a difference.

    Args:
        plan: ``(T, rows, sub-actions)`` int64, `OVER` after the end of an episode.
        limit: Largest number of rows that the plan may grow to; None for a complete plan.

    Attributes:
        rows: B, the number of sequences.
        running: Whether a row's episode is under way, ``(B,)`` bool.
        log_probs: Log-probabilities of the sequences so far, ``(B,)``, with gradients if the
            logits have them.
        returns: Sums of the rewards so far, ``(B,)``.
    """

    def __init__(self, plan: Tensor, limit: int | None = None) -> None:
        self.plan, self.limit = plan, limit
        self.rows = plan.shape[1]
        self.running = torch.ones(self.rows, dtype=torch.bool)
        self.log_probs = torch.zeros(self.rows, dtype=torch.float64)
        self.returns = torch.zeros(self.rows, dtype=torch.float64)
        self._steps = 0

    def choose(
        self, logits: Tensor, sizes: Sequence[int] | None = None, masks: Tensor | None = None
    ) -> Tensor:
        """Returns the actions of one step, in place of a random draw.

        Args:
            logits: Logits of all choices, side by side, ``(B, sum(sizes))``; -inf forbids one.
            sizes: Number of choices of each sub-action; None for a single action.
            masks: ``(B, sum(sizes))`` bool, True where a choice is allowed.

        Returns:
            ``(B, len(sizes))`` int64, or ``(B,)`` without `sizes`. Rows whose episode is over get
            the first choices that are allowed.
        """
        parts = list(sizes) if sizes is not None else [logits.shape[1]]
        allowed = logits.detach() > -torch.inf
        if masks is not None:
            allowed = allowed & masks
        if self._steps == len(self.plan) and bool(self.running.any()):
            if self.limit is None:
                raise _different_end(int(self.running.int().argmax()))
            raise _Unfolded(self._unfolded(allowed, parts, self.limit))
        first = torch.stack(
            [p.int().argmax(dim=1) for p in torch.split(allowed, parts, dim=1)], dim=1
        )
        actions = self.replay(first)
        log_probs = _log_probs(logits.masked_fill(~allowed, -torch.inf), parts, actions)
        self.log_probs = self.log_probs + torch.where(
            self.running, log_probs.double(), torch.zeros_like(self.log_probs)
        )
        return actions if sizes is not None else actions.squeeze(1)

    def replay(self, otherwise: Tensor) -> Tensor:
        """Returns the planned actions of one step, without a look at probabilities.

        Args:
            otherwise: Actions of rows whose episode is over, ``(B, sub-actions)``.
        """
        if self._steps >= len(self.plan):
            self._steps += 1
            return otherwise
        planned = self.plan[self._steps]
        self._steps += 1
        return torch.where(planned == OVER, otherwise, planned)

    def record(self, rewards: Any, dones: Any) -> None:
        """Adds what a step paid, and notes which episodes it ended.

        Args:
            rewards: Rewards ``(B,)``; a tensor may carry gradients.
            dones: Whether the step ended an episode, ``(B,)`` bool.
        """
        paid = torch.as_tensor(rewards).double()
        self.returns = self.returns + torch.where(self.running, paid, torch.zeros_like(paid))
        self.running = self.running & ~torch.as_tensor(dones)
        if self._steps < len(self.plan):
            planned = (self.plan[self._steps] != OVER).any(dim=1)
            if not torch.equal(planned, self.running):
                raise _different_end(int((planned != self.running).int().argmax()))

    @property
    def probabilities(self) -> Tensor:
        """The probabilities of the sequences so far, ``(B,)``."""
        return self.log_probs.exp()

    def _unfolded(self, allowed: Tensor, sizes: list[int], limit: int) -> Tensor:
        """The plan with one more step: a row for each allowed choice of each running row."""
        if math.prod(sizes) > limit:
            raise EnumerationError(
                f"a step offers {math.prod(sizes):,} actions; allowed: {limit:,} sequences of "
                "all steps"
            )
        joint = torch.cartesian_prod(*[torch.arange(size) for size in sizes])
        joint = joint.reshape(-1, len(sizes))
        parts = torch.split(allowed, sizes, dim=1)
        possible = torch.stack([p[:, joint[:, i]] for i, p in enumerate(parts)]).all(dim=0)
        possible[~self.running] = False
        possible[~self.running, 0] = True  # what is over goes on as it is
        count = int(possible.sum())
        if count > limit:
            raise EnumerationError(
                f"there are {count:,} sequences of {self._steps + 1} steps; allowed: "
                f"{limit:,}. Take fewer actions, shorter episodes or a lower time limit"
            )
        parents, choices = possible.nonzero(as_tuple=True)
        step = joint[choices].clone()
        step[~self.running[parents]] = OVER
        before = self.plan[:, parents]
        if not len(before):
            before = before.new_zeros(0, count, len(sizes))
        return torch.cat([before, step[None]])


def _different_end(row: int) -> EnumerationError:
    return EnumerationError(
        f"the episode of row {row} ended at another step than when the sequences were enumerated; "
        "the environment must play the same episode every time: see "
        "agents.evaluation.gradcheck.one_episode_env"
    )


def _log_probs(logits: Tensor, sizes: list[int], actions: Tensor) -> Tensor:
    """The joint log-probability of sub-actions, ``(B,)``."""
    total = torch.zeros(len(logits), dtype=logits.dtype)
    for part, action in zip(torch.split(logits, sizes, dim=1), actions.unbind(1), strict=True):
        total = total + part.log_softmax(dim=1).gather(1, action[:, None]).squeeze(1)
    return total


def enumerate_sequences(play: Callable[[Sampler], object], limit: int = 10_000) -> Tensor:
    """Returns all sequences of actions that end an episode, each once.

    The tree is grown step by step: every play goes one step further than the one before.

    Args:
        play: Plays `sampler.rows` equal episodes to their ends, with `sampler.choose` for chance.
        limit: Largest number of sequences.

    Returns:
        The plan for a `Sampler`.

    Raises:
        EnumerationError: If there are more.
    """
    plan = torch.zeros(0, 1, 1, dtype=torch.int64)
    while (longer := _one_step_further(play, plan, limit)) is not None:
        plan = longer
    return plan


def _one_step_further(play: Callable[[Sampler], object], plan: Tensor, limit: int) -> Tensor | None:
    """A plan with one more step; None where all episodes end with the last."""
    try:
        play(Sampler(plan, limit))
    except _Unfolded as unfolded:
        return unfolded.plan
    return None
