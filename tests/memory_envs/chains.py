"""What a policy without memory gets in a tape or algorithmic task, exactly, by ten plain lines.

It knows no environment: place of the head and number of right symbols are a Markov chain.
"""

from collections.abc import Callable, Mapping, Sequence

# By observation: (chance, move, symbol or None) for each action that has a chance.
Table = Mapping[int, Sequence[tuple[float, int, int | None]]]


def expected_return(
    table: Table,
    source: Sequence[int],
    target: Sequence[int],
    steps: int,
    blank: int,
    wrong: float = 0.0,
    late: float = 0.0,
) -> tuple[float, list[float]]:
    """Returns the expected return, and for each j the chance that j symbols are right."""
    states = {(0, 0): 1.0}  # by place and number of right symbols
    value, reached = 0.0, [1.0] + [0.0] * len(target)
    for _ in range(steps):
        following: dict[tuple[int, int], float] = {}
        for (place, right), likely in states.items():
            seen = source[place] if 0 <= place < len(source) else blank
            for chance, move, symbol in table[seen]:
                p, now = likely * chance, right
                if symbol is not None:
                    if symbol != target[right]:
                        value += p * wrong
                        continue
                    now += 1
                    value += p
                    reached[now] += p
                    if now == len(target):
                        continue
                key = place + move, now
                following[key] = following.get(key, 0.0) + p
        states = following
    return value + late * sum(states.values()), reached


def average(
    strings: Sequence[tuple[float, Sequence[int], Sequence[int]]],
    one: Callable[[Sequence[int], Sequence[int]], float],
) -> float:
    """Returns the mean over strings of what `one` says of a source and its target."""
    return sum(chance * one(source, target) for chance, source, target in strings)
