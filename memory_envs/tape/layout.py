"""The arrays of the tape family: its state, its parameters and its results."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.core.rules import RESULT_FIELDS, ROW_FIELDS

ROW = np.dtype(
    [
        *ROW_FIELDS,
        ("length", "i4"),  # the length that the task was sampled with
        ("level", "i4"),  # the level that was drawn, from which the length follows
        ("source_size", "i4"),  # cells of the input, end mark included
        ("target_size", "i4"),  # symbols of the target, end mark included
        ("limit", "i4"),  # the time limit, in steps
        ("input_head", "i4"),
        ("memory_head", "i4"),
        ("emitted", "i4"),  # number of symbols so far, which is also the output head
        ("correct", "i4"),  # number of right ones among them
    ],
    align=True,
)

PARAMS = np.dtype(
    [
        ("symbols", "i8"),
        ("lowest", "i8"),  # the levels that are drawn
        ("highest", "i8"),
        ("input_radius", "i8"),
        ("memory_window", "i8"),  # number of cells seen; 0 without a memory tape
        ("max_steps", "i8"),  # 0 where the oracle's steps decide
        ("wrong_reward", "f8"),
        ("timeout_reward", "f8"),
        ("terminate_on_error", "?"),
        ("forced_emission", "?"),
    ],
    align=True,
)

RESULT = np.dtype(
    [
        *RESULT_FIELDS,
        ("success", "?"),  # the whole target was emitted without a mistake
        ("complexity", "i4"),  # the level
        ("symbols_correct", "i4"),
        ("target_size", "i4"),
    ],
    align=True,
)


class TapeState(NamedTuple):
    """The full state of B rows; tapes hold symbols, ``(B, cells)``."""

    rows: npt.NDArray[np.void]
    source: npt.NDArray[np.int16]
    target: npt.NDArray[np.int16]
    output: npt.NDArray[np.int16]
    memory: npt.NDArray[np.int16]
