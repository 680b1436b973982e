"""How many bits have to be carried from what is shown to the question.

When a question begins, what has to be known is the right answers to every question that may come: a
table, from what is shown from there on, its length among it, to what is due. It is a random one, as
the data are, and **the bits to carry are its entropy**. Where one question only may come, that is
the entropy of the answers; and where all tables are equally likely, the logarithm of their number.

A delay and distractors leave the table as it is.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable

from memory_envs.certificates.heads import distinct_counts
from memory_envs.certificates.scripts import NotEnumerableError
from memory_envs.certificates.streams import list_streams
from memory_envs.stream.settings import StreamSettings
from memory_envs.stream.tasks import TASKS

# By its length, what a stream's table is: its kind, and the bits that tables of the kind have.
Kind = tuple[int, float]


def carried(settings: StreamSettings) -> float:
    """Returns the entropy, in bits, of what has to be known when the question begins.

    Args:
        settings: The arguments of an environment.

    Raises:
        ValueError: If there is no question, or a task of one's own has too many streams.
    """
    task = settings.task
    if task.question is None:
        raise ValueError(
            f"task is {task.name}; allowed: tasks with a question after all that is shown"
        )
    known = _KINDS.get(task.name) if task in TASKS.values() else None
    if known is None:
        return _listed(settings)
    if settings.curriculum is not None:
        raise ValueError("curriculum is given; allowed: None, as it draws other lengths as it goes")
    lengths = range(settings.min_length, settings.max_length + 1)
    kinds: defaultdict[int, float] = defaultdict(float)
    within = 0.0
    for length in lengths:
        kind, bits = known(length, *settings.parameters)
        kinds[kind] += 1 / len(lengths)
        within += bits / len(lengths)
    return _entropy(kinds.values()) + within


def _entropy(probabilities: Iterable[float]) -> float:
    return sum(-p * math.log2(p) for p in probabilities if p > 0) + 0.0


def _bits_each(length: int, bits: int, *others: int) -> Kind:
    return length, float(length * bits)


def _double(length: int, symbols: int) -> Kind:
    return length, length * math.log2(symbols)


def _recall(length: int, bits: int, item_length: int) -> Kind:
    """Every item may be asked for but the last: their order, and they all differ."""
    items = 2 ** (bits * item_length)
    return length, sum(math.log2(items - k) for k in range(length))


def _sort(length: int, bits: int, top: int) -> Kind:
    """The vectors to be given; priorities and the other vectors can be forgotten."""
    count = min(top, length)
    return count, float(count * bits)


def _dictionary(length: int, letters: int, support: int) -> Kind:
    """The letters that were shown with their meanings, from n of them letters! / (n! left!)."""
    chances = distinct_counts(support * length, letters // 2)
    maps = [
        (math.lgamma(letters + 1) - math.lgamma(n + 1) - math.lgamma(letters - 2 * n + 1))
        / math.log(2)
        for n in range(len(chances))
    ]
    return length, _entropy(chances) + sum(p * m for p, m in zip(chances, maps, strict=True))


_KINDS: dict[str, Callable[..., Kind]] = {
    "Copy": _bits_each,
    "RepeatCopy": _bits_each,
    "AssociativeRecall": _recall,
    "PrioritySort": _sort,
    "DoubleCopy": _double,
    "DictionaryInference": _dictionary,
}


def _listed(settings: StreamSettings) -> float:
    """Returns the entropy of the tables of all streams, which are listed."""
    tables: defaultdict[bytes, set[tuple[bytes, bytes]]] = defaultdict(set)
    chances: defaultdict[bytes, float] = defaultdict(float)
    try:
        streams = list_streams(settings)
    except NotEnumerableError as error:
        raise ValueError(
            f"task is {settings.task.name}; allowed: fewer streams: {error}"
        ) from error
    for stream in streams:
        begin = settings.question(stream.length) + settings.delay
        past = stream.inputs[:begin].tobytes()
        tables[past].add((stream.inputs[begin:].tobytes(), stream.targets[begin:].tobytes()))
        chances[past] += stream.probability
    kinds: defaultdict[frozenset[tuple[bytes, bytes]], float] = defaultdict(float)
    for past, table in tables.items():
        kinds[frozenset(table)] += chances[past]
    return _entropy(kinds.values())
