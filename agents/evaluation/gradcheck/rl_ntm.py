"""`RLNTM` under check."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from agents.algorithms.rl_ntm.algorithm import RLNTM
from agents.evaluation.gradcheck.check import Groups
from agents.evaluation.gradcheck.environment import MakeEnv
from agents.evaluation.gradcheck.rl_ntm_by_hand import PlayedEpisodes, hand_written_loss
from agents.evaluation.gradcheck.sampler import PlannedActions, Sampler
from agents.evaluation.gradcheck.twin import make_twin

# With these the expected gradient is that of the expected log-probability of the target.
_UNBIASED = {"gamma": 1.0, "reward": "log_prob", "normalize_advantage": False}


class RLNTMSubject:
    """The hybrid objective: the expected log-probability of the desired symbols.

    Args:
        model: The algorithm; it is not changed.
        make_env: Makes the environment for a number of rows.
    """

    def __init__(self, model: RLNTM, make_env: MakeEnv) -> None:
        self._model, self._make_env = model, make_env
        self._policy = copy.deepcopy(model.policy).double().cpu()

    def groups(self) -> Groups:
        """Returns each learned parameter of the controller, and those of the offline baseline."""
        found = {
            name: [parameter]
            for name, parameter in self._policy.controller.named_parameters()
            if parameter.numel() and parameter.requires_grad
        }
        return {**found, "baseline": list(self._policy.baseline.parameters())}

    def exact(self, sampler: Sampler) -> PlayedEpisodes:
        """Plays with gradients; each step pays the log-probability of the desired symbol."""
        sizes = self._policy.interfaces.move_sizes
        episodes = PlayedEpisodes(
            self._policy,
            self._make_env(sampler.rows),
            lambda logits, masks: sampler.choose(logits, sizes, masks),
        )
        while sampler.running.any():
            episodes.step()
            sampler.record(episodes.desired[-1], episodes.dones[-1])
        return episodes

    def play(self, sampler: Sampler) -> list[Tensor]:
        """Returns the loss of each episode's moves and symbols, as if it were the only one."""
        twin = self._twin(sampler.plan, **_UNBIASED)
        if twin.online_baseline:
            self._set_expected_baseline(twin.causality, sampler.plan)
        batch = twin.rollout()
        losses = (twin.losses(batch.row(row)) for row in range(sampler.rows))
        return [each["symbols"] + each["moves"] for each in losses]

    def first_step(self, plan: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the loss of a whole training step, as it is and as it is written by hand."""
        twin = self._twin(plan)
        batch = twin.rollout()
        taken = iter(batch.played.moves)
        episodes = PlayedEpisodes(
            self._policy, self._make_env(plan.shape[1]), lambda _logits, _masks: next(taken)
        )
        while episodes.running.any():
            episodes.step()
        return twin.total_loss(twin.losses(batch)), hand_written_loss(twin, episodes)

    def _twin(self, plan: Tensor, **changes: Any) -> Any:
        twin = make_twin(self._model, self._make_env(plan.shape[1]), **changes)
        twin.policy, twin.sampler = self._policy, PlannedActions(plan)
        return twin

    @torch.no_grad()
    def _set_expected_baseline(self, causality: bool, plan: Tensor) -> None:
        """Sets the online baseline to what it tends to: the expectation at each step."""
        sampler = Sampler(plan)
        episodes = self.exact(sampler)
        paid = torch.stack(episodes.desired)
        togo = paid.flip(0).cumsum(0).flip(0) if causality else paid.sum(0).expand_as(paid)
        weights = torch.stack(episodes.ran) * sampler.probabilities
        baseline = self._policy.time_baseline
        baseline.means[: len(plan)] = (togo * weights).sum(dim=1) / weights.sum(dim=1)
        baseline.updates[: len(plan)] = 1.0
