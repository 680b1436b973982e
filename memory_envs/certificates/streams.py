"""Certificates of the stream family.

A stream passes by whatever is answered, so a window of observations alone has an exact value: with
each window, the answer that is right most often. It is computed by what is known of the built-in
tasks (`stream_tasks`), or by listing all streams (`scripts`, `counts`): so for texts, and for a
user's task if it has not too many outcomes. Of others, streams are sampled (`sampling`).

A policy that sees its own last actions has a memory in them: see `notes`.

Distractors change no value, so that a stream is looked at as if it had none, however it is delayed.
A window at an answer shows steps of the delay only together with all that follows them, so it is
seen how many these are, and where they stand. What else distractors show is drawn independently of
all that an answer depends on: a policy that needs it for something can draw it itself.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from memory_envs.certificates.certificate import Certificate
from memory_envs.certificates.concentration import deviation
from memory_envs.certificates.counts import Stream, best_value, count
from memory_envs.certificates.interval import Interval, exact, wider_is_better
from memory_envs.certificates.notes import with_actions
from memory_envs.certificates.sampling import OTHER_STREAMS, sampled_windows
from memory_envs.certificates.scripts import MOST_OUTCOMES, NotEnumerableError, outcomes
from memory_envs.certificates.stream_tasks import KNOWN
from memory_envs.core.rng import RNG_FIELDS
from memory_envs.oracles.ngrams import estimated_return
from memory_envs.stream.delay import open_gap
from memory_envs.stream.kernels import is_flat
from memory_envs.stream.settings import StreamSettings
from memory_envs.stream.tasks import TASKS

_NGRAM_EPISODES = 200_000
MOST_SEQUENCES = 100_000  # of a text of ours


def certify_stream(env_id: str, settings: StreamSettings, ks: Sequence[int]) -> Certificate:
    """Returns the certificate of a stream task; see `memory_envs.certificates.certify`."""
    if settings.task in TASKS.values() and settings.curriculum is None:
        return _known(env_id, settings, ks)
    try:
        return _listed(env_id, settings, ks)
    except NotEnumerableError:
        return _sampled(env_id, settings, ks)


def list_streams(settings: StreamSettings, most: int = MOST_OUTCOMES) -> list[Stream]:
    """Returns all streams of a task, and how likely each is.

    Args:
        settings: Of the environment.
        most: How many there may be, over all lengths.

    Raises:
        NotEnumerableError: If there are more, or they are not drawn by `memory_envs.draw`.
    """
    if settings.curriculum is not None:
        raise NotEnumerableError("a curriculum says which lengths are drawn how often")
    lengths = range(settings.min_length, settings.max_length + 1)
    streams: list[Stream] = []
    for length in lengths:

        def run(sample: Callable[..., Any], length: int = length) -> Stream:
            return _sample(settings, sample, length)

        for probability, stream in outcomes(settings.task.sample, run, most - len(streams)):
            streams.append(stream._replace(probability=probability / len(lengths)))
    return streams


def _sample(settings: StreamSettings, sample: Callable[..., Any], length: int) -> Stream:
    inputs, targets = (array[0] for array in settings.new_stream(1))
    own_inputs, own_targets = (array[0] for array in settings.new_stream(1, own=True))
    given_inputs = own_inputs[:, 0] if is_flat(settings.own_inputs) else own_inputs
    given_targets = own_targets[:, 0] if is_flat(settings.answers) else own_targets
    row = np.zeros(1, RNG_FIELDS)[0]
    arguments = (*settings.parameters, *settings.task.data)
    size = sample(row, length, given_inputs, given_targets, *arguments)
    if row["rng_counter"]:  # it was drawn from after all, by a name that was not found
        raise NotEnumerableError("draws that cannot be followed")
    inputs[: len(own_inputs), : own_inputs.shape[1]] = own_inputs
    targets[: len(own_targets)] = own_targets
    if settings.delay:
        open_gap(length, size, inputs, targets, settings.new_delay(distractors=False))
        size += settings.delay
    return Stream(1.0, inputs[:size].copy(), targets[:size].copy(), length)


def _certificate(
    env_id: str,
    settings: StreamSettings,
    best: Interval,
    observations: dict[int, Interval],
    ks: Sequence[int],
    method: str,
) -> Certificate:
    capped = {k: found.capped(best) for k, found in wider_is_better(observations).items()}
    return Certificate(
        env_id,
        "stream",
        best,
        capped[1],
        {k: capped[k] for k in ks},
        {k: with_actions(settings, k, capped[k], best) for k in ks},
        method,
    )


def _known(env_id: str, settings: StreamSettings, ks: Sequence[int]) -> Certificate:
    name = settings.task.name
    observations = {k: KNOWN[name](settings, k) for k in {1, *ks}}
    return _certificate(env_id, settings, _best(settings), observations, ks, "by its structure")


def _best(settings: StreamSettings) -> Interval:
    """Returns what a policy with memory gets: all answers, as they follow from what was shown."""
    name, parameters = settings.task.name, settings.parameters
    lengths = range(settings.min_length, settings.max_length + 1)
    if name == "DynamicNGrams":  # but for this one
        if len(lengths) > 1:
            return Interval(0.0, float(lengths[-1] - parameters[0]), "trivial", "trivial")
        most = lengths[0] - parameters[0]
        mean = estimated_return(lengths[0], parameters[0], _NGRAM_EPISODES).mean
        off = deviation(most, _NGRAM_EPISODES)
        return Interval(mean - off, min(mean + off, most), "sampled", "sampled")
    answers: dict[str, Callable[[int], float]] = {
        "Copy": float,
        "RepeatCopy": lambda n: n * (parameters[1] + 1) / 2 + 1,
        "AssociativeRecall": lambda n: parameters[1],
        "PrioritySort": lambda n: min(n, parameters[1]),
        "DoubleCopy": lambda n: 2 * n,
        "DictionaryInference": float,
    }
    return exact(sum(answers[name](n) for n in lengths) / len(lengths))


def _listed(env_id: str, settings: StreamSettings, ks: Sequence[int]) -> Certificate:
    streams = list_streams(settings, MOST_SEQUENCES if settings.is_ours else MOST_OUTCOMES)
    best = exact(best_value(count(streams, None)))
    observations = {k: exact(best_value(count(streams, k))) for k in {1, *ks}}
    method = f"by listing its {len(streams)} streams"
    return _certificate(env_id, settings, best, observations, ks, method)


def _sampled(env_id: str, settings: StreamSettings, ks: Sequence[int]) -> Certificate:
    found = {k: sampled_windows(settings, k) for k in {1, *ks}}
    observations = {k: interval for k, (interval, _, _) in found.items()}
    _, answers, width = found[1]
    off = deviation(width, OTHER_STREAMS)
    best = Interval(max(answers - off, 0.0), min(answers + off, width), "sampled", "sampled")
    method = (
        f"from {OTHER_STREAMS} sampled streams; that all answers follow from what was shown is "
        "taken for granted"
    )
    return _certificate(env_id, settings, best, observations, ks, method)
