"""How episodes are played, for every score of this project.

Episode k is the first episode of an environment seeded with ``seed + k``, however long it lasts, so
short episodes weigh no more than long ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.core.rng import mix_words, words_at
from memory_envs.scoring.policy import BoolArray, Policy, Turn, Words, checked_actions
from memory_envs.scoring.rows import Rows

FloatArray = npt.NDArray[np.float64]
_LARGEST = 2**64 - 1
# Policies are given seeds that have nothing to do with those of the environments.
_APART = np.uint64(0x5C02E5C02E5C02E5)


class EpisodeResults(NamedTuple):
    """One entry per episode, ``(episodes,)``."""

    returns: FloatArray
    lengths: npt.NDArray[np.int64]
    successes: BoolArray | None

    @property
    def success(self) -> float | None:
        """Share of successful episodes; None if the environment knows no success."""
        return None if self.successes is None else float(self.successes.mean())


def play(policy: Policy, rows: Rows, episodes: int, seed: int) -> EpisodeResults:
    """Plays the first episodes of environments seeded `seed`, ``seed + 1``, ...

    Args:
        policy: Who plays, see `memory_envs.scoring.policy`.
        rows: They play in turn, each batch from a state of None.
        episodes: Number of episodes.
        seed: Seed of the first episode.

    Raises:
        CannotPlayError: If the policy chooses what is no action.
    """
    returns, lengths = np.zeros(episodes), np.zeros(episodes, np.int64)
    successes: list[bool | None] = [None] * episodes
    for first in range(0, episodes, rows.num_rows):
        _play_batch(policy, rows, first, seed + first, returns, lengths, successes)
    known = [success for success in successes if success is not None]
    return EpisodeResults(returns, lengths, np.array(known) if len(known) == episodes else None)


def _play_batch(
    policy: Policy,
    rows: Rows,
    first: int,
    seed: int,
    returns: FloatArray,
    lengths: npt.NDArray[np.int64],
    successes: list[bool | None],
) -> None:
    """Plays an episode in every row, and writes down those from number `first` on."""
    seeds = [(seed + row) & _LARGEST for row in range(rows.num_rows)]
    observations = rows.begin(seeds)
    playing = np.arange(first, first + rows.num_rows) < len(returns)
    totals, steps = np.zeros(rows.num_rows), np.zeros(rows.num_rows, np.int64)
    starts, state, turns = np.ones(rows.num_rows, np.bool_), None, 0
    while playing.any():
        turn = Turn(observations, starts, rows.masks(), turn_seeds(seeds, turns))
        actions, state = policy(turn, state)
        actions = checked_actions(actions, policy, rows.action_space, playing)
        outcome = rows.step(actions, playing)
        observations, starts, turns = outcome.observations, outcome.starts, turns + 1
        totals[playing] += outcome.rewards[playing]
        steps[playing] += outcome.steps[playing]
        for row in np.flatnonzero(outcome.ended & playing).tolist():
            returns[first + row], lengths[first + row] = totals[row], steps[row]
            successes[first + row] = rows.success(outcome, row, float(totals[row]))
        playing = playing & ~outcome.ended


def turn_seeds(seeds: Sequence[int], turn: int) -> Words:
    """Returns the seeds of a policy's turn, for episodes of these seeds.

    Args:
        seeds: Those of the environments.
        turn: Number of turns before.
    """
    words = np.array(seeds, np.uint64)
    return words_at(mix_words(mix_words(words ^ _APART) + _APART), turn)
