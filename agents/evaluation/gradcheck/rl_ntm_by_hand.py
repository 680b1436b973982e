"""What `RLNTM` should do in a training step, written out plainly.

Nothing here is taken from the algorithm but one step of the controller and one of the LSTM: no
unroll, no distribution, no rewards, no losses. All rows take every step; what a row does after the
end of its episode does not count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.algorithms.rl_ntm.interfaces import output_view
from agents.algorithms.rl_ntm.policy import RLNTMPolicy
from agents.environments.vec_env import GymnasiumVecEnv


class PlayedEpisodes:
    """One episode in each of B rows, played step by step with gradients.

    Args:
        policy: The policy.
        env: The environments, of the tape family; they are reset.
        choose: Takes logits and masks ``(B, sum(move_sizes))`` of the moves and returns the moves
            ``(B, moves)``.

    Attributes:
        running: Whether the episode is under way, ``(B,)`` bool.
        ran: Whether it was when each step so far began, T tensors ``(B,)``.
        desired: Log-probabilities of the desired symbols, likewise, 0 where none was emitted.
        emits: Whether a symbol was emitted, likewise.
        log_probs: Log-probabilities of the moves, likewise.
        entropies: Entropies of the distributions of the moves, likewise.
        predicted: What the offline baseline expects, likewise.
        dones: Whether the step ended an episode, likewise.
    """

    def __init__(
        self,
        policy: RLNTMPolicy,
        env: GymnasiumVecEnv,
        choose: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        self._policy, self._env, self._choose = policy, env, choose
        self._obs: Any = env.reset()
        view, output = output_view(env)
        self._target = _integers(np.stack([info["target"] for info in env.reset_infos]))
        self._symbols_left = _integers(output.target_sizes)
        self._steps_left = _integers(view.limits)
        self._state = policy.controller.initial_state(env.num_envs)
        self.running = torch.ones(env.num_envs, dtype=torch.bool)
        self._emitted = torch.zeros(env.num_envs, dtype=torch.int64)
        self._read_tape(_integers(view.tapes[0].cells))
        self.ran: list[Tensor] = []
        self.desired: list[Tensor] = []
        self.emits: list[Tensor] = []
        self.log_probs: list[Tensor] = []
        self.entropies: list[Tensor] = []
        self.predicted: list[Tensor] = []
        self.dones: list[Tensor] = []

    def _read_tape(self, source: Tensor) -> None:
        """The offline baseline reads the input tape backwards before the first step."""
        baseline = self._policy.baseline
        self._baseline_state = baseline.cell.initial_state(len(source))
        centre = self._policy.interfaces.input_cells // 2 * self._policy.interfaces.vocabulary
        for symbol in source.flip(1).unbind(1):
            seen = baseline.weight_in[centre + symbol]
            nothing = seen.new_zeros(len(seen), 2)
            _, self._baseline_state = baseline.cell(
                torch.cat([seen, nothing], dim=1), self._baseline_state
            )

    def step(self) -> None:
        """Plays one step."""
        policy, controller, env = self._policy, self._policy.controller, self._env
        symbols = policy.symbols_seen(torch.as_tensor(self._obs))
        self.predicted.append(self._predict(symbols))
        scores, self._state = controller(symbols, self._state)
        sizes = policy.interfaces.move_sizes
        logits = scores.moves * policy.inverse_temperature
        masks = torch.as_tensor(policy.interfaces.move_masks(env.action_masks()))
        chosen = self._choose(logits, masks)
        logits = logits.masked_fill(~masks, -torch.inf)
        log_prob, entropy = torch.zeros(2, len(logits), dtype=logits.dtype)
        for part, move in zip(logits.split(sizes, dim=1), chosen.unbind(1), strict=True):
            every = part - part.logsumexp(dim=1, keepdim=True)
            # A row that is over may have made a move that is not allowed.
            taken = every.gather(1, move[:, None]).squeeze(1)
            log_prob = log_prob + taken.masked_fill(~self.running, 0.0)
            possible = every.exp() * every.masked_fill(part == -torch.inf, 0.0)
            entropy = entropy - possible.sum(dim=1)
        place = self._emitted.clamp_max(self._target.shape[1] - 1)
        wanted = self._target.gather(1, place[:, None]).clamp_max(policy.interfaces.outputs - 1)
        every = scores.symbols - scores.symbols.logsumexp(dim=1, keepdim=True)
        emits = (chosen[:, -1] == 1) & self.running
        self.ran.append(self.running)
        self.emits.append(emits)
        self.desired.append(every.gather(1, wanted).squeeze(1) * emits)
        self.log_probs.append(log_prob)
        self.entropies.append(entropy * self.running)
        actions = policy.to_env(chosen, scores.symbols.argmax(dim=1))
        self._obs, _, dones, _ = env.step(actions)
        self._state = controller.moved(self._state, chosen)
        self._emitted += emits
        self._symbols_left -= emits.long()
        self._steps_left -= 1
        self.dones.append(torch.as_tensor(dones))
        self.running = self.running & ~self.dones[-1]

    def _predict(self, symbols: Tensor) -> Tensor:
        """What the offline baseline expects before the moves of a step, ``(B,)``."""
        baseline, controller = self._policy.baseline, self._policy.controller
        seen = baseline.weight_in[controller.input_rows(symbols, self._state)].sum(dim=1)
        cells = controller.read_cells(self._state.head)
        read = self._state.memory.detach().flatten(0, 1)[cells]
        seen = seen + read.flatten(1) @ baseline.weight_read
        left = torch.stack([self._symbols_left, self._steps_left], dim=1).clamp_min(0)
        told = (left + 1).to(seen.dtype).log()
        hidden, self._baseline_state = baseline.cell(
            torch.cat([seen, told], dim=1), self._baseline_state
        )
        expected: Tensor = baseline.value(hidden).squeeze(1) * left[:, 0]
        return expected


def hand_written_loss(model: Any, episodes: PlayedEpisodes) -> Tensor:
    """Returns what a training step should descend on.

    Args:
        model: The algorithm, of which only settings and the running means are read.
        episodes: What it played.
    """
    ran, desired = torch.stack(episodes.ran), torch.stack(episodes.desired)
    rewards = desired.detach()
    if model.reward == "prefix_prob":  # that this symbol and all before it come out right
        right = torch.cumprod(rewards.exp(), dim=0)
        rewards = right * torch.stack(episodes.emits)
    steps, rows = ran.shape
    advantages = torch.zeros_like(rewards)
    for t in range(steps):
        first = t if model.causality else 0
        for later in range(first, steps):
            advantages[t] += model.gamma ** (later - first) * rewards[later]
    if model.online_baseline:
        advantages = advantages - model.policy.time_baseline.means[:steps, None]
    baseline_loss = advantages.new_zeros(())
    if model.offline_baseline:
        predicted = torch.stack(episodes.predicted)
        baseline_loss = (advantages - predicted)[ran].square().sum() / rows
        advantages = advantages - predicted.detach()
    if model.normalize_advantage:
        counted = advantages[ran]
        spread = (counted - counted.mean()).square().sum() / (len(counted) - 1)
        advantages = advantages / (spread.sqrt() + 1e-8)
    symbols_loss = -desired.sum() / rows
    moves_loss = -(advantages * torch.stack(episodes.log_probs))[ran].sum() / rows
    entropy_loss = -torch.stack(episodes.entropies)[ran].sum() / rows
    total: Tensor = symbols_loss + moves_loss + baseline_loss + model.ent_coef(1.0) * entropy_loss
    return total


def _integers(array: Any) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(array)).long().clone()
