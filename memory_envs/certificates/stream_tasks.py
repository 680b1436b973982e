"""What is known of the built-in stream tasks beyond counting: their scenarios, and bounds.

A bit of a vector is right or wrong by itself, and all bits of a vector are alike; so a vector
counts as one variable with two values, which stands for any one of its bits. That a vector of data
may look like a blank one does no harm: no answer is due while data are shown.

A step of a delay is a mark that nothing else looks like. Of distractors nothing has to be known:
see `memory_envs.certificates.streams`.
"""

import math
from collections.abc import Callable, Iterator

from memory_envs.certificates.hypotheses import Scenario, Token, best_value
from memory_envs.certificates.interval import Interval, exact
from memory_envs.certificates.sampling import dictionary_windows, ngram_windows
from memory_envs.stream.settings import StreamSettings

_TWO = 2  # values of a bit
Targets = list[Token | None]


def _lengths(settings: StreamSettings) -> range:
    return range(settings.min_length, settings.max_length + 1)


def _nothing(count: int) -> Targets:
    return [None] * count


def _gap(settings: StreamSettings) -> list[Token]:
    """Returns the steps of the delay."""
    return ["~"] * settings.delay


def _copy(settings: StreamSettings, k: int) -> Interval:
    """The vectors, a flag, blanks."""
    lengths, gap = _lengths(settings), _gap(settings)

    def scenarios() -> Iterator[Scenario]:
        for n in lengths:
            targets: Targets = [*_nothing(n + len(gap) + 1), *range(n)]
            yield Scenario(1 / len(lengths), [*range(n), *gap, "|", *["_"] * n], targets)

    return exact(best_value(scenarios(), k, _TWO))


def _repeat_copy(settings: StreamSettings, k: int) -> Interval:
    """The flag tells how often; the last part of an answer says whether this is the end."""
    bits, repeats = settings.parameters
    lengths, gap = _lengths(settings), _gap(settings)

    def scenarios(end: bool) -> Iterator[Scenario]:
        for n in lengths:
            for times in range(1, repeats + 1):
                blanks: list[Token] = ["_"] * (n * times + 1)
                inputs = [*range(n), *gap, f"x{times}", *blanks]
                data: Targets = [*list(range(n)) * times, "0"]
                marks: Targets = [*["0"] * (n * times), "1"]
                targets = [*_nothing(n + len(gap) + 1), *(marks if end else data)]
                yield Scenario(1 / (len(lengths) * repeats), inputs, targets)

    value = bits * best_value(scenarios(False), k, _TWO) + best_value(scenarios(True), k, _TWO)
    return exact(value / (bits + 1))


def _double_copy(settings: StreamSettings, k: int) -> Interval:
    """The symbols, a mark, blanks that are a symbol of their own."""
    (symbols,) = settings.parameters
    lengths, gap = _lengths(settings), _gap(settings)

    def scenarios() -> Iterator[Scenario]:
        for n in lengths:
            targets: Targets = [*_nothing(n + len(gap) + 1), *range(n), *range(n)]
            yield Scenario(1 / len(lengths), [*range(n), *gap, "|", *["_"] * (2 * n)], targets)

    return exact(best_value(scenarios(), k, symbols))


def _recall(settings: StreamSettings, k: int) -> Interval:
    """Items that all differ.

    They are drawn as if independent, under the condition that no two are the same. So no value
    differs by more than the answers of a stream times the chance that independent ones coincide.
    """
    bits, item_length = settings.parameters
    lengths = _lengths(settings)

    def scenarios() -> Iterator[Scenario]:
        for n in lengths:
            items = [list(range(item_length * i, item_length * (i + 1))) for i in range(n)]
            shown: list[Token] = []
            for item in items:
                shown += ["|", *item]
            for asked in range(n - 1):
                inputs = [*shown, *_gap(settings), "?", *items[asked], "?", *["_"] * item_length]
                targets: Targets = [*_nothing(len(inputs) - item_length), *items[asked + 1]]
                yield Scenario(1 / (len(lengths) * (n - 1)), inputs, targets)

    value = best_value(scenarios(), k, _TWO)
    if k == 1:
        return exact(value)  # blanks: to turn every bit round changes no stream's chance
    pairs = sum(math.comb(n, 2) for n in lengths) / len(lengths)
    slack = item_length * min(1.0, pairs / 2.0 ** (bits * item_length))
    blind = item_length / 2  # what any fixed answer gets
    upper = min(value + slack, float(item_length))
    return Interval(max(value - slack, blind), upper, "proven", "proven")


def _sort(settings: StreamSettings, k: int) -> Interval:
    """The vectors of the highest priority, the highest first.

    At the answer of rank r, from 0 on, the window shows the last m = k - 2 - r vectors, fewer by
    the delay, if there are so many. Upper bound: whoever were told whether the right one is among
    them, and which, would answer it if it is, m times in n, and every other bit half of the time.
    Lower bound: to answer with the one of rank c among the m, where c is fixed; it is the right one
    if c of the r vectors above it, and m - 1 - c of the n - 1 - r below it, are in view.
    """
    _, top = settings.parameters
    lengths = _lengths(settings)
    lower = upper = 0.0
    for n in lengths:
        for r in range(min(top, n)):
            m = min(max(k - 2 - r - settings.delay, 0), n)
            hits = [
                math.comb(r, c) * math.comb(n - 1 - r, m - 1 - c) / math.comb(n, m)
                for c in range(m)
                if m - 1 - c >= 0
            ]
            lower += (1 + max(hits, default=0.0)) / 2 / len(lengths)
            upper += (1 + m / n) / 2 / len(lengths)
    if upper - lower <= 1e-12 * upper:
        return exact(upper)
    return Interval(lower, upper, "found", "proven")


def _ngrams(settings: StreamSettings, k: int) -> Interval:
    """How often a context comes depends on the table: there is no formula, and it is sampled."""
    return ngram_windows(settings, k)


def _dictionary(settings: StreamSettings, k: int) -> Interval:
    """The letters are shuffled, so that without one in view all are alike likely."""
    letters, support = settings.parameters
    lengths = _lengths(settings)
    answers = sum(lengths) / len(lengths)
    if k <= 2:  # blanks and the mark before them
        return exact(answers / letters)
    # What the window shows beside the delay; four steps are the question and its answer.
    seen = min(k, max(k - settings.delay, 4))
    if settings.max_length == 1 and seen <= 8 and seen not in (5, 6):
        # In view are the asked letter, from 3 on, and the last example whole, from 7 on; 5 and 6
        # show its translation alone. It was asked for, or another with the same letter, or another.
        known = 1 / support + (1 - 1 / support) / (letters // 2) if seen >= 7 else 0.0
        others = letters - (3 if seen >= 7 else 1)
        return exact(known + (1 - known) / max(others, 1))
    return dictionary_windows(settings, k)


KNOWN: dict[str, Callable[[StreamSettings, int], Interval]] = {
    "Copy": _copy,
    "RepeatCopy": _repeat_copy,
    "AssociativeRecall": _recall,
    "PrioritySort": _sort,
    "DoubleCopy": _double_copy,
    "DynamicNGrams": _ngrams,
    "DictionaryInference": _dictionary,
}
