"""Seeds and reset options, as Gymnasium's `reset` takes them."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from memory_envs.arguments import check_choice, check_integer, shown

_LARGEST = 2**64 - 1


def check_seed(seed: Any, name: str = "seed") -> int:
    """Returns `seed` as an int.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is negative or above 2**64 - 1.
    """
    return check_integer(name, seed, 0, _LARGEST)


def fresh_seed(generator: np.random.Generator) -> int:
    """Returns a seed for a row that was given none, from Gymnasium's own generator."""
    return int(generator.integers(2**63))


def row_seeds(seed: Any, num_rows: int) -> list[int | None]:
    """Returns a seed per row: `seed` + row, the items of a sequence, or all None.

    Raises:
        TypeError, ValueError: For a bad seed, or for a sequence of another length.
    """
    if seed is None:
        return [None] * num_rows
    if isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str | bytes):
        if len(seed) != num_rows:
            raise ValueError(f"seed has {len(seed)} items; allowed: {num_rows}, one a row")
        return [None if item is None else check_seed(item, "seed's item") for item in seed]
    first = check_seed(seed)
    return [(first + row) & _LARGEST for row in range(num_rows)]


def check_options(options: Any, known: Collection[str]) -> dict[str, Any]:
    """Returns `options` as a dict with no unknown key.

    Raises:
        TypeError: If it is neither None nor a dict.
        ValueError: Naming an unknown key.
    """
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise TypeError(f"options is {shown(options)}; allowed: None, a dict")
    for key in options:
        check_choice("options' key", key, known)
    return options
