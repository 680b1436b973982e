"""Data sets of sequences as stream tasks: one of them is drawn, all alike likely, and shown."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.core.rng import draw
from memory_envs.stream.text.names import draw_names, exchange, exchange_answer


class Sequences(NamedTuple):
    """Sequences one after the other.

    Attributes:
        starts: Of shape ``(N + 1,)``, where each begins, and where the last ends.
        shown: Of shape ``(steps,)``, the inputs.
        wanted: Of shape ``(steps,)``, the right answers; `NO_ANSWER` where none is due.
    """

    starts: npt.NDArray[np.int64]
    shown: npt.NDArray[np.int32]
    wanted: npt.NDArray[np.int32]

    @property
    def longest(self) -> int:
        """Steps of the longest."""
        return int(np.diff(self.starts).max())


def join(pairs: Iterable[tuple[list[int], list[int]]]) -> Sequences:
    """Returns sequences of inputs and of right answers, one after the other."""
    sizes, shown, wanted = [0], [], []
    for inputs, targets in pairs:
        sizes.append(len(inputs))
        shown += inputs
        wanted += targets
    starts = np.cumsum(sizes, dtype=np.int64)
    return Sequences(starts, np.array(shown, np.int32), np.array(wanted, np.int32))


def sample_symbols(row, length, inputs, targets, starts, shown, wanted):  # type: ignore[no-untyped-def]
    """Shows a sequence whose inputs are symbols; see `memory_envs.stream.task`."""
    item = draw(row, starts.size - 1)
    first, size = starts[item], starts[item + 1] - starts[item]
    for t in range(size):
        inputs[t], targets[t] = shown[first + t], wanted[first + t]
    return size


def sample_rows(row, length, inputs, targets, starts, shown, wanted, table):  # type: ignore[no-untyped-def]
    """Shows a sequence whose inputs are rows of a table; see `memory_envs.stream.task`."""
    item = draw(row, starts.size - 1)
    first, size = starts[item], starts[item + 1] - starts[item]
    for t in range(size):
        targets[t] = wanted[first + t]
        for k in range(table.shape[1]):
            inputs[t, k] = table[shown[first + t], k]
    return size


def sample_exchanged_symbols(  # type: ignore[no-untyped-def]
    row, length, inputs, targets, starts, shown, wanted, kinds, groups, answers
):
    """The same as `sample_symbols`, but for names that are exchanged; see `Names`."""
    item = draw(row, starts.size - 1)
    first, size = starts[item], starts[item + 1] - starts[item]
    exchanged = draw_names(row, groups[kinds[item]])
    for t in range(size):
        inputs[t] = exchange(shown[first + t], exchanged)
        targets[t] = exchange_answer(wanted[first + t], answers, exchanged)
    return size


def sample_exchanged_rows(  # type: ignore[no-untyped-def]
    row, length, inputs, targets, starts, shown, wanted, table, kinds, groups, answers
):
    """The same as `sample_rows`, but for names that are exchanged; see `Names`."""
    item = draw(row, starts.size - 1)
    first, size = starts[item], starts[item + 1] - starts[item]
    exchanged = draw_names(row, groups[kinds[item]])
    for t in range(size):
        targets[t] = exchange_answer(wanted[first + t], answers, exchanged)
        for k in range(table.shape[1]):
            inputs[t, k] = exchange(table[shown[first + t], k], exchanged)
    return size


# A task can be pickled, so its functions are no lambdas.


def same(value: Any, *lengths: int) -> Any:
    """Returns the value, whatever the lengths are."""
    return value


def name_of(names: str | list[str], number: int) -> str:
    """Returns the name with that number."""
    return names[number]
