"""Windows on symbols that are drawn independently: exact values by patterns.

A long stream of random symbols has too many outcomes to list, but few patterns. In a `Scenario` the
lengths and marks of a stream are fixed, and its symbols are variables, independent and uniform over
K values. What a window shows is then a pattern of marks and variables, and for the answer that is
due each scenario with this pattern is a hypothesis: it is the variable that stands at some place of
the window, or it is out of view. The best answer is the value with the largest sum of weights; its
expectation over the variables in view is computed by listing their values.

This asks that no value of a variable looks like a mark, which the callers answer for.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_OUT_OF_VIEW = -1
_MOST_VALUES = 200_000

# A token is a variable's number, or a mark's name.
Token = int | str


class Scenario(NamedTuple):
    """A stream with variables for its random symbols.

    Attributes:
        probability: Of its lengths and marks.
        inputs: What is shown at each step.
        targets: What is due at each step: a variable, the name of a fixed value, such as "1", or
            None where nothing is.
    """

    probability: float
    inputs: Sequence[Token]
    targets: Sequence[Token | None]


def best_value(scenarios: Iterable[Scenario], k: int, values: int) -> float:
    """Returns how many answers are right, in expectation, of a policy that sees the last k inputs.

    Args:
        scenarios: Their probabilities sum to 1.
        k: Number of inputs in sight, the present one among them.
        values: Number of values that a variable can have.

    Raises:
        ValueError: If there are too many cases to list.
    """
    patterns: defaultdict[tuple[Token, ...], defaultdict[Token, float]] = defaultdict(
        lambda: defaultdict(float)
    )
    for scenario in scenarios:
        for t, target in enumerate(scenario.targets):
            if target is None:
                continue
            shown = scenario.inputs[max(0, t + 1 - k) : t + 1]
            places: dict[Token, int] = {}  # of the variables, by their first appearance
            pattern = tuple(
                token if isinstance(token, str) else places.setdefault(token, len(places))
                for token in shown
            )
            place = target if isinstance(target, str) else places.get(target, _OUT_OF_VIEW)
            # A window that is not full yet shows where the stream begins, by its length.
            patterns[pattern][place] += scenario.probability
    return sum(_largest(hypotheses, values) for hypotheses in patterns.values())


def _largest(hypotheses: dict[Token, float], values: int) -> float:
    """Returns the expected weight of the answer with the largest one."""
    fixed, weights = [0.0] * values, []
    for place, weight in hypotheses.items():
        if isinstance(place, str):
            fixed[int(place)] += weight
        elif place != _OUT_OF_VIEW:
            weights.append(weight)
    # Out of view, every value is as likely as any other, and adds the same to each answer.
    unseen: float = hypotheses.get(_OUT_OF_VIEW, 0.0) / values
    if not any(fixed) and len(weights) < 2:
        return sum(weights, unseen)
    if values ** len(weights) > _MOST_VALUES:
        raise ValueError(f"{len(weights)} places of {values} values; allowed: fewer")
    total = 0.0
    for seen in itertools.product(range(values), repeat=len(weights)):
        sums = list(fixed)
        for value, weight in zip(seen, weights, strict=True):
            sums[value] += weight
        total += max(sums)
    return unseen + total / float(values ** len(weights))
