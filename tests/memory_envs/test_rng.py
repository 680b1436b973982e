"""The row generators: uniform, apart from one another, and kept in the row's record."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numba import njit

from memory_envs.core.rng import RNG_FIELDS, draw, next_word, seed_rows, uniform

Words = npt.NDArray[np.uint64]


@njit
def _words(rows, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = next_word(rows[i])


@njit
def _draws(rows, bound, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = draw(rows[i], bound)


@njit
def _uniforms(rows, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = uniform(rows[i])


def _rows(seeds: range | list[int]) -> npt.NDArray[Any]:
    rows = np.zeros(len(seeds), RNG_FIELDS)
    seed_rows(rows, list(range(len(seeds))), list(seeds))
    return rows


def _bits(num_rows: int, per_row: int) -> npt.NDArray[np.float64]:
    """Random bits of rows seeded 0, 1, 2, ..., shape ``(rows, words, 64)``."""
    words = np.empty((num_rows, per_row), np.uint64)
    _words(_rows(range(num_rows)), words)
    shifts = np.arange(64, dtype=np.uint64)
    return ((words[:, :, None] >> shifts) & np.uint64(1)).astype(np.float64)


def test_every_bit_is_fair() -> None:
    bits = _bits(500, 400)
    share = bits.mean(axis=(0, 1))
    assert np.abs(share - 0.5).max() < 5 * 0.5 / np.sqrt(500 * 400)


def test_bits_do_not_depend_on_one_another() -> None:
    bits = _bits(300, 200).reshape(-1, 64) - 0.5
    correlation = 4 * (bits.T @ bits) / len(bits)
    np.fill_diagonal(correlation, 0.0)
    assert np.abs(correlation).max() < 6 / np.sqrt(len(bits))


@pytest.mark.parametrize("lag", [1, 2, 3])
def test_following_draws_do_not_depend_on_one_another(lag: int) -> None:
    bits = _bits(100, 600) - 0.5
    correlation = 4 * (bits[:, lag:] * bits[:, :-lag]).mean(axis=(0, 1))
    assert np.abs(correlation).max() < 5 / np.sqrt(100 * (600 - lag))


@pytest.mark.parametrize("gap", [1, 2, 16])
def test_neighbouring_seeds_do_not_depend_on_one_another(gap: int) -> None:
    bits = _bits(600, 100) - 0.5
    correlation = 4 * (bits[gap:] * bits[:-gap]).mean(axis=(0, 1))
    assert np.abs(correlation).max() < 5 / np.sqrt((600 - gap) * 100)


def test_streams_of_neighbouring_seeds_do_not_overlap() -> None:
    words = np.empty((300, 300), np.uint64)
    _words(_rows(range(300)), words)
    assert len(np.unique(words)) == words.size


@pytest.mark.parametrize("bound", [1, 2, 3, 10, 31, 1000])
def test_integers_are_uniform_below_their_bound(bound: int) -> None:
    out = np.empty((400, 250), np.int64)
    _draws(_rows(range(400)), bound, out)
    counts = np.bincount(out.ravel(), minlength=bound)
    assert len(counts) == bound
    expected = out.size / bound
    chi_square = ((counts - expected) ** 2 / expected).sum()
    # Five standard deviations above the mean of its distribution.
    assert chi_square <= (bound - 1) + 5 * np.sqrt(2 * (bound - 1))


def test_first_draws_over_seeds_are_uniform_too() -> None:
    out = np.empty((50_000, 1), np.int64)
    _draws(_rows(range(50_000)), 10, out)
    counts = np.bincount(out.ravel(), minlength=10)
    assert ((counts - 5_000) ** 2 / 5_000).sum() < 9 + 5 * np.sqrt(18)


def test_large_bounds_stay_in_range() -> None:
    out = np.empty((50, 1000), np.int64)
    for bound in (2**31, 2**31 - 1, 10**9):
        _draws(_rows(range(50)), bound, out)
        assert 0 <= out.min() < bound // 1000
        assert bound - bound // 1000 < out.max() < bound


def test_floats_are_uniform_on_the_unit_interval() -> None:
    out = np.empty((100, 1000))
    _uniforms(_rows(range(100)), out)
    assert 0.0 <= out.min() < 1e-4
    assert 1.0 - 1e-4 < out.max() < 1.0
    counts = np.histogram(out, bins=20, range=(0.0, 1.0))[0]
    assert ((counts - 5_000) ** 2 / 5_000).sum() < 19 + 5 * np.sqrt(38)


def test_the_stream_is_that_of_splitmix64() -> None:
    """By an independent transcription, in Python's own integers, of Steele, Lea & Flood (2014)."""

    def mix(word: int) -> int:
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % 2**64
        return word ^ (word >> 31)

    golden = 0x9E3779B97F4A7C15
    for seed in (0, 1, 7, 2**63, 2**64 - 1):
        words = np.empty((1, 5), np.uint64)
        _words(_rows([seed]), words)
        key = mix(mix((seed + golden) % 2**64) ^ golden)
        assert words[0].tolist() == [mix((key + n * golden) % 2**64) for n in range(1, 6)]


def test_a_stream_depends_on_its_own_seed_alone() -> None:
    alone, among = np.empty((1, 20), np.uint64), np.empty((9, 20), np.uint64)
    _words(_rows([5]), alone)
    _words(_rows(range(9)), among)
    np.testing.assert_array_equal(alone[0], among[5])


def test_the_record_holds_the_whole_generator() -> None:
    rows = _rows(range(4))
    first, second = np.empty((4, 10), np.uint64), np.empty((4, 10), np.uint64)
    _words(rows, first)
    saved = rows.copy()
    _words(rows, first)
    _words(saved, second)
    np.testing.assert_array_equal(first, second)


def test_seeding_touches_the_given_rows_alone() -> None:
    rows = _rows(range(5))
    before = rows.copy()
    rows["rng_counter"] = 9
    seed_rows(rows, [1, 3], [100, 2**64 + 100])
    assert rows["rng_counter"].tolist() == [9, 0, 9, 0, 9]
    assert rows["rng_key"][1] == rows["rng_key"][3]
    assert (rows["rng_key"] == before["rng_key"]).tolist() == [True, False, True, False, True]


def test_no_seed_gives_the_key_that_means_never_seeded() -> None:
    # Of all 64-bit seeds, the one whose two mixings come to zero.
    assert _rows([14787246121499254518])["rng_key"][0] != 0
