"""The tasks of the tape family: what is written on the input tape, and what must be emitted.

A task is three plain functions that Numba can compile. They see content symbols only; the end mark
that closes both strings is added by the rules. `symbols` is K, the number of content symbols.

    sample(row, length, symbols, source) -> cells written     fills `source`
    target(source, size, symbols, out)   -> cells written     fills `out` from source[:size]
    steps(source, size, goal_size)       -> oracle's steps    both sizes count the end mark

`sample` takes its randomness from `memory_envs.tape.draw(row, n)`, an integer below n. A task of
one's own needs only the first two; its time limit then rests on reading everything once and
emitting afterwards, `size + goal_size` steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_envs.core.rng import draw

Sample = Callable[[Any, int, int, npt.NDArray[np.int16]], int]
Target = Callable[[npt.NDArray[np.int16], int, int, npt.NDArray[np.int16]], int]
MOST_STEPS = 2**29  # of an oracle: twice that and ten more is still a 32-bit integer
Steps = Callable[[npt.NDArray[np.int16], int, int], int]


def _same(length: int) -> int:
    return length


def _one_more(length: int) -> int:
    return length + 1


def _thrice(length: int) -> int:
    return 3 * length


def _twice_and_one(length: int) -> int:
    return 2 * length + 1


def _read_then_emit(source, size, goal_size):  # type: ignore[no-untyped-def]
    return size + goal_size


@dataclass(frozen=True)
class TapeTask:
    """A task for the tape environments.

    Attributes:
        name: Its name in ids and messages.
        sample: Function that fills the input; see the module's docstring.
        target: Function that computes the target from the input.
        steps: Function that says how many steps the oracle takes; the time limit is twice that and
            ten more.
        source_cells: Function from a length to the largest input, without the end mark.
        target_cells: Function from a length to the largest target, without the end mark.
        forward_only: Whether the input head cannot move left.
        memory: Whether there is a memory tape.
        min_symbols: The fewest content symbols that the task can do with.
    """

    name: str
    sample: Sample
    target: Target
    steps: Steps = _read_then_emit
    source_cells: Callable[[int], int] = _same
    target_cells: Callable[[int], int] = _same
    forward_only: bool = False
    memory: bool = False
    min_symbols: int = 1


# The commonest tasks fill the whole tape, whatever the length: the processor predicts where a loop
# of fixed length ends, and mispredicted ends cost more than the cells that are drawn in vain.


def _sample_symbols(row, length, symbols, source):  # type: ignore[no-untyped-def]
    for i in range(source.shape[0]):
        symbol = draw(row, symbols)
        source[i] = symbol if i < length else symbols + 1
    return length


def _target_copy(source, size, symbols, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        out[i] = source[i]
    return size


def _steps_copy(source, size, goal_size):  # type: ignore[no-untyped-def]
    return size


def _sample_triples(row, length, symbols, source):  # type: ignore[no-untyped-def]
    for i in range(length):
        symbol = draw(row, symbols)
        source[3 * i], source[3 * i + 1], source[3 * i + 2] = symbol, symbol, symbol
    return 3 * length


def _target_triples(source, size, symbols, out):  # type: ignore[no-untyped-def]
    for i in range(size // 3):
        out[i] = source[3 * i]
    return size // 3


def _target_reverse(source, size, symbols, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        symbol = source[max(size - 1 - i, 0)]
        out[i] = symbol if i < size else symbols + 1
    return size


def _steps_reverse(source, size, goal_size):  # type: ignore[no-untyped-def]
    return 2 * size  # to the end mark, back over the string, and one cell for the end mark


def _sample_repeat(row, length, symbols, source):  # type: ignore[no-untyped-def]
    source[0] = 2 + draw(row, 2)
    for i in range(1, length + 1):
        source[i] = draw(row, symbols)
    return length + 1


def _target_repeat(source, size, symbols, out):  # type: ignore[no-untyped-def]
    phrase = size - 1
    for copy in range(source[0]):
        for i in range(phrase):
            out[copy * phrase + i] = source[1 + i]
    return source[0] * phrase


def _steps_repeat(source, size, goal_size):  # type: ignore[no-untyped-def]
    phrase = size - 2  # it is read forward m times and back m - 1 times, between count and end mark
    return 2 + (2 * source[0] - 1) * phrase


def _target_sort(source, size, symbols, out):  # type: ignore[no-untyped-def]
    for i in range(size):  # insertion sort: strings are short
        j = i
        while j > 0 and out[j - 1] > source[i]:
            out[j] = out[j - 1]
            j -= 1
        out[j] = source[i]
    return size


PLUS = 3  # the symbol between the two numbers of Addition, after the digits 0, 1 and 2


def _sample_addition(row, length, symbols, source):  # type: ignore[no-untyped-def]
    for i in range(length):
        source[i] = draw(row, 3)
        source[length + 1 + i] = draw(row, 3)
    source[length] = PLUS
    return 2 * length + 1


def _target_addition(source, size, symbols, out):  # type: ignore[no-untyped-def]
    digits = (size - 1) // 2
    carry = 0
    for i in range(digits - 1, -1, -1):
        total = source[i] + source[digits + 1 + i] + carry
        out[i + 1] = total % 3
        carry = total // 3
    out[0] = carry
    return digits + 1


TASKS: dict[str, TapeTask] = {
    task.name: task
    for task in (
        TapeTask("Copy", _sample_symbols, _target_copy, _steps_copy),
        TapeTask(
            "DuplicatedInput",
            _sample_triples,
            _target_triples,
            _steps_copy,
            source_cells=_thrice,
        ),
        TapeTask("Reverse", _sample_symbols, _target_reverse, _steps_reverse),
        TapeTask(
            "RepeatCopy",
            _sample_repeat,
            _target_repeat,
            _steps_repeat,
            source_cells=_one_more,
            target_cells=_thrice,
            min_symbols=4,
        ),
        TapeTask(
            "ForwardReverse",
            _sample_symbols,
            _target_reverse,
            _steps_reverse,
            forward_only=True,
            memory=True,
        ),
        TapeTask(
            "RepeatCopyForward",
            _sample_repeat,
            _target_repeat,
            _steps_repeat,
            source_cells=_one_more,
            target_cells=_thrice,
            forward_only=True,
            memory=True,
            min_symbols=4,
        ),
        TapeTask("Sort", _sample_symbols, _target_sort, memory=True),
        TapeTask(
            "Addition",
            _sample_addition,
            _target_addition,
            source_cells=_twice_and_one,
            target_cells=_one_more,
            memory=True,
            min_symbols=4,
        ),
    )
}
# Tasks of ours that write blanks into the cells they leave free; it is done for the others.
PADDED = frozenset({"Copy", "Reverse", "ForwardReverse"})
