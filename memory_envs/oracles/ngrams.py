"""What can be expected at best in DynamicNGrams, where not even all of the past says what is next.

A table of chances is drawn in each episode from Beta(1/2, 1/2), and nobody is told it. After a
context that was followed N0 times by 0 and N1 times by 1, the next bit is 1 with probability
(N1 + 1/2) / (N0 + N1 + 1), by Bayes' rule (Murphy 2012; section 4.4 of Graves et al. 2014). What is
answered changes nothing, so to answer with the likelier bit is the best that any agent can do.
`memory_envs.oracles.oracle` is clairvoyant, and gets more.

How much best play gets on average depends on which contexts come how often, and that depends on the
chances themselves. It is exact where all that can have happened can be listed, which is so for
short streams and short contexts; otherwise it is an estimate with a standard error.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from memory_envs.arguments import check_integer

_LONGEST_CONTEXT = 16
_MOST_HISTORIES = 30_000


class Estimate(NamedTuple):
    """A mean over episodes that were played, and its standard error."""

    mean: float
    standard_error: float


def chance_of_one(bits: Sequence[int], context: int = 5) -> float:
    """Returns the probability that the next bit is 1, given all that was shown in an episode.

    Args:
        bits: The bits shown so far, the oldest first.
        context: Number of bits that the next one depends on.

    Raises:
        TypeError, ValueError: If the context is impossible.
    """
    context = check_integer("context", context, 1, _LONGEST_CONTEXT)
    series = [int(bit) for bit in bits]
    if len(series) < context:
        return 0.5
    last = series[-context:]
    after = [series[t] for t in range(context, len(series)) if series[t - context : t] == last]
    return (sum(after) + 0.5) / (len(after) + 1)


def exact_return(length: int, context: int) -> float:
    """Returns the expected return of best play, exactly.

    Args:
        length: Number of bits of the stream.
        context: Number of bits that the next one depends on.

    Raises:
        TypeError: If one is no integer.
        ValueError: If one is impossible, or there are too many histories to list.
    """
    length, context = _check(length, context)
    # Histories with the same last bits and the same counts have the same future.
    codes = 1 << context
    none = (0,) * (2 * codes)
    histories = {(code, none): 1 / codes for code in range(codes)}
    total = 0.0
    for _ in range(context, length):
        following: defaultdict[tuple[int, tuple[int, ...]], float] = defaultdict(float)
        for (code, counts), probability in histories.items():
            zeros, ones = counts[2 * code], counts[2 * code + 1]
            chance = (ones + 0.5) / (zeros + ones + 1)
            total += probability * max(chance, 1 - chance)
            for bit, likely in ((0, 1 - chance), (1, chance)):
                seen = list(counts)
                seen[2 * code + bit] += 1
                following[(2 * code + bit) % codes, tuple(seen)] += probability * likely
        if len(following) > _MOST_HISTORIES:
            raise ValueError(
                f"length is {length}; allowed with context={context}: less, as there are more than "
                f"{_MOST_HISTORIES} histories to list; estimated_return takes any"
            )
        histories = following
    return total


def estimated_return(
    length: int = 200, context: int = 5, episodes: int = 20_000, seed: int = 0
) -> Estimate:
    """Returns the expected return of best play, as an estimate.

    Bits are drawn with the chances that best play gives them, which is how they come to someone who
    does not know the table; and what an answer is expected to pay is counted in place of what it
    would have paid, which has the same mean and varies less.

    Args:
        length: Number of bits of the stream.
        context: Number of bits that the next one depends on.
        episodes: Number of episodes.
        seed: Of the generator.

    Raises:
        TypeError, ValueError: If an argument is impossible.
    """
    length, context = _check(length, context)
    episodes = check_integer("episodes", episodes, 2)
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    rows, codes = np.arange(episodes), 1 << context
    counts = np.zeros((episodes, codes, 2), np.int32)
    last = rng.integers(codes, size=episodes)
    returns = np.zeros(episodes)
    for _ in range(context, length):
        seen = counts[rows, last]
        chance = (seen[:, 1] + 0.5) / (seen.sum(axis=1) + 1)
        returns += np.maximum(chance, 1 - chance)
        bits = (rng.random(episodes) < chance).astype(np.int64)
        counts[rows, last, bits] += 1
        last = (2 * last + bits) % codes
    return Estimate(float(returns.mean()), float(returns.std(ddof=1) / np.sqrt(episodes)))


def _check(length: int, context: int) -> tuple[int, int]:
    context = check_integer("context", context, 1, _LONGEST_CONTEXT)
    return check_integer("length", length, context + 1), context
