"""All strings that a tape task can draw, with what is to be emitted for each."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from memory_envs.certificates.scripts import NotEnumerableError, outcomes
from memory_envs.core.rng import RNG_FIELDS
from memory_envs.tape.settings import TapeSettings

Symbols = tuple[int, ...]


class String(NamedTuple):
    """One string that can be drawn.

    Attributes:
        probability: Of this string among those of its length.
        source: Its symbols, without the end mark.
        target: What is to be emitted, likewise.
    """

    probability: float
    source: Symbols
    target: Symbols


def list_strings(settings: TapeSettings, length: int) -> list[String]:
    """Returns all strings of one length.

    Raises:
        NotEnumerableError: If there are too many, or they are not drawn by `memory_envs.draw`.
    """
    task, symbols = settings.task, settings.symbols

    def run(sample: Callable[..., Any]) -> tuple[Symbols, Symbols]:
        source = np.zeros(task.source_cells(length), np.int16)
        target = np.zeros(task.target_cells(length), np.int16)
        row = np.zeros(1, RNG_FIELDS)[0]
        size = sample(row, length, symbols, source)
        if row["rng_counter"]:  # it was drawn from after all, by a name that was not found
            raise NotEnumerableError("draws that cannot be followed")
        goal_size = task.target(source[:size].copy(), size, symbols, target)
        return tuple(source[:size].tolist()), tuple(target[:goal_size].tolist())

    return [String(chance, *found) for chance, found in outcomes(task.sample, run)]


def turns_round(strings: list[String], symbols: int) -> bool:
    """Says whether the strings meet what `heads.turned_round` asks for.

    The first symbol of the target has to be that of some cell A, the second that of the cell before
    A; and with everything else given, the two have to be uniform and independent.
    """
    if any(len(string.target) < 2 for string in strings):
        return False
    shortest = min(len(string.source) for string in strings)
    return any(
        all(string.target[:2] == (string.source[a], string.source[a - 1]) for string in strings)
        and _uniform_pair(strings, a, symbols)
        for a in range(1, shortest)
    )


def _uniform_pair(strings: list[String], a: int, symbols: int) -> bool:
    groups: defaultdict[Symbols, defaultdict[Symbols, float]] = defaultdict(
        lambda: defaultdict(float)
    )
    for string in strings:
        rest = (len(string.source), *string.source[: a - 1], *string.source[a + 1 :])
        groups[rest][string.source[a - 1 : a + 1]] += string.probability
    return all(
        len(pairs) == symbols**2 and max(pairs.values()) - min(pairs.values()) < 1e-12
        for pairs in groups.values()
    )
