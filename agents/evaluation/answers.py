"""What a policy answers to whole streams, computed at once rather than step by step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from agents.algorithms.packing import Packed, in_parts, pack
from agents.algorithms.supervised import Supervised, answer, as_streams
from agents.networks.policy import MemoryPolicy
from memory_envs.scoring.makers import from_predict
from memory_envs.scoring.play import EpisodeResults, play
from memory_envs.scoring.policy import check_spaces
from memory_envs.scoring.rows import Rows
from memory_envs.stream import StreamBatch, StreamVectorEnv

# Of all streams that are computed at once: compiled memories keep some 10,000 numbers of a step.
MOST_STEPS = 4096


class Marks(NamedTuple):
    """What became of the answers to B streams.

    Attributes:
        packed: The streams.
        right: Of shape ``(N,)``, the share of the parts of each answer that are right, in the order
            of ``packed.due``.
    """

    packed: Packed
    right: npt.NDArray[np.float64]


@torch.no_grad()
def mark(policy: MemoryPolicy, batch: StreamBatch) -> list[Marks]:
    """Marks the most probable answers to some streams, a part of them at a time."""
    policy.set_training_mode(False)
    marks = []
    for part in in_parts(batch, MOST_STEPS):
        packed = pack(part)
        streams = as_streams(packed, policy.device)
        given = answer(policy, streams)[0].mode()
        right = (given == streams.targets).double().reshape(given.shape[0], -1).mean(dim=1)
        marks.append(Marks(packed, right.cpu().numpy()))
    return marks


class Played(NamedTuple):
    """What the environment would have paid for B streams, ``(B,)`` each."""

    returns: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int64]
    successes: npt.NDArray[np.bool_]


def play_streams(policy: MemoryPolicy, batch: StreamBatch) -> Played:
    """Returns what playing the streams by the most probable actions comes to."""
    returns, successes = [], []
    for packed, right in mark(policy, batch):
        row = packed.rows[packed.due]
        size = int(packed.rows.max()) + 1
        returns.append(np.bincount(row, right, size))
        wrong = np.bincount(row, right < 1.0, size)
        successes.append(wrong == 0)
    return Played(np.concatenate(returns), batch.sizes, np.concatenate(successes))


def play_model(
    model: Any, deterministic: bool, rows: Rows, episodes: int, seed: int
) -> EpisodeResults:
    """Lets a model play, see `memory_envs.scoring.play`; streams are answered whole if they can be.

    That is many times faster, and comes to the same.

    Args:
        model: A model with SB3's `predict`.
        deterministic: Whether it takes its most probable actions.
        rows: They play in turn.
        episodes: Number of episodes.
        seed: Seed of the first episode.
    """
    policy, streams = from_predict(model, deterministic), rows.env
    whole = deterministic and isinstance(model, Supervised)
    if not (whole and isinstance(streams, StreamVectorEnv)):
        return play(policy, rows, episodes, seed)
    check_spaces(policy, rows.observation_space, rows.action_space)
    played = []
    for first in range(0, episodes, rows.num_rows):
        rows.begin(range(seed + first, seed + first + rows.num_rows))
        played.append(play_streams(model.policy, streams.batch()))
    joined = (np.concatenate(part)[:episodes] for part in zip(*played, strict=True))
    return EpisodeResults(*joined)


class Answered(NamedTuple):
    """What came of the questions of a data set.

    Attributes:
        questions: How many there are.
        wrong: How many of them were answered wrongly.
    """

    questions: int
    wrong: int

    @property
    def error(self) -> float:
        """Share of wrong answers."""
        return self.wrong / self.questions


def answer_all(
    policy: MemoryPolicy, env: StreamVectorEnv, successive_are_one: bool = False
) -> Answered:
    """Asks every question of the environment's data set once; answers are the most probable ones.

    Args:
        policy: The policy.
        env: Streams of a data set.
        successive_are_one: Whether answers that are due in successive steps are one, which is right
            if all of them are, as the words of an answer are.

    Raises:
        TypeError: If the streams are of no data set.
    """
    questions = wrong = 0
    for batch in env.every():
        for packed, right in mark(policy, batch):
            question = _questions(packed, successive_are_one)
            questions += int(question.max()) + 1
            wrong += len(np.unique(question[right < 1.0]))
    return Answered(questions, wrong)


def _questions(packed: Packed, successive_are_one: bool) -> npt.NDArray[np.int64]:
    """Returns for each of the N answers the number of its question, from 0 on."""
    due, rows = packed.due, packed.rows
    begins = due.copy()
    if successive_are_one:
        begins[1:] &= ~(due[:-1] & (rows[:-1] == rows[1:]))
    # Columns one after the other, so that what is successive has successive numbers.
    numbers = np.cumsum(begins.T.ravel()).reshape(begins.T.shape).T - 1
    return np.asarray(numbers[due], np.int64)
