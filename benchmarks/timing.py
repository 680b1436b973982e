"""Timing contestants against one another, in turns, so that all meet the same disturbances."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

# Makes the given number of calls.
Advance = Callable[[int], None]


def calls_per_second(
    contestants: Sequence[Advance], repeats: int, seconds: float
) -> list[list[float]]:
    """Measure contestants in turns: A B C, A B C, ...

    Each is first run untimed, so that code is compiled and caches are filled, and to find how many
    calls take about `seconds`; that number is then the same in every repeat.

    Args:
        contestants: whom to measure.
        repeats: measurements of each.
        seconds: the approximate length of one measurement.

    Returns:
        For each contestant its `repeats` rates.
    """
    calls = [_calls_for(advance, seconds) for advance in contestants]
    rates: list[list[float]] = [[] for _ in contestants]
    for _ in range(repeats):
        for advance, count, found in zip(contestants, calls, rates, strict=True):
            gc.collect()  # nobody pays for what the one before left
            found.append(count / _elapsed(advance, count))
    return rates


def _calls_for(advance: Advance, seconds: float) -> int:
    """How many calls take about `seconds`."""
    for _ in range(2):  # the first round compiles, and is not representative
        calls, elapsed = 1, 0.0
        while elapsed < seconds / 4:
            calls *= 2
            elapsed = _elapsed(advance, calls)
    return max(1, round(calls * seconds / elapsed))


def _elapsed(advance: Advance, calls: int) -> float:
    start = time.perf_counter()
    advance(calls)
    return time.perf_counter() - start


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Lets PyTorch compute with one thread, and afterwards with as many as before."""
    import torch  # environments are timed without it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
