"""`RLNTM` under check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from agents.algorithms.rl_ntm import losses
from agents.algorithms.rl_ntm.algorithm import RLNTM
from agents.algorithms.rl_ntm.objective import desired_log_probs, rewards_to_go
from agents.evaluation.gradcheck.check import Groups
from agents.evaluation.gradcheck.environment import OneEpisodeVecEnv
from agents.evaluation.gradcheck.replacing import kept_buffers, quiet_callback, replaced, settle
from agents.evaluation.gradcheck.sampler import OVER, Sampler

# With any other value the expected gradient is not that of the expected log-probability.
_WANTED = {"gamma": 1.0, "reward": "log_prob", "normalize_advantage": False}
_ONE_PER_EPISODE = {"source", "target", "target_size", "limits"}


class RLNTMSubject:
    """The hybrid objective: the expected log-probability of the desired symbols.

    Args:
        model: may be changed.
        make_env: makes the environment for a number of rows.

    Raises:
        ValueError: for a setting that makes the gradient another one.
    """

    def __init__(self, model: RLNTM, make_env: Callable[[int], OneEpisodeVecEnv]) -> None:
        for name, wanted in _WANTED.items():
            value = getattr(model, name)
            if value != wanted:
                raise ValueError(f"{name} is {value!r}; for this check: {wanted!r}")
        self._model: Any = model
        self._make_env = make_env

    def groups(self) -> Groups:
        """Each parameter of the controller, and those of the offline baseline."""
        policy = self._model.policy
        groups = {name: [parameter] for name, parameter in policy.controller.named_parameters()}
        found = {name: group for name, group in groups.items() if group[0].numel()}
        return {**found, "baseline": list(policy.baseline.parameters())}

    def exact(self, sampler: Sampler) -> None:
        """Play with gradients; each step pays the log-probability of the desired symbol."""
        policy, env = self._model.policy, self._make_env(sampler.rows)
        interfaces, controller = policy.interfaces, policy.controller
        obs: Any = env.reset()
        target = torch.as_tensor(env.reset_infos[0]["target"]).long()
        target = target.clamp_max(
            interfaces.outputs - 1
        )  # blanks after the end are never asked for
        emitted = torch.zeros(sampler.rows, dtype=torch.int64)
        state = controller.initial_state(sampler.rows)
        while sampler.running.any():
            scores, state = controller(policy.symbols_seen(torch.as_tensor(obs)), state)
            moves = sampler.choose(
                scores.moves * policy.inverse_temperature,
                interfaces.move_sizes,
                torch.as_tensor(interfaces.move_masks(env.action_masks())),
            )
            desired = target[emitted.clamp_max(len(target) - 1)]
            log_probs = scores.symbols.log_softmax(dim=1).gather(1, desired[:, None]).squeeze(1)
            emits = moves[:, -1] == 1
            actions = policy.to_env(moves, scores.symbols.argmax(dim=1))
            obs, _, dones, _ = env.step(actions)
            sampler.record(log_probs * emits, dones)
            emitted += emits
            state = controller.moved(state, moves)

    def play(self, sampler: Sampler) -> list[Tensor]:
        """Collect the episodes, and take the losses of each alone."""
        model, env = self._model, self._make_env(sampler.rows)
        model.env, model.n_envs = env, sampler.rows

        def sample(_scores: Any, _masks: Tensor, _generator: torch.Generator) -> Tensor:
            planned = sampler.replay(torch.full(sampler.plan.shape[1:], OVER))
            return planned[(planned != OVER).any(dim=1)]

        with replaced(model.policy, sample=sample):
            model.collect_rollouts(env, quiet_callback(model), None, 1)
        if model.online_baseline:
            self._settle(sampler.plan)
        return [self._loss(row) for row in range(sampler.rows)]

    @torch.no_grad()
    def _settle(self, plan: Tensor) -> None:
        model, sampler = self._model, Sampler(plan)
        self.exact(sampler)
        played, scores, _ = model._episodes
        paid = desired_log_probs(scores, played)
        returns = rewards_to_go(paid, model.gamma, model.causality)
        settle(model.policy.time_baseline, returns, plan, sampler.probabilities)

    def _loss(self, row: int) -> Tensor:
        """The loss of one episode.

        The offline baseline is trained by its loss alone, and its loss trains nothing else. So its
        parameters are shown the other losses, and the controller's are shown all.
        """
        model = self._model
        played, scores, seen = model._episodes
        one = slice(row, row + 1)
        steps = played.running.nonzero()[:, 1] == row
        episode = played._replace(
            **{
                name: value[one] if name in _ONE_PER_EPISODE else value[:, one]
                for name, value in played._asdict().items()
            }
        )
        arguments = (
            model,
            episode,
            type(scores)(*(value[:, one] for value in scores)),
            type(seen)(*(value[steps] for value in seen)),
            torch.ones(1, dtype=torch.float64),
        )
        with kept_buffers(model.policy.time_baseline):
            parts = losses.compute_losses(*arguments)
        total = parts.symbols + parts.moves
        if not model.offline_baseline:
            return total
        baseline = model.policy.baseline.requires_grad_(False)
        with kept_buffers(model.policy.time_baseline):
            others = losses.compute_losses(*arguments).baseline
        baseline.requires_grad_(True)
        return total + others
