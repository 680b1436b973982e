"""One counter-based generator per row.

A generator is two words of the row's record: a key and a counter. Draw number `c` of key `k` is a
fixed mix of the two (the SplitMix64 finaliser of Steele, Lea & Flood 2014, applied to a Weyl
sequence), so a row's stream depends on its own seed alone, never on the other rows or on how many
there are. Saving the record saves the generator.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

RNG_FIELDS: list[tuple[str, str]] = [("rng_key", "u8"), ("rng_counter", "u8")]

_WORD = 1 << 64
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ONE = np.uint64(1)
_SHIFT_30, _SHIFT_27, _SHIFT_31 = np.uint64(30), np.uint64(27), np.uint64(31)
_SHIFT_32, _SHIFT_11 = np.uint64(32), np.uint64(11)


@njit(cache=True)
def _mix(word):  # type: ignore[no-untyped-def]
    word = (word ^ (word >> _SHIFT_30)) * _MIX_1
    word = (word ^ (word >> _SHIFT_27)) * _MIX_2
    return word ^ (word >> _SHIFT_31)


@njit(cache=True)
def next_word(row):  # type: ignore[no-untyped-def]
    """Returns the row's next 64 random bits."""
    row.rng_counter = row.rng_counter + _ONE
    return _mix(row.rng_key + row.rng_counter * _GOLDEN)


@njit(cache=True)
def draw(row, bound):  # type: ignore[no-untyped-def]
    """Returns an integer drawn uniformly from ``0 .. bound - 1``; `bound` is at most 2**31.

    Multiplies 32 random bits by the bound and keeps the high word; the bias is below
    ``bound / 2**32``.
    """
    return np.int64(((next_word(row) >> _SHIFT_32) * np.uint64(bound)) >> _SHIFT_32)


@njit(cache=True)
def uniform(row):  # type: ignore[no-untyped-def]
    """Returns a float drawn uniformly from [0, 1), with 53 random bits."""
    return np.float64(next_word(row) >> _SHIFT_11) * (1.0 / 9007199254740992.0)


def seed_rows(rows: npt.NDArray[np.void], indices: Sequence[int], seeds: Sequence[int]) -> None:
    """Returns the given rows to their blank state and keys their generators.

    Args:
        rows: Records of shape ``(B,)`` that hold `RNG_FIELDS`.
        indices: The rows to seed.
        seeds: A non-negative integer for each; only its lowest 64 bits count.
    """
    words = np.array([seed % _WORD for seed in seeds], dtype=np.uint64)
    # Seeds are mostly 0, 1, 2, ...: mixing twice keeps neighbouring rows' streams far apart.
    keys = mix_words(mix_words(words + _GOLDEN) ^ _GOLDEN)
    keys[keys == 0] = _GOLDEN  # 0 means never seeded
    index = np.asarray(indices, dtype=np.intp)
    rows[index] = np.zeros(1, rows.dtype)
    rows["rng_key"][index] = keys


def words_at(keys: npt.NDArray[np.uint64], counters: Any) -> npt.NDArray[np.uint64]:
    """Returns draw number `counters` of each key: what `next_word` gives there, for arrays.

    Args:
        keys: Of any shape.
        counters: Non-negative integers of a shape that broadcasts with it.
    """
    return mix_words(keys + np.asarray(counters, np.uint64) * _GOLDEN)


def mix_words(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Returns words whose bits are a fixed mix of those of each, one to one."""
    words = (words ^ (words >> _SHIFT_30)) * _MIX_1
    words = (words ^ (words >> _SHIFT_27)) * _MIX_2
    return words ^ (words >> _SHIFT_31)
