"""Spaces of discrete parts, as one-hots and as single numbers."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from memory_envs.core.rules import BoolArray, IntArray

_LARGEST_SPACE = 2**31 - 1


class OneHot:
    """One-hots of symbols, one after the other."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        sizes = part_sizes(space, "observations")
        self._shape = space.shape
        self._offsets = np.cumsum([0, *sizes[:-1]]) - part_firsts(space)
        self.space = spaces.Box(0.0, 1.0, (sum(sizes),), np.float32)

    def __call__(self, symbols: Any) -> npt.NDArray[np.float32]:
        """Maps ``(..., *shape)`` symbols to ``(..., n)``."""
        found = np.asarray(symbols)
        assert self._shape is not None
        leading = found.shape[: found.ndim - len(self._shape)]
        one_hot = np.zeros((*leading, *self.space.shape), np.float32)
        ones = found.reshape(*leading, -1) + self._offsets
        np.put_along_axis(one_hot, ones, np.float32(1.0), axis=-1)
        return one_hot


class Digits:
    """Numbers whose digits, of mixed radix, are the parts of an action."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        self._whole = space
        parts = {"": space}
        if isinstance(space, spaces.Dict):
            parts = dict(space.items())
        elif isinstance(space, spaces.Tuple):
            parts = {str(index): part for index, part in enumerate(space)}
        elif not isinstance(space, spaces.MultiDiscrete):
            parts = {}
        if not parts or not all(_is_flat(part) for part in parts.values()):
            raise TypeError(
                f"env has actions {space}; allowed: flat MultiDiscrete, Tuple and Dict of Discrete "
                "and flat MultiDiscrete"
            )
        self._parts = parts
        self._sizes = tuple(size for part in parts.values() for size in part_sizes(part, "actions"))
        self._first = np.concatenate([part_firsts(part) for part in parts.values()])
        count = math.prod(self._sizes)
        if count > _LARGEST_SPACE:
            raise ValueError(f"env has {count} actions; allowed: at most {_LARGEST_SPACE}")
        self.space = spaces.Discrete(count)

    def split(self, numbers: IntArray) -> Any:
        """Returns actions of the whole space, with the leading dimensions of the numbers."""
        digits = np.stack(np.unravel_index(numbers, self._sizes), axis=-1) + self._first
        if isinstance(self._whole, spaces.MultiDiscrete):
            return np.asarray(digits, np.int64)
        found: dict[str, Any] = {}
        start = 0
        for name, part in self._parts.items():
            stop = start + len(part_firsts(part))
            found[name] = digits[..., start:stop].astype(part.dtype)
            if isinstance(part, spaces.Discrete):
                found[name] = found[name][..., 0]
            start = stop
        return found if isinstance(self._whole, spaces.Dict) else tuple(found.values())

    def join(self, actions: Any) -> IntArray:
        """Returns the numbers of actions: the inverse of `split`."""
        values = [actions]
        if isinstance(self._whole, spaces.Dict):
            values = [actions[name] for name in self._parts]
        elif isinstance(self._whole, spaces.Tuple):
            values = list(actions)
        columns = [
            np.asarray(value)[..., None] if isinstance(part, spaces.Discrete) else np.asarray(value)
            for value, part in zip(values, self._parts.values(), strict=True)
        ]
        digits = np.concatenate(columns, axis=-1) - self._first
        return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(digits, -1, 0)), self._sizes))

    def masks(self, masks: BoolArray) -> BoolArray:
        """Joins one mask per digit, ``(B, sum of sizes)``, to one of ``(B, product of sizes)``."""
        flat: BoolArray = np.ones((len(masks), 1), np.bool_)
        for part in np.split(masks, np.cumsum(self._sizes)[:-1], axis=1):
            flat = (flat[:, :, None] & part[:, None, :]).reshape(len(masks), -1)
        return flat


def _is_flat(space: spaces.Space[Any]) -> bool:
    return isinstance(space, spaces.Discrete) or (
        isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1
    )


def part_sizes(space: spaces.Space[Any], what: str) -> list[int]:
    """Returns the number of values of each part of a `Discrete` or flat `MultiDiscrete` space.

    Args:
        space: The space.
        what: What it is a space of, for the error.

    Raises:
        TypeError: If it is another space.
    """
    if not _is_flat(space):
        raise TypeError(f"env has {what} {space}; allowed: Discrete, flat MultiDiscrete")
    assert isinstance(space, spaces.Discrete | spaces.MultiDiscrete)
    sizes = space.n if isinstance(space, spaces.Discrete) else space.nvec
    return [int(size) for size in np.atleast_1d(sizes)]


def part_firsts(space: spaces.Space[Any]) -> npt.NDArray[Any]:
    """Returns the lowest value of each part."""
    assert isinstance(space, spaces.Discrete | spaces.MultiDiscrete)
    return np.atleast_1d(space.start)
