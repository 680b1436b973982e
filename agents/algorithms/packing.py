"""Whole streams of different lengths, one below the other, so that few steps are spent on nothing.

A batch of streams is as long as the longest of them; of bAbI's stories more than four fifths would
be padding. Here streams share columns: the longest has one for itself, and what is shorter is put
below others. All that a batch holds is in it, so that what is learned from it is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.stream import StreamBatch


class Packed(NamedTuple):
    """B streams in C columns of T steps.

    Attributes:
        inputs: Of shape ``(T, C, ...)``; zeros where no stream is.
        targets: Of shape ``(T, C, ...)``; zeros where no answer is due.
        due: Of shape ``(T, C)`` bool, where an answer is due.
        starts: Of shape ``(T, C)`` bool, where a stream begins.
        rows: Of shape ``(T, C)``, the number of the stream; -1 where none is.
    """

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[np.int64]
    due: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.int64]


def pack(batch: StreamBatch) -> Packed:
    """Puts each stream, the longest first, below the column that is the shortest so far.

    There are as many columns as the longest stream allows, if none is to be much longer. Streams of
    the same length stay side by side, in their order.

    Args:
        batch: The streams.
    """
    sizes = batch.sizes
    columns = max(1, int(sizes.sum() // sizes.max()))
    heights = np.zeros(columns, np.int64)
    places = np.empty((len(sizes), 2), np.int64)  # the first step and the column of each
    for row in np.argsort(-sizes, kind="stable").tolist():
        column = int(heights.argmin())
        places[row] = heights[column], column
        heights[column] += sizes[row]
    shape = (int(heights.max()), columns)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    where = places[owners, 0] + within, places[owners, 1]
    inputs = np.zeros((*shape, *batch.inputs.shape[2:]), batch.inputs.dtype)
    targets = np.zeros((*shape, *batch.targets.shape[2:]), batch.targets.dtype)
    due, starts = np.zeros((2, *shape), np.bool_)
    rows = np.full(shape, -1, np.int64)
    inputs[where] = batch.inputs[within, owners]
    targets[where] = batch.targets[within, owners]
    due[where] = batch.mask[within, owners]
    rows[where] = owners
    starts[places[:, 0], places[:, 1]] = True
    return Packed(inputs, targets, due, starts, rows)


def in_parts(batch: StreamBatch, most_steps: int) -> Iterator[StreamBatch]:
    """Yields streams of a batch, in their order, as many at a time as have so many steps or fewer.

    Args:
        batch: The streams.
        most_steps: Steps of all streams of a part together; a longer stream is alone.
    """
    first, steps = 0, 0
    for row, size in enumerate([*batch.sizes.tolist(), most_steps]):
        steps += size
        if steps > most_steps and row > first:
            yield _rows(batch, slice(first, row))
            first, steps = row, size


def _rows(batch: StreamBatch, rows: slice) -> StreamBatch:
    longest = int(batch.sizes[rows].max())
    return StreamBatch(
        batch.inputs[:longest, rows],
        batch.targets[:longest, rows],
        batch.mask[:longest, rows],
        batch.sizes[rows],
        batch.lengths[rows],
    )
