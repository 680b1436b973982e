"""The maps: tables of numbers, from what a trace saw of a memory.

Two steps are compared by the cosine of their keys or values. High likeness of a value read in step
t2 and a value written in step t1 says that what was stored then is found again. Of several heads
that share a memory the two most alike count. Only t1 up to t2 is compared where reads meet writes:
nothing is read before it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.evaluation.memory_map.labels import answered_steps, step_labels
from agents.evaluation.trace.episode import Trace
from memory_envs.arguments import check_integer

FloatArray = npt.NDArray[np.float64]

MOST_STEPS = 1000  # of an episode; a map has the square of that many numbers
_READ = "read_"
# What is compared with what: step t2 with step t1.
_COMPARED = (
    ("read_values", "write_values"),
    ("write_values", "write_values"),
    ("write_keys", "write_keys"),
    ("read_keys", "write_keys"),
)
_WORDS = {
    "read_values": "values read",
    "write_values": "values written",
    "read_keys": "read keys",
    "write_keys": "write keys",
}
_SHARES = ("_gate", "_gates", "_rates")


class Map(NamedTuple):
    """One heat map.

    Attributes:
        name: What it shows.
        down: What its rows are, "step" or something that is counted from 0 on.
        right: What its columns are.
        numbers: At most 1; NaN where there is nothing to show.
        lowest: The lower end of their scale, -1 or 0.
    """

    name: str
    down: str
    right: str
    numbers: FloatArray
    lowest: int


class MemoryMap(NamedTuple):
    """All maps of an episode.

    Attributes:
        facts: Who played what, and how it ended.
        note: What a reader has to know about these maps; "" if nothing.
        labels: What was seen or done in each step.
        marked: Which steps stand out: those in which an answer was given, if they are the fewer.
        maps: Empty if the player has no memory that can be looked into.
    """

    facts: list[str]
    note: str
    labels: list[str]
    marked: list[bool]
    maps: list[Map]


def memory_map(trace: Trace, linked: int | None = None) -> MemoryMap:
    """Makes the maps of an episode, of its first `MOST_STEPS` steps.

    Args:
        trace: The episode.
        linked: After which step, from 1 on, links are shown; None for the last.

    Raises:
        TypeError, ValueError: If there is no such step.
    """
    steps = shown_steps(trace)
    linked = steps if linked is None else check_integer("linked", linked, 1, steps)
    seen = {name: numbers[:steps] for name, numbers in trace.seen.items()}
    maps = list(_likenesses(seen))
    notes = []
    if not maps and seen.get("output", np.empty(0)).size:
        maps = [_likeness(seen, "output", "output", "outputs, t2 against t1")]
        notes.append("This memory shows no keys and values: what it gives out is compared.")
    if maps:
        maps += _courses(seen)
        maps += _links(seen, linked)
    if steps < len(trace.rewards):
        notes.append(f"The first {steps} of {len(trace.rewards)} steps.")
    labels, marked = step_labels(trace)[:steps], answered_steps(trace)[:steps]
    return MemoryMap(trace.facts(), " ".join(notes), labels, marked, maps)


def shown_steps(trace: Trace) -> int:
    """Returns how many steps of an episode its maps show."""
    return min(len(trace.rewards), MOST_STEPS)


def likeness(later: FloatArray, earlier: FloatArray) -> FloatArray:
    """Returns the cosine of every two steps, of the two heads that are most alike.

    A vector of zeros is like nothing, 0.

    Args:
        later: ``(T, heads, D)``.
        earlier: ``(T, heads, D)``; there may be another number of heads.

    Returns:
        ``(T, T)``: row t2 compares what was `later` in step t2 with what was `earlier` in each.
    """
    found = np.full((len(later), len(earlier)), -1.0)
    with np.errstate(invalid="ignore"):  # what is not finite is like nothing, NaN
        pairs = product(_directions(later).swapaxes(0, 1), _directions(earlier).swapaxes(0, 1))
        for rows, columns in pairs:
            np.maximum(found, rows @ columns.T, out=found)
    return found.clip(-1.0, 1.0)


def _directions(vectors: FloatArray) -> FloatArray:
    """Returns the vectors with a length of 1; those of zeros as they are."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0.0, lengths, 1.0)


def _likenesses(seen: Mapping[str, FloatArray]) -> Iterator[Map]:
    for later, earlier in _COMPARED:
        # Of one's own cells keys and values may live in spaces of their own.
        if later in seen and earlier in seen and seen[later].shape[-1] == seen[earlier].shape[-1]:
            name = f"{_WORDS[later]} in t2 against {_WORDS[earlier]} in t1"
            yield _likeness(seen, later, earlier, name)


def _likeness(seen: Mapping[str, FloatArray], later: str, earlier: str, name: str) -> Map:
    numbers = likeness(_by_head(seen[later]), _by_head(seen[earlier]))
    if later.startswith(_READ):
        numbers[np.triu_indices(len(numbers), 1)] = np.nan
    return Map(name, "step", "step", numbers, -1)


def _by_head(numbers: FloatArray) -> FloatArray:
    """Returns ``(T, heads, D)``, of ``(T, D)`` too."""
    return numbers.reshape(len(numbers), -1, numbers.shape[-1])


def _courses(seen: Mapping[str, FloatArray]) -> Iterator[Map]:
    """Returns what is one number a slot or a gate in every step: time runs to the right."""
    for name, numbers in seen.items():
        words = name.replace("_", " ")
        if name.endswith("_weights"):
            heads = _by_head(numbers).transpose(1, 2, 0)
            for head, weights in enumerate(heads, start=1):
                which = words if len(heads) == 1 else f"{words} of head {head}"
                yield Map(which, "slot", "step", weights, 0)
        elif name == "usage":
            yield Map(words, "slot", "step", numbers.T, 0)
        elif name.endswith(_SHARES):
            kind = words.split()[-1].removesuffix("s")
            yield Map(words, kind, "step", numbers.reshape(len(numbers), -1).T, 0)


def _links(seen: Mapping[str, FloatArray], step: int) -> list[Map]:
    if "links" not in seen:
        return []
    name = f"links after step {step}: row written right after column"
    return [Map(name, "slot", "slot", seen["links"][step - 1], 0)]
