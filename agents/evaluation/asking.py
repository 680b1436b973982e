"""What a model answers to a person's question, and which sentences the answer depends on.

What an answer depends on is measured by leaving out: the question is asked once more without each
sentence, and the change of the answer's log-probability is told. That asks for the cause, and works
for every memory. (What a memory reads could be compared with what each sentence wrote, as a memory
map does; but many memories have no such values, and what is read need not be what decides.) Two
sentences that say the same cover for each other: without either the answer stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from agents.algorithms.packing import in_parts, pack
from agents.algorithms.supervised import answer, as_streams
from agents.evaluation.answers import MOST_STEPS
from agents.networks.policy import MemoryPolicy
from memory_envs.stream import StreamBatch
from memory_envs.stream.text.typed import StoryReader, TypedLine

_CANDIDATES = 3


class Candidate(NamedTuple):
    """An answer, and how probable it is."""

    answer: str
    probability: float


class LeftOut(NamedTuple):
    """What becomes of an answer without one of the lines before the question.

    Attributes:
        line: The line.
        change: How much the logarithm of the answer's probability changes, in nats; what speaks for
            the answer makes it fall.
        answer: The most probable answer then.
    """

    line: str
    change: float
    answer: str


class Reply(NamedTuple):
    """What a model answers to a question.

    Attributes:
        question: The question.
        candidates: The most probable answers, the first is the model's.
        left_out: Of each line before the question, in their order.
    """

    question: str
    candidates: list[Candidate]
    left_out: list[LeftOut]

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields, ready for JSON."""
        return {
            "question": self.question,
            "answer": self.candidates[0].answer,
            "candidates": [candidate._asdict() for candidate in self.candidates],
            "left_out": [left_out._asdict() for left_out in self.left_out],
        }

    def lines(self) -> list[str]:
        """Returns it as text: the answers, then a line for each sentence before the question."""
        answers = ", ".join(f"{c.answer} {c.probability:.1%}" for c in self.candidates)
        own = self.candidates[0].answer
        then = ["" if own == each.answer else f"-> {each.answer}" for each in self.left_out]
        width = max(map(len, then), default=0)
        return [
            f"{self.question}  {answers}",
            *(
                f"  {each.change:+7.2f}  {other:{width}}  {each.line}"
                for each, other in zip(self.left_out, then, strict=True)
            ),
        ]


def ask(policy: MemoryPolicy, reader: StoryReader, lines: Sequence[TypedLine]) -> Reply:
    """Asks the question that the last line is.

    Args:
        policy: The policy.
        reader: How lines are shown to it.
        lines: The story; earlier questions are part of it, as they were in training.

    Raises:
        ValueError: If the last line is no question, or a line cannot be shown.
    """
    if not lines or not lines[-1].asks:
        raise ValueError("lines end without a question; allowed: lines of which the last ends in ?")
    steps = [reader.steps(line) for line in lines]
    stories = [steps, *(steps[:k] + steps[k + 1 :] for k in range(len(steps) - 1))]
    scores = _scores(policy, _batch(stories, reader.due), reader.due)[..., : len(reader.answers)]
    chosen = scores[0].argmax(axis=1)
    found = [float(row[np.arange(reader.due), chosen].sum()) for row in scores]
    return Reply(
        lines[-1].text,
        [
            Candidate(_joined(reader, words), float(np.exp(score)))
            for words, score in _best(scores[0], _CANDIDATES)
        ],
        [
            LeftOut(line.text, score - found[0], _joined(reader, row.argmax(axis=1)))
            for line, score, row in zip(lines[:-1], found[1:], scores[1:], strict=True)
        ],
    )


def _batch(stories: Sequence[Sequence[npt.NDArray[np.int64]]], due: int) -> StreamBatch:
    """Returns stories side by side, their last `due` steps asking for an answer."""
    shown = [np.concatenate(story) for story in stories]
    sizes = np.array([story.shape[0] for story in shown])
    inputs = np.zeros((sizes.max(), len(shown), *shown[0].shape[1:]), np.int64)
    mask = np.zeros(inputs.shape[:2], np.bool_)
    for row, story in enumerate(shown):
        inputs[: sizes[row], row] = story
        mask[sizes[row] - due : sizes[row], row] = True
    return StreamBatch(inputs, np.zeros(mask.shape, np.int64), mask, sizes, np.ones_like(sizes))


@torch.no_grad()
def _scores(policy: MemoryPolicy, batch: StreamBatch, due: int) -> npt.NDArray[np.float64]:
    """Returns the log-probabilities of B rows' answers ``(B, due, answers)``."""
    policy.set_training_mode(False)
    found = []
    for part in in_parts(batch, MOST_STEPS):
        packed = pack(part)
        answers = answer(policy, as_streams(packed, policy.device))[0]
        # Answers come step by step; here row by row, and of a row in the order of its steps.
        order = np.argsort(packed.rows[packed.due], kind="stable")
        scores = answers.log_probs[:, 0].double().cpu().numpy()[order]
        found.append(scores.reshape(-1, due, scores.shape[-1]))
    return np.concatenate(found)


def _best(scores: npt.NDArray[np.float64], count: int) -> list[tuple[tuple[int, ...], float]]:
    """Returns the most probable answers, the words of each and its log-probability.

    Args:
        scores: Log-probabilities ``(due, answers)`` of the words, which do not depend on each
            other.
        count: How many there shall be.
    """
    best: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    for row in scores:
        words = np.argsort(-row)[:count].tolist()
        longer = [
            ((*said, word), score + float(row[word])) for said, score in best for word in words
        ]
        best = sorted(longer, key=lambda item: -item[1])[:count]
    return best


def _joined(reader: StoryReader, words: Sequence[int] | npt.NDArray[np.int64]) -> str:
    return ",".join(reader.answers[number] for number in words)
