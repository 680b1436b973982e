"""What is known of a value: an interval, and what kind of knowledge each of its ends is."""

from dataclasses import dataclass

from memory_envs.arguments import check_choice

# The chance that an end which rests on sampled episodes is wrong.
RISK = 1e-6
KINDS = {
    "exact": "computed without sampling; both ends are the value itself",
    "proven": "a theorem holds it, whatever the policy",
    "found": "a policy is known that gets it, computed without sampling",
    "sampled": f"holds with a probability of 1 - {RISK:g}, by a concentration inequality",
    "trivial": "nothing better is known than the best that any policy can do, or 0",
}
# Rounding of sums of some thousand numbers, relative to the largest of them.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Interval:
    """Two bounds of the value of a best policy.

    Attributes:
        lower: The value is no less.
        upper: The value is no more.
        lower_by: How the first is known, one of `KINDS`.
        upper_by: The same of the second.
    """

    lower: float
    upper: float
    lower_by: str = "exact"
    upper_by: str = "exact"

    def __post_init__(self) -> None:
        """Checks that it is one, and keeps NumPy's numbers as Python's."""
        object.__setattr__(self, "lower", float(self.lower))
        object.__setattr__(self, "upper", float(self.upper))
        check_choice("lower_by", self.lower_by, KINDS)
        check_choice("upper_by", self.upper_by, KINDS)
        if self.lower > self.upper + _ROUNDING * max(1.0, abs(self.upper)):
            raise ValueError(f"lower is {self.lower}; allowed: up to upper, {self.upper}")

    @property
    def is_exact(self) -> bool:
        """Whether the value itself is known, for certain."""
        certain = "sampled" not in (self.lower_by, self.upper_by)
        return certain and self.upper - self.lower <= _ROUNDING * max(1.0, abs(self.upper))

    def below(self, other: "Interval") -> bool:
        """Says whether the value is known to be less than another one."""
        return self.upper < other.lower - _ROUNDING * max(1.0, abs(other.lower))

    def capped(self, best: "Interval") -> "Interval":
        """Returns the interval with an upper end that is no more than that of a better player."""
        if self.upper <= best.upper:
            return self
        return Interval(min(self.lower, best.upper), best.upper, self.lower_by, "trivial")


def exact(value: float) -> Interval:
    """Returns the interval of a value that is known."""
    return Interval(value, value)


def up_to(best: Interval, lower: float = 0.0, lower_by: str = "trivial") -> Interval:
    """Returns the interval of a value that is known from above only not to beat the best."""
    return Interval(lower, best.upper, lower_by, "trivial")


def wider_is_better(intervals: dict[int, Interval]) -> dict[int, Interval]:
    """Returns intervals by window, with what a smaller window says of a larger one.

    Who sees more can do what is done by who sees less.
    """
    found: dict[int, Interval] = {}
    last = None
    for k in sorted(intervals):
        one = intervals[k]
        if last is not None and last.lower > one.lower:
            one = Interval(last.lower, max(one.upper, last.lower), last.lower_by, one.upper_by)
        found[k] = last = one
    return found
