"""What a policy answers to whole streams, computed at once rather than step by step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from agents.algorithms.packing import Packed, in_parts, pack
from agents.algorithms.supervised import answer, as_streams
from agents.networks.policy import MemoryPolicy
from memory_envs.stream import StreamBatch, StreamVectorEnv

# Of all streams that are computed at once: compiled memories keep some 10,000 numbers of a step.
_MOST_STEPS = 4096


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
    for part in in_parts(batch, _MOST_STEPS):
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
