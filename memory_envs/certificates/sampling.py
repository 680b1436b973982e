"""Streams with more outcomes than can be listed: bounds from sampled ones, with a confidence.

Both ends are for policies that see a window and no more. The upper one is what the best answers in
hindsight get on the sampled streams, which is more than any policy can expect, and the deviation of
`memory_envs.certificates.concentration`. The lower one is what the best answers on every second
stream get on the others, less the deviation. Where there are more windows than streams, hindsight
sees everything: the upper end then says nothing.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.certificates.concentration import deviation
from memory_envs.certificates.interval import Interval
from memory_envs.stream.env import StreamVectorEnv
from memory_envs.stream.layout import StreamBatch
from memory_envs.stream.settings import StreamSettings

IntArray = npt.NDArray[np.int64]
_CHUNK = 10_000  # streams at a time
_SEED = 0
_NGRAM_STREAMS, _DICTIONARY_STREAMS, OTHER_STREAMS = 1_000_000, 200_000, 20_000


class _Answers(NamedTuple):
    """Answers that were due in the sampled streams, n of them.

    Attributes:
        windows: ``(n,)``, a number for each window and part of an answer.
        answers: ``(n,)``, the right answer.
        gains: ``(n,)``, what it pays.
        streams: ``(n,)``, the stream.
    """

    windows: IntArray
    answers: IntArray
    gains: npt.NDArray[np.float64]
    streams: IntArray


def _batches(settings: StreamSettings, streams: int) -> Iterator[StreamBatch]:
    names = [parameter.name for parameter in settings.task.parameters]
    parameters: dict[str, Any] = dict(zip(names, settings.parameters, strict=True))
    env = StreamVectorEnv(
        min(_CHUNK, streams),
        settings.task,
        min_length=settings.min_length,
        max_length=settings.max_length,
        delay=settings.delay,  # without distractors: see `memory_envs.certificates.streams`
        curriculum=settings.curriculum,
        **parameters,
    )
    env.reset(seed=_SEED)
    for start in range(0, streams, env.num_envs):
        if start:
            env.reset()
        yield env.batch()


def _interval(found: _Answers, streams: int, width: float) -> Interval:
    """Returns the bounds; `width` is the most that a stream pays."""
    windows, places = np.unique(found.windows, return_inverse=True)
    kinds = int(found.answers.max()) + 1
    choices, chosen = np.unique(places * kinds + found.answers, return_inverse=True)
    owners = choices // kinds
    all_gains = np.bincount(chosen, found.gains)
    best = np.zeros(len(windows))
    np.maximum.at(best, owners, all_gains)
    upper = best.sum() / streams + deviation(width, streams)
    learned = found.streams % 2 == 0
    half = np.bincount(chosen[learned], found.gains[learned], len(choices))
    best = np.zeros(len(windows))
    np.maximum.at(best, owners, half)
    # Of answers that are equally good, the last one is taken; a window not seen before gets none.
    policy = np.full(len(windows), -1)
    good = np.flatnonzero((half == best[owners]) & (half > 0))
    policy[owners[good]] = good
    right = ~learned & (policy[places] == chosen)
    others = streams // 2
    lower = found.gains[right].sum() / others - deviation(width, others)
    return Interval(max(lower, 0.0), min(upper, width), "sampled", "sampled")


def ngram_windows(settings: StreamSettings, k: int, streams: int = _NGRAM_STREAMS) -> Interval:
    """Returns the bounds for DynamicNGrams, whose windows are short strings of bits."""
    (context,) = settings.parameters
    size = 1 << (k + 1)
    totals = np.zeros((2, size, 2))  # by half, window and right answer
    count = 0
    for batch in _batches(settings, streams):
        bits = batch.inputs.astype(np.int64)
        steps, columns = bits.shape
        codes = np.zeros(columns, np.int64)
        halves = np.arange(columns) % 2
        for t in range(steps):
            codes = ((codes << 1) | bits[t]) & ((1 << k) - 1)
            # One bit before the window's first says how long it is.
            marked = codes | (1 << min(k, t + 1))
            due = batch.mask[t]
            index = (halves * size + marked) * 2 + batch.targets[t]
            totals += np.bincount(index[due], minlength=totals.size).reshape(totals.shape)
        count += columns
    width = float(settings.max_length - context)
    upper = totals.sum(axis=0).max(axis=1).sum() / count + deviation(width, count)
    policy = totals[0].argmax(axis=1)
    right = totals[1][np.arange(size), policy].sum()
    lower = right / (count // 2) - deviation(width, count // 2)
    return Interval(lower, min(upper, width), "sampled", "sampled")


def dictionary_windows(
    settings: StreamSettings, k: int, streams: int = _DICTIONARY_STREAMS
) -> Interval:
    """Returns the bounds for DictionaryInference.

    The letters are shuffled before each episode, so what counts of a window is which letters in it
    are the same, and of the answer, which of them it is. A letter that is not in view is as likely
    as any other that is not.
    """
    letters, _ = settings.parameters
    parts = []
    count = 0
    for batch in _batches(settings, streams):
        times, columns = np.nonzero(batch.mask)
        inputs = batch.inputs.astype(np.int64)
        ages = times[:, None] - np.arange(k)
        # A blank step of a delay is one more mark, and another stands before the stream begins.
        shown = np.where(ages >= 0, inputs[ages, columns[:, None]], letters + 5)
        # The place at which each letter in view comes first, the newest being place 0.
        same = (shown[:, :, None] == shown[:, None, :]).argmax(axis=1)
        tokens = np.where(shown < letters, same, k + shown - letters)
        targets = batch.targets[times, columns]
        matches = shown == targets[:, None]
        seen = matches.any(axis=1)
        answers = np.where(seen, matches.argmax(axis=1), k)
        first = (same == np.arange(k)) & (shown < letters)
        gains = np.where(seen, 1.0, 1.0 / (letters - first.sum(axis=1)).clip(1))
        windows = tokens @ ((k + 6) ** np.arange(k, dtype=np.int64))
        parts.append(_Answers(windows, answers, gains, columns + count))
        count += inputs.shape[1]
    found = _Answers(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return _interval(found, count, float(settings.max_length))


def sampled_windows(
    settings: StreamSettings, k: int, streams: int = OTHER_STREAMS
) -> tuple[Interval, float, float]:
    """Returns the bounds for any task, the mean number of answers, and a stream's most."""
    parts = []
    count = 0
    answered = 0
    width = settings.steps - settings.delay
    for batch in _batches(settings, streams):
        steps, columns = batch.mask.shape
        inputs = batch.inputs.reshape(steps, columns, -1)
        targets = batch.targets.reshape(steps, columns, -1)
        padded = np.concatenate([np.zeros((k, *inputs.shape[1:]), inputs.dtype), inputs])
        answered += int(batch.mask.sum())
        times, rows = np.nonzero(batch.mask)
        shown = [padded[times + k - age, rows].astype(np.float64) for age in range(k)]
        filled = np.minimum(times + 1, k).astype(np.float64)
        for part in range(targets.shape[2]):
            number = np.full((len(times), 1), float(part))
            keys = np.concatenate([*shown, filled[:, None], number], axis=1)
            gains = np.full(len(times), 1.0 / targets.shape[2])
            parts.append((keys, targets[times, rows, part], gains, rows + count))
        count += columns
    keys, answers, gains, owners = (np.concatenate(column) for column in zip(*parts, strict=True))
    windows: Any = np.unique(keys, axis=0, return_inverse=True)[1]
    found = _Answers(windows.reshape(-1), answers, gains, owners)
    return _interval(found, count, float(width)), answered / count, float(width)
