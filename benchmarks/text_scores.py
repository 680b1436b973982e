"""How well a model answers a text: every sequence of a split, once, the most probable answers.

The paper scores F1 over tokens, the mean over the right answers' kinds weighted by how often each
is right (its code calls it `weighted`). Beside it stand the share of right tokens and of sequences
without a mistake.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.stream.text.files import Folder, read_text
from memory_envs.stream.text.readers import TaggedSentence, read_tagged
from memory_envs.stream.text.texts import text_task

Ints = npt.NDArray[np.int64]
SPLITS = ("train", "dev")
_ROWS = 500


class Scores(NamedTuple):
    """Of a split.

    Attributes:
        f1: The weighted F1 of the tokens.
        right: The share of right tokens.
        whole: The share of sequences without a mistake.
    """

    f1: float
    right: float
    whole: float


class Sequences(NamedTuple):
    """The sequences of a split, one after the other.

    Attributes:
        inputs: What is shown, ``(N, ...)``.
        wanted: The right answers, ``(N,)``.
        starts: Where each begins, and where the last ends.
    """

    inputs: npt.NDArray[Any]
    wanted: Ints
    starts: Ints


def sequences(task: str, split: str) -> Sequences:
    """Returns a split of a text.

    Args:
        task: A name in `memory_envs.stream.text.tasks.TEXTS`.
        split: The part of the data.
    """
    starts, shown, wanted, *table = text_task(task, split=split).data
    inputs = table[0][shown] if table else shown
    return Sequences(inputs, wanted.astype(np.int64), starts)


def weighted_f1(wanted: Ints, given: Ints) -> float:
    """Returns the mean F1 of the kinds of answers, weighted by how often each is wanted."""
    size = int(max(wanted.max(), given.max())) + 1
    support, answered, hits = (
        np.bincount(part, minlength=size) for part in (wanted, given, wanted[wanted == given])
    )
    # 2 / (1 / precision + 1 / recall); what is neither wanted nor given weighs nothing.
    f1 = 2.0 * hits / np.maximum(support + answered, 1)
    return float((support * f1).sum() / support.sum())


def score(found: Sequences, given: Ints) -> Scores:
    """Scores answers, one for each token."""
    right = given == found.wanted
    whole = np.logical_and.reduceat(right, found.starts[:-1])
    return Scores(weighted_f1(found.wanted, given), float(right.mean()), float(whole.mean()))


def answers(model: Any, found: Sequences) -> Ints:
    """Plays every sequence once; returns the most probable answers, one for each token.

    Args:
        model: One of `agents`.
        found: The sequences.
    """
    given = np.zeros_like(found.wanted)
    sizes = np.diff(found.starts)
    order = np.argsort(sizes, kind="stable")  # so that those of a batch end together
    for first in range(0, len(order), _ROWS):
        rows = order[first : first + _ROWS]
        state, begins = None, np.ones(len(rows), np.bool_)
        for t in range(int(sizes[rows].max())):
            alive = t < sizes[rows]
            places = found.starts[rows] + np.where(alive, t, 0)
            chosen, state = model.predict(found.inputs[places], state, begins, deterministic=True)
            given[places[alive]] = chosen[alive]
            begins = np.zeros_like(begins)
    return given


def most_frequent_tags(split: str, capitals: bool = False, folder: Folder = None) -> Scores:
    """Scores who answers each word with its most frequent tag in the training set.

    A word that the training set does not have gets the tag that is the most frequent of all.

    Args:
        split: The part of the data that is tagged.
        capitals: Whether words are told apart by their capitals; the task shows words without.
        folder: Where the data are; None for those of the package.
    """
    training, tagged = _tagged("train", folder), _tagged(split, folder)
    spelt = str if capitals else str.lower
    counts: dict[str, Counter[str]] = {}
    for sentence in training:
        for word, tag in zip(sentence.words, sentence.tags, strict=True):
            counts.setdefault(spelt(word), Counter())[tag] += 1
    best = {word: _first(count) for word, count in counts.items()}
    overall = _first(sum(counts.values(), Counter()))
    numbers: dict[str, int] = {}

    def numbered(tags: Sequence[str]) -> Ints:
        return np.array([numbers.setdefault(tag, len(numbers)) for tag in tags], np.int64)

    wanted = numbered([tag for sentence in tagged for tag in sentence.tags])
    words = [spelt(word) for sentence in tagged for word in sentence.words]
    given = numbered([best.get(word, overall) for word in words])
    starts = np.cumsum([0, *(len(sentence.tags) for sentence in tagged)])
    return score(Sequences(np.empty(0), wanted, starts), given)


@lru_cache(maxsize=4)
def _tagged(split: str, folder: Folder) -> list[TaggedSentence]:
    return read_tagged(read_text(folder, "tagging", f"en-ud-tag.v2.{split}.txt"), 2)


def _first(count: Counter[str]) -> str:
    return count.most_common(1)[0][0]
