"""How hard the next episode is: drawn from the row's generator, by compiled code.

`levels` is the vector ``[current, p_any, p_below]`` that a `memory_envs.Curriculum` keeps; without
a curriculum every level is equally likely.
"""

import numpy as np
from numba import njit

from memory_envs.core.rng import draw, next_word, uniform

_ONE = np.uint64(1)

UNIFORM_LEVELS = np.array([1.0, 1.0, 0.0])


# It takes numbers rather than the vector: passing an array costs more than the draw.
@njit(cache=True)
def draw_level(row, lowest, highest, current, p_any, p_below):  # type: ignore[no-untyped-def]
    """Returns a level drawn after Table 3 of Zaremba & Sutskever (2015).

    With probability `p_any` uniform over all levels; with `p_below` uniform up to C + e; otherwise
    exactly C + e, where e is geometric: p(e = k) = 2**-k, k = 1, 2, ...
    """
    kind = uniform(row) if p_any < 1.0 else 0.0
    if kind < p_any:
        return lowest + draw(row, highest - lowest + 1)
    hardest = np.int64(current) + _draw_geometric(row)
    hardest = min(max(hardest, lowest), highest)
    if kind < p_any + p_below:
        return lowest + draw(row, hardest - lowest + 1)
    return hardest


@njit(cache=True)
def _draw_geometric(row):  # type: ignore[no-untyped-def]
    bits = next_word(row)
    tosses = 1
    while tosses < 64 and (bits & _ONE) == 0:
        bits >>= _ONE
        tosses += 1
    return tosses
