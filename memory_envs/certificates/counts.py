"""The best answers to a window, where a stream does not depend on what is answered.

What a policy gets that answers by its window alone is a sum over the windows, and the policy is
free to answer each window as it likes: so the best one gives to each the answer that is right most
often with it. A part of an answer counts by itself, as it is paid by itself.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable
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
        length: The length that it was drawn with.
    """

    probability: float
    inputs: npt.NDArray[Any]
    targets: npt.NDArray[np.int32]
    length: int = 0


def count(streams: Iterable[Stream], k: int | None) -> Counts:
    """Returns, by window and part of the answer, how much each answer is worth with it.

    A window at the beginning is shorter, and that can be seen.

    Args:
        streams: All streams that can come.
        k: How many of the last inputs are in view; None for all that there were.
    """
    counts: Counts = defaultdict(lambda: defaultdict(float))
    for stream in streams:
        parts = stream.targets.shape[1]
        rows = [row.tobytes() for row in stream.inputs]
        for t in np.flatnonzero(stream.targets[:, 0] != NO_ANSWER).tolist():
            window = tuple(rows[0 if k is None else max(0, t + 1 - k) : t + 1])
            for part in range(parts):
                target = int(stream.targets[t, part])
                counts[window, part][target] += stream.probability / parts
    return counts


def best_value(counts: Counts) -> float:
    """Returns what the best answers are worth together."""
    return sum(max(answers.values()) for answers in counts.values())
