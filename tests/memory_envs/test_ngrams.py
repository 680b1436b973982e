"""What best play gets in DynamicNGrams: Bayes' rule by hand, by enumeration and by playing."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from memory_envs.oracles.ngrams import chance_of_one, estimated_return, exact_return
from memory_envs.stream import StreamVectorEnv


def test_a_context_that_never_came_says_nothing() -> None:
    assert chance_of_one([], 2) == chance_of_one([1], 2) == chance_of_one([0, 1, 1], 2) == 0.5


def test_a_context_that_came_says_what_followed() -> None:
    # After 0 1 came: 1, 1, 0.
    assert chance_of_one([0, 1, 1, 0, 1, 1, 0, 1, 0, 1], 2) == (2 + 0.5) / (3 + 1)
    assert chance_of_one([1, 1, 1, 1], 1) == 3.5 / 4
    assert chance_of_one([0, 0, 0, 0, 0, 0], 5) == 0.5 / 2


def _probability(bits: tuple[int, ...], context: int) -> float:
    """Of a series, from the Beta functions of its counts: no prediction of one bit is used."""
    counts: dict[tuple[int, ...], list[int]] = {}
    for t in range(context, len(bits)):
        counts.setdefault(bits[t - context : t], [0, 0])[bits[t]] += 1
    log = -context * math.log(2)
    for zeros, ones in counts.values():
        log += math.lgamma(zeros + 0.5) + math.lgamma(ones + 0.5) - math.lgamma(zeros + ones + 1)
        log -= 2 * math.lgamma(0.5)
    return math.exp(log)


@pytest.mark.parametrize(("length", "context"), [(2, 1), (9, 1), (8, 2), (9, 3), (5, 4)])
def test_the_exact_return_is_that_of_all_series(length: int, context: int) -> None:
    total = ones = 0.0
    for bits in itertools.product((0, 1), repeat=length):
        probability = _probability(bits, context)
        ones += probability
        for t in range(context, length):
            answer = int(chance_of_one(bits[:t], context) >= 0.5)
            total += probability * (answer == bits[t])
    assert ones == pytest.approx(1)
    assert exact_return(length, context) == pytest.approx(total)


def test_the_estimate_is_the_exact_return_within_its_error() -> None:
    for length, context in ((12, 2), (40, 1), (7, 4)):
        mean, error = estimated_return(length, context, episodes=20_000)
        assert 0 < error < 0.05
        assert abs(mean - exact_return(length, context)) < 4.5 * error


def test_an_agent_that_counts_gets_in_the_environment_what_is_expected() -> None:
    rows, length, context = 200, 60, 2
    env: Any = StreamVectorEnv(
        rows, "DynamicNGrams", min_length=length, max_length=length, context=context
    )
    shown, _ = env.reset(seed=0)
    seen, returns = [shown], np.zeros(rows)
    for _ in range(length - 1):
        series = np.stack(seen, axis=1)
        answers = [int(chance_of_one(bits.tolist(), context) >= 0.5) for bits in series]
        shown, rewards, *_ = env.step(np.array(answers))
        returns += rewards
        seen.append(shown)
    mean, error = estimated_return(length, context)
    spread = math.hypot(error, returns.std() / math.sqrt(rows))
    assert abs(returns.mean() - mean) < 4.5 * spread
    assert mean < length - context - 5, "the oracle of the future gets more"


def test_the_estimate_follows_its_seed() -> None:
    first, second, third = (estimated_return(30, 3, 100, seed) for seed in (0, 0, 1))
    assert first == second != third


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 5, "context": 5}, "length is 5; allowed: integers from 6 on"),
        ({"length": 50, "context": 0}, "context is 0; allowed: integers from 1 to 16"),
        ({"length": 50, "context": 17}, "context is 17; allowed: integers from 1 to 16"),
        ({"length": 2.5, "context": 1}, "length is 2.5; allowed: integers"),
    ],
)
def test_impossible_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    for function in (exact_return, estimated_return):
        with pytest.raises((TypeError, ValueError), match=message):
            function(**arguments)


def test_what_cannot_be_listed_is_refused() -> None:
    with pytest.raises(ValueError, match="length is 200; allowed with context=4: less"):
        exact_return(200, 4)
    with pytest.raises(ValueError, match="context"):
        chance_of_one([0, 1], 0)
    with pytest.raises(ValueError, match="episodes is 1"):
        estimated_return(episodes=1)
    with pytest.raises(ValueError, match="seed is -1"):
        estimated_return(seed=-1)
