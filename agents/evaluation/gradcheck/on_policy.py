"""`Reinforce`, `MemoryA2C` and the first step of `MemoryPPO` under check."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from agents.algorithms.buffer import Batch
from agents.algorithms.on_policy import MemoryOnPolicyAlgorithm
from agents.algorithms.reinforce import Reinforce
from agents.algorithms.time_baseline import TimeBaseline
from agents.cells.state import index_state
from agents.evaluation.gradcheck.check import Groups
from agents.evaluation.gradcheck.environment import MakeEnv
from agents.evaluation.gradcheck.on_policy_by_hand import Rollout, hand_written_loss
from agents.evaluation.gradcheck.sampler import OVER, PlannedActions, Sampler
from agents.evaluation.gradcheck.twin import make_twin
from agents.networks.distributions import DiscreteHead
from agents.networks.encoder import map_observation

# With these the expected gradient is that of the expected return.
_UNBIASED = {"gamma": 1.0, "gae_lambda": 1.0, "normalize_advantage": False, "bptt": None}
_LOSSES = ("policy", "value", "entropy")


class OnPolicySubject:
    """An algorithm that learns from a `MemoryRolloutBuffer`.

    Args:
        model: The algorithm; it is not changed.
        make_env: Makes the environment for a number of rows.

    Raises:
        ValueError: If actions are without number.
    """

    def __init__(self, model: MemoryOnPolicyAlgorithm, make_env: MakeEnv) -> None:
        head = model.policy.action_head
        if not isinstance(head, DiscreteHead):
            raise ValueError(f"the action space is {model.action_space}; allowed: discrete ones")
        self._model, self._head, self._make_env = model, head, make_env
        self._policy = copy.deepcopy(model.policy).double().cpu()
        # It estimates what a time limit cuts off; shifts of the parameters must not move that.
        self._critic = copy.deepcopy(self._policy)

    def groups(self) -> Groups:
        """Returns the parameters of encoder, memory, actor and critic."""
        found: dict[str, list[Tensor]] = {}
        for name, parameter in self._policy.named_parameters():
            if parameter.requires_grad:
                part = name.removeprefix("network.").partition(".")[0]
                found.setdefault(part, []).append(parameter)
        return found

    def exact(self, sampler: Sampler) -> Rollout:
        """Plays with gradients; what a time limit cuts off is paid as the critic estimates it."""

        def choose(logits: Tensor, masks: Tensor | None) -> Tensor:
            actions = sampler.choose(logits, self._head.sizes, masks)
            return actions.squeeze(1) if self._head.squeeze else actions

        rollout = self._by_hand(sampler.rows, choose, gamma=1.0)
        while sampler.running.any():
            rollout.step()
            sampler.record(rollout.rewards[-1], rollout.dones[-1])
        return rollout

    def play(self, sampler: Sampler) -> list[Tensor]:
        """Returns the policy's loss of each episode, as if it were the only one."""
        plan = sampler.plan
        twin = self._twin(plan, **_UNBIASED, n_steps=len(plan))
        if getattr(twin, "baseline", None) == "time":
            self._set_expected_baseline(self._policy.get_submodule("time_baseline"), plan)
        batch = twin.rollout()
        lengths = (plan != OVER).any(dim=2).sum(dim=0).tolist()
        return [_episode_loss(twin, batch, row, length) for row, length in enumerate(lengths)]

    def first_step(self, plan: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the loss of a whole training step, as it is and as it is written by hand."""
        twin = self._twin(plan)
        losses = twin.losses(twin.rollout())
        taken = iter(twin.rollout_buffer.data.actions)
        rollout = self._by_hand(plan.shape[1], lambda _logits, _masks: next(taken), twin.gamma)
        for _ in range(twin.rollout_buffer.size):
            if twin.bptt is not None and len(rollout.rewards) % twin.bptt == 0:
                rollout.cut_gradients()
            rollout.step()
        found = twin.total_loss({name: losses[name] for name in _LOSSES if name in losses})
        return found, hand_written_loss(twin, rollout)

    def _by_hand(
        self, rows: int, choose: Callable[[Tensor, Tensor | None], Tensor], gamma: float
    ) -> Rollout:
        bootstraps = 0.0 if self._model.whole_episodes else gamma
        return Rollout(self._policy, self._critic, self._make_env(rows), choose, bootstraps)

    def _twin(self, plan: Tensor, **changes: Any) -> Any:
        rows = plan.shape[1]
        steps = changes.get("n_steps", getattr(self._model, "n_steps", 0))
        whole = {"n_epochs": 1, "batch_size": rows * steps}  # of `MemoryPPO`
        twin = make_twin(self._model, self._make_env(rows), **whole, **changes)
        twin.policy, twin.sampler = self._policy, PlannedActions(plan)
        return twin

    @torch.no_grad()
    def _set_expected_baseline(self, baseline: Any, plan: Tensor) -> None:
        """Sets a `TimeBaseline` to what it tends to: the expected reward-to-go of each step."""
        assert isinstance(baseline, TimeBaseline)
        sampler = Sampler(plan)
        rollout = self.exact(sampler)
        running = (plan != OVER).any(dim=2)
        weights = running * sampler.probabilities
        togo = (torch.stack(rollout.rewards) * running).flip(0).cumsum(0).flip(0)
        baseline.means[: len(plan)] = (togo * weights).sum(dim=1) / weights.sum(dim=1)
        baseline.updates[: len(plan)] = 1.0


def _episode_loss(twin: Any, batch: Any, row: int, length: int) -> Tensor:
    """The policy's loss of one episode of a batch of unbroken columns."""
    policy_loss: Tensor
    if isinstance(twin, Reinforce):
        steps = _column(batch.steps, row, len(batch.weights))
        weights = batch.weights[:, row : row + 1]
        policy_loss = twin.losses(batch._replace(steps=steps, weights=weights, episodes=1))[
            "policy"
        ]
        return policy_loss
    # The others take the mean over all steps of a rollout, and what comes after the episode
    # belongs to others.
    policy_loss = twin.losses(_column(batch, row, length))["policy"]
    return policy_loss * length


def _column(batch: Batch, row: int, length: int) -> Batch:
    """The first steps of one row."""
    one = slice(row, row + 1)
    fields: list[Any] = [
        None if field is None else map_observation(lambda x: x[:length, one], field)
        for field in batch._replace(state=())[:-1]
    ]
    return Batch._make([*fields, index_state(batch.state, one)])
