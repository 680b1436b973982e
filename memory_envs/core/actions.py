"""Actions are checked here, before any compiled code sees them."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import InvalidAction

from memory_envs.arguments import shown
from memory_envs.core.rules import ActionSpace, IntArray

_INT64 = np.dtype(np.int64)


class ActionChecker:
    """Turns what a user passes to `step` into valid integers, or raises InvalidAction."""

    def __init__(self, space: ActionSpace, num_rows: int) -> None:
        self._discrete = isinstance(space, spaces.Discrete)
        sizes = [int(space.n)] if isinstance(space, spaces.Discrete) else space.nvec.tolist()
        self._sizes: list[int] = sizes
        self._limits = np.tile(np.array(sizes, dtype=np.uint64), (num_rows, 1))
        self._shape = (num_rows,) if self._discrete else (num_rows, len(sizes))

    def one(self, action: Any) -> list[int]:
        """Returns the sub-actions of one row.

        Raises:
            InvalidAction: If `action` is not in the space.
        """
        if type(action) is not np.ndarray or action.dtype is not _INT64:
            action = self._as_integers(action)
        if action.shape != self._shape[1:]:
            raise InvalidAction(f"action has shape {action.shape}; allowed: {self._shape[1:]}")
        values: list[int] = [int(action)] if self._discrete else action.tolist()
        for value, size in zip(values, self._sizes, strict=True):
            if not 0 <= value < size:
                raise InvalidAction(self._range_message(values))
        return values

    def batch(self, actions: Any) -> IntArray:
        """Returns the sub-actions of all rows, of shape ``(B, sub-actions)``.

        Raises:
            InvalidAction: If any row's action is not in the space.
        """
        array = self._as_integers(actions)
        if array.shape != self._shape:
            raise InvalidAction(f"actions has shape {array.shape}; allowed: {self._shape}")
        # uint64 values above 2**63 become negative here and are refused below with the rest.
        # It is a copy, as the user may reuse the array and compiled code is bound to one layout.
        integers = np.array(array, dtype=np.int64, order="C").reshape(self._shape[0], -1)
        # Seen as unsigned, a negative number is huge: one comparison covers both ends.
        outside = integers.view(np.uint64) >= self._limits
        if outside.any():
            row = int(np.flatnonzero(outside.any(axis=1))[0])
            raise InvalidAction(f"row {row}: " + self._range_message(integers[row].tolist()))
        return integers

    def _as_integers(self, action: Any) -> np.ndarray[Any, np.dtype[Any]]:
        try:
            array = np.asarray(action)
        except Exception as error:  # a user's object may raise anything while it is converted
            raise InvalidAction(f"action is {shown(action)}; allowed: integers") from error
        if array.dtype.kind not in "iu":
            given = f"action is {shown(action)}, of dtype {array.dtype}"
            raise InvalidAction(f"{given}; allowed: integers")
        return array

    def _range_message(self, values: list[int]) -> str:
        if self._discrete:
            return f"action is {values[0]}; allowed: integers from 0 to {self._sizes[0] - 1}"
        ranges = ", ".join(f"0 to {size - 1}" for size in self._sizes)
        return f"action is {values}; allowed: sub-actions from {ranges}"
