"""The arrays of the stream family: its state and its results."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.core.rules import RESULT_FIELDS, ROW_FIELDS

ROW = np.dtype(
    [
        *ROW_FIELDS,
        ("length", "i4"),  # the length that the task was sampled with
        ("size", "i4"),  # steps of the stream
        ("due", "i4"),  # number of answers that are due in it
        ("correct", "i4"),  # number of right ones so far
    ],
    align=True,
)

RESULT = np.dtype(
    [
        *RESULT_FIELDS,
        ("success", "?"),  # all answers were right
        ("complexity", "i4"),  # the length
        ("symbols_correct", "i4"),  # right answers
        ("target_size", "i4"),  # answers that are due
    ],
    align=True,
)


class StreamState(NamedTuple):
    """The full state of B rows whose streams have T steps at most.

    Attributes:
        rows: Of shape ``(B,)``.
        inputs: Of shape ``(B, T, numbers of an input)``.
        targets: Of shape ``(B, T, numbers of an answer)``; `NO_ANSWER` where none is due.
        answers: Of the same shape, what was answered where an answer was due; else `NO_ANSWER`.
    """

    rows: npt.NDArray[np.void]
    inputs: npt.NDArray[Any]
    targets: npt.NDArray[np.int32]
    answers: npt.NDArray[np.int32]


class StreamBatch(NamedTuple):
    """Whole streams of B rows, to learn from by gradients; T is the steps of the longest.

    Attributes:
        inputs: Of shape ``(T, B, ...)``, in the space of observations; zeros behind a row's end.
        targets: Of shape ``(T, B, ...)``, in the space of actions; zeros where no answer is due.
        mask: Of shape ``(T, B)`` bool, where an answer is due.
        sizes: Of shape ``(B,)``, number of steps of each row.
        lengths: Of shape ``(B,)``, the lengths that the streams were drawn with.
    """

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_]
    sizes: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
