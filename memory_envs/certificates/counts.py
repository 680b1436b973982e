"""The best answers to a window, where a stream does not depend on what is answered.

What a policy gets that answers by its window alone is a sum over the windows, and the policy is
free to answer each window as it likes: so the best one gives to each the answer that is right most
often with it. A part of an answer counts by itself, as it is paid by itself.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.stream.task import NO_ANSWER

Counts = defaultdict[Hashable, defaultdict[Hashable, float]]


class Stream(NamedTuple):
    """One stream that can come, and how likely.

    Attributes:
        probability: Of this stream.
        inputs: Of shape ``(steps, numbers)``.
        targets: Of shape ``(steps, parts)``, `NO_ANSWER` where none is due.
    """

    probability: float
    inputs: npt.NDArray[Any]
    targets: npt.NDArray[np.int32]


def windows(inputs: npt.NDArray[Any], k: int | None) -> Iterator[Hashable]:
    """Yields what a policy sees at each step: the last `k` inputs, or with None all there were.

    A window at the beginning is shorter, and that can be seen.
    """
    rows = [row.tobytes() for row in inputs]
    for t in range(1, len(rows) + 1):
        yield tuple(rows[0 if k is None else max(0, t - k) : t])


def count(streams: Iterable[Stream], k: int | None) -> Counts:
    """Returns, by window and part of the answer, how much each answer is worth with it."""
    counts: Counts = defaultdict(lambda: defaultdict(float))
    for stream in streams:
        parts = stream.targets.shape[1]
        for window, target in zip(windows(stream.inputs, k), stream.targets, strict=True):
            if target[0] != NO_ANSWER:
                for part in range(parts):
                    counts[window, part][int(target[part])] += stream.probability / parts
    return counts


def best_value(counts: Counts) -> float:
    """Returns what the best answers are worth together."""
    return sum(max(answers.values()) for answers in counts.values())
