"""`Reinforce`, `MemoryA2C` and the first step of `MemoryPPO` under check."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from agents.algorithms.buffer import MemoryRolloutBuffer, Step
from agents.algorithms.on_policy import MemoryOnPolicyAlgorithm
from agents.algorithms.reinforce import Reinforce
from agents.evaluation.gradcheck.check import Groups
from agents.evaluation.gradcheck.environment import OneEpisodeVecEnv
from agents.evaluation.gradcheck.replacing import (
    kept_buffers,
    lengths,
    quiet_callback,
    replaced,
    settle,
)
from agents.evaluation.gradcheck.sampler import EnumerationError, Sampler
from agents.networks.distributions import Categorical, DiscreteHead
from agents.networks.encoder import map_observation

# With any other value the expected gradient is not that of the expected return.
_WANTED = {"gamma": 1.0, "gae_lambda": 1.0, "normalize_advantage": False, "bptt": None}


class OnPolicySubject:
    """An algorithm that learns from a `MemoryRolloutBuffer`.

    Args:
        model: may be changed.
        make_env: makes the environment for a number of rows.

    Raises:
        ValueError: for a setting that makes the gradient another one, or actions without number.
    """

    def __init__(
        self, model: MemoryOnPolicyAlgorithm, make_env: Callable[[int], OneEpisodeVecEnv]
    ) -> None:
        for name, wanted in _WANTED.items():
            value = getattr(model, name, wanted)
            if value != wanted:
                raise ValueError(f"{name} is {value!r}; for this check: {wanted!r}")
        head = model.policy.action_head
        if not isinstance(head, DiscreteHead):
            raise ValueError(f"the action space is {model.action_space}; allowed: discrete ones")
        self._model = cast(Any, model)
        self._head, self._make_env = head, make_env
        self._model.n_epochs = 1  # of `MemoryPPO`: afterwards its objective is another

    def groups(self) -> Groups:
        """The parameters of encoder, memory, actor and critic."""
        found: dict[str, list[Tensor]] = {}
        for name, parameter in self._model.policy.named_parameters():
            found.setdefault(name.removeprefix("network.").partition(".")[0], []).append(parameter)
        return found

    def exact(self, sampler: Sampler) -> None:
        """Play with gradients."""
        model, policy, env = self._model, self._model.policy, self._make_env(sampler.rows)
        obs: Any = env.reset()
        state = policy.initial_state(sampler.rows)
        starts = torch.ones(sampler.rows, dtype=torch.bool)
        masked = env.has_attr("action_masks")
        while sampler.running.any():
            features, state = policy.network(model._to_tensor(obs), state, starts)
            masks = torch.as_tensor(env.action_masks()) if masked else None
            actions = sampler.choose(policy.actor(features), self._head.sizes, masks)
            obs, rewards, dones, infos = env.step(self._head.to_env(self._shaped(actions)))
            ended = sampler.running & torch.as_tensor(dones)
            if model.bootstraps_time_limits and any(
                infos[row]["TimeLimit.truncated"] for row in ended.nonzero()[:, 0].tolist()
            ):
                raise EnumerationError(
                    f"a time limit cuts an episode off, and {type(model).__name__} estimates what "
                    "would have followed; take an environment whose episodes terminate"
                )
            sampler.record(rewards, dones)
            starts = torch.zeros_like(starts)

    def play(self, sampler: Sampler) -> list[Tensor]:
        """Collect a rollout, and train on each of its columns alone."""
        model, env = self._model, self._make_env(sampler.rows)
        model.env, model.n_envs, model._memory_state = env, sampler.rows, None
        model._last_obs = env.reset()
        model._last_episode_starts = np.ones(sampler.rows, np.bool_)
        steps = len(sampler.plan)
        buffer = MemoryRolloutBuffer(steps, None, model.gamma, model.gae_lambda)
        with replaced(self._head, forward=self._planned(sampler)):
            model.collect_rollouts(env, quiet_callback(model), buffer, steps)
        if getattr(model, "baseline", None) == "time":
            baseline = model.policy.get_submodule("time_baseline")
            settle(baseline, buffer.returns, sampler.plan, self._probabilities(sampler.plan))
        return [self._loss(buffer, row, length) for row, length in enumerate(lengths(sampler.plan))]

    def _shaped(self, actions: Tensor) -> Tensor:
        return actions.squeeze(1) if self._head.squeeze else actions

    def _planned(self, sampler: Sampler) -> Callable[..., Categorical]:
        """The action head, but that its distributions draw what is planned."""
        make = type(self._head).forward

        def forward(logits: Tensor, masks: Tensor | None = None) -> Categorical:
            distribution = make(self._head, logits, masks)
            first = distribution.mode()

            def sample(_generator: torch.Generator | None = None) -> Tensor:
                columns = first.unsqueeze(1) if self._head.squeeze else first
                return self._shaped(sampler.replay(columns))

            vars(distribution)["sample"] = sample
            return distribution

        return forward

    @torch.no_grad()
    def _probabilities(self, plan: Tensor) -> Tensor:
        sampler = Sampler(plan)
        self.exact(sampler)
        return sampler.probabilities

    def _loss(self, buffer: MemoryRolloutBuffer, row: int, length: int) -> Tensor:
        """The policy's loss of one episode, as `train` would step on it."""
        model = self._model
        losses: list[Tensor] = []
        # `Reinforce` weighs the steps itself and takes their sum. The others take the mean over
        # all steps of a rollout; what comes after the episode belongs to others.
        sums = isinstance(model, Reinforce)
        model.rollout_buffer = self._column(buffer, row, buffer.size if sums else length)
        instead = {
            "_total_loss": lambda policy_loss, _value_loss, _entropy_loss: policy_loss,
            "_optimize": losses.append,
        }
        with kept_buffers(model.policy), replaced(model, **instead):
            model.train()
        return losses[0] if sums else losses[0] * length

    def _column(self, buffer: MemoryRolloutBuffer, row: int, length: int) -> MemoryRolloutBuffer:
        """The first steps of one row, as a buffer of one column."""
        column = MemoryRolloutBuffer(length, None, buffer.gamma, buffer.gae_lambda)
        data, state = buffer.data, self._model.policy.initial_state(1)
        one = slice(row, row + 1)
        for t in range(length):
            fields: list[Any] = [
                None if field is None else map_observation(itemgetter((t, one)), field)
                for field in data
            ]
            column.add(Step._make(fields), state)
        column.advantages = buffer.advantages[:length, one]
        column.returns = buffer.returns[:length, one]
        return column
