"""Streams laid out in columns, one after the other, so that no step is spent on nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.stream import StreamBatch


class Columns(NamedTuple):
    """Streams in C columns of T steps.

    Attributes:
        inputs: Of shape ``(T, C, ...)``.
        targets: Of shape ``(T, C)``.
        due: Of shape ``(T, C)`` bool, where an answer is due.
        starts: Of shape ``(T, C)`` bool, where a stream begins.
        ends: Of shape ``(T, C)`` bool, where the last answer of a stream is due.
    """

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[np.int64]
    due: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.bool_]
    ends: npt.NDArray[np.bool_]

    def episodes(
        self, right: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Returns the number of right answers and of all in each stream that is here whole.

        Args:
            right: Of shape ``(T, C)``, which answers are right.
        """
        # Column below column, streams are one after the other.
        starts, ends, counted = (part.ravel("F") for part in (self.starts, self.ends, right))
        first, last = np.flatnonzero(starts), np.flatnonzero(ends)
        first = first[np.searchsorted(first, last, side="right") - 1]
        before = np.concatenate([[0], np.cumsum(counted)])
        return before[last + 1] - before[first], last + 1 - first


def lay_out(batch: StreamBatch, columns: int) -> Columns:
    """Puts each stream below the column that is the shortest so far.

    All columns end where the shortest does: what is longer is cut off.

    Args:
        batch: The streams; at least as many as columns.
        columns: Number of columns.
    """
    places: list[list[tuple[int, int]]] = [[] for _ in range(columns)]
    heights = np.zeros(columns, np.int64)
    for row, size in enumerate(batch.sizes.tolist()):
        column = int(heights.argmin())
        places[column] += [(t, row) for t in range(size)]
        heights[column] += size
    steps = int(heights.min())
    times, rows = np.array([place[:steps] for place in places]).transpose(2, 1, 0)
    return Columns(
        batch.inputs[times, rows],
        batch.targets[times, rows],
        batch.mask[times, rows],
        times == 0,
        times == batch.sizes[rows] - 1,
    )
