"""What a policy's own last actions can carry through a stream.

Where no answer is due an action means nothing, so a policy that sees its last k actions can use
them as a note to itself, and pass it on from step to step: with A answers to choose from, one of
M = A**k notes. (An agent that heeds the masks of actions cannot; nor can one without actions in
its window.) The bound is by counting.

When the last data have been shown and only blanks follow, all that is answered from then on depends
on the note, on the data still in view, and on chance. Take the data in view and the chance as
given. Then there are M strings of answers that can come, each fixed before the n symbols out of
view were drawn, uniformly from K. A fixed string has Binomial(n, 1/K) of them right, and the best
of M strings has

    E[max] = sum_j P(max >= j) <= sum over j = 1 .. n of min(1, M P(Binomial(n, 1/K) >= j)).
"""

import math

from memory_envs.certificates.interval import Interval
from memory_envs.core.rules import ActionSpace
from memory_envs.stream.rules import action_sizes
from memory_envs.stream.settings import StreamSettings
from memory_envs.stream.task import StreamTask
from memory_envs.stream.tasks import TASKS


def most_right(symbols: int, values: int, log_notes: float) -> float:
    """Returns a bound of how many uniform symbols the best of so many strings has right.

    Args:
        symbols: Number of independent symbols, n.
        values: Number of values of each, K.
        log_notes: The logarithm of the number of strings, M, to base 2.
    """
    bound, tail = 0.0, 0.0
    for j in range(symbols, 0, -1):
        tail += math.comb(symbols, j) * (values - 1) ** (symbols - j) / values**symbols
        log = log_notes + math.log2(tail)
        bound += 1.0 if log >= 0 else 2.0**log
    return bound


def with_actions(
    settings: StreamSettings, k: int, observations: Interval, best: Interval
) -> Interval:
    """Returns bounds for policies that see the last k observations and the last k actions.

    Args:
        settings: Of the environment.
        k: Of each, how many.
        observations: The interval of policies that see the last k observations.
        best: That of all policies.
    """
    upper = _upper(settings, k)
    if upper is None or upper >= best.upper:
        return Interval(observations.lower, best.upper, observations.lower_by, "trivial")
    return Interval(observations.lower, upper, observations.lower_by, "proven")


def _upper(settings: StreamSettings, k: int) -> float | None:
    task = settings.task
    lengths = range(settings.min_length, settings.max_length + 1)
    log_notes = k * _log_actions(settings.answers)
    # Data in view when the first answer is due, behind a blank, the mark and the delay.
    seen = max(k - 2 - settings.delay, 0)

    def items(count: int, bits: int) -> float:
        """How many vectors of so many bits can be right, at most."""
        unseen = max(count - seen, 0)
        return count - unseen + most_right(unseen * bits, 2, log_notes) / bits

    if _is(task, "Copy"):
        return sum(items(n, settings.parameters[0]) for n in lengths) / len(lengths)
    if _is(task, "PrioritySort"):
        bits, top = settings.parameters
        return sum(items(min(top, n), bits) for n in lengths) / len(lengths)
    if _is(task, "RepeatCopy"):
        bits, repeats = settings.parameters
        total = 0.0
        for n in lengths:
            for times in range(1, repeats + 1):
                # The marks, and all bits of the last answer, may be right every time.
                total += (times * (items(n, bits) * bits + n) + bits + 1) / (bits + 1)
        return total / (len(lengths) * repeats)
    if _is(task, "DoubleCopy"):
        total = 0.0
        for n in lengths:
            unseen = max(n - seen, 0)
            total += n - unseen + most_right(unseen, settings.parameters[0], log_notes)
        return 2 * total / len(lengths)
    return None


def _is(task: StreamTask, name: str) -> bool:
    return task == TASKS[name]


def _log_actions(space: ActionSpace) -> float:
    return sum(map(math.log2, action_sizes(space)))
