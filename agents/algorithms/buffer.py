"""The rollout buffer: ``(T, B, ...)`` tensors, minibatches of whole columns.

Columns are cut into chunks of `bptt` steps. The memory state is kept at the first step of each
chunk only; training unrolls from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from agents.cells.state import State, cat_states, index_state
from agents.networks.encoder import Observation, map_observation


class Step(NamedTuple):
    """One step of B environments, as the rollout saw it."""

    observations: Observation
    actions: Tensor
    rewards: Tensor
    episode_starts: Tensor
    values: Tensor
    log_probs: Tensor
    masks: Tensor | None


class Batch(NamedTuple):
    """Chunks for training: ``(T, N, ...)`` tensors, and the state before the first step."""

    observations: Observation
    actions: Tensor
    episode_starts: Tensor
    masks: Tensor | None
    old_values: Tensor
    old_log_probs: Tensor
    advantages: Tensor
    returns: Tensor
    state: State


def _map(fn: Callable[[Tensor], Tensor], field: Observation | None) -> Observation | None:
    return None if field is None else map_observation(fn, field)


def _map_step(fn: Callable[[Tensor], Tensor], step: Step) -> Step:
    return Step._make(_map(fn, field) for field in step)


def _write(storage: Step, t: int, step: Step) -> None:
    store: Any  # of the same structure as the step's field
    for store, field in zip(storage, step, strict=True):
        if isinstance(field, dict):
            for key, value in field.items():
                store[key][t] = value
        elif field is not None:
            store[t] = field


def minibatches(rollout: Batch, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
    """Yields every chunk of a rollout once, in shuffled minibatches.

    Args:
        rollout: What `MemoryRolloutBuffer.chunks` returns.
        batch_size: Transitions in a minibatch, rounded down to whole chunks (at least one).
        generator: Source of randomness of the shuffling.
    """
    length, columns = rollout.advantages.shape
    order = torch.randperm(columns, generator=generator, device=rollout.advantages.device)
    for picked in torch.split(order, max(1, batch_size // length)):
        yield _pick(rollout, picked)


def _pick(batch: Batch, columns: Tensor) -> Batch:
    fields = [_map(lambda x: x.index_select(1, columns), field) for field in batch[:-1]]
    return Batch._make([*fields, index_state(batch.state, columns)])


class MemoryRolloutBuffer:
    """Holds one rollout of B environments.

    Memory is taken when the first step comes, so that building (or loading) an agent takes none.

    Args:
        n_steps: Steps that fit at first; `add` beyond them doubles the room.
        bptt: Length of the chunks that training unrolls, or None for one chunk of all steps.
        gamma: Discount factor.
        gae_lambda: Factor between bias and variance of the advantages; 1 gives plain returns.
    """

    def __init__(self, n_steps: int, bptt: int | None, gamma: float, gae_lambda: float) -> None:
        self.capacity = n_steps
        self.bptt = bptt
        self.gamma = gamma
        self.gae_lambda = gae_lambda
        self.reset()

    def reset(self) -> None:
        """Forgets the rollout; what was cut from it stays whole."""
        self._storage: Step | None = None
        self.size = 0
        self._states: list[State] = []
        self.advantages = self.returns = torch.empty(0)

    def add(self, step: Step, state: State) -> None:
        """Appends one step.

        Args:
            step: ``(B, ...)`` tensors.
            state: Memory state before the step; kept where a chunk begins.
        """
        if self._storage is None:
            self._storage = _map_step(lambda x: x.new_empty((self.capacity, *x.shape)), step)
        elif self.size == self.capacity:
            self._storage = _map_step(lambda x: torch.cat([x, torch.empty_like(x)]), self._storage)
            self.capacity *= 2
        if self.size == 0 or (self.bptt is not None and self.size % self.bptt == 0):
            self._states.append(state)
        _write(self._storage, self.size, step)
        self.size += 1

    @property
    def data(self) -> Step:
        """The steps so far, ``(T, B, ...)``."""
        if self._storage is None:
            raise RuntimeError("the rollout buffer is empty; collect a rollout first")
        return _map_step(lambda x: x[: self.size], self._storage)

    def compute_returns_and_advantages(self, last_values: Tensor, dones: Tensor) -> None:
        """Generalised advantage estimation (Schulman et al. 2016, eq. 11-16), as in SB3.

        Args:
            last_values: ``(B,)`` values of the observations after the last step.
            dones: ``(B,)`` bool, whether the last step ended an episode.
        """
        data = self.data
        going_on = 1.0 - torch.cat([data.episode_starts[1:], dones[None]]).to(data.values.dtype)
        next_values = torch.cat([data.values[1:], last_values[None]])
        deltas = data.rewards + self.gamma * next_values * going_on - data.values
        decay = self.gamma * self.gae_lambda * going_on
        self.advantages = deltas
        rows, factors = deltas.unbind(0), decay.unbind(0)
        for t in range(self.size - 2, -1, -1):
            rows[t].addcmul_(factors[t], rows[t + 1])
        self.returns = self.advantages + data.values

    def compute_rewards_to_go(self, dones: Tensor) -> None:
        """Makes the returns discounted sums of rewards up to the end of each episode.

        No critic has a part in them. Advantages are left to the caller.

        Args:
            dones: ``(B,)`` bool, whether the last step ended an episode.
        """
        data = self.data
        ends = torch.cat([data.episode_starts[1:], dones[None]])
        self.returns = data.rewards.clone()
        for t in range(self.size - 2, -1, -1):
            self.returns[t] += self.gamma * self.returns[t + 1] * ~ends[t]

    def cut(self, x: Tensor) -> Tensor:
        """Arranges ``(T, B, ...)`` as ``(bptt, chunks * B, ...)``, the first chunk first."""
        length = self.size if self.bptt is None else self.bptt
        parts = x.reshape(-1, length, *x.shape[1:])
        return parts.transpose(0, 1).flatten(1, 2)

    def chunks(self) -> Batch:
        """Returns all chunks, a column each, in the order of `cut`."""
        data = self.data
        return Batch(
            observations=map_observation(self.cut, data.observations),
            actions=self.cut(data.actions),
            episode_starts=self.cut(data.episode_starts),
            masks=None if data.masks is None else self.cut(data.masks),
            old_values=self.cut(data.values),
            old_log_probs=self.cut(data.log_probs),
            advantages=self.cut(self.advantages),
            returns=self.cut(self.returns),
            state=cat_states(self._states),
        )
