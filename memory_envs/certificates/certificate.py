"""What is certified of one environment."""

from dataclasses import asdict, dataclass
from typing import Any

from memory_envs.certificates.interval import Interval


@dataclass(frozen=True)
class Certificate:
    """How much of the best return can be had with how much memory.

    All values are expected returns of an episode, undiscounted.

    Attributes:
        id: The environment.
        family: Its family.
        best: What the best policy gets that remembers everything it saw.
        memoryless: What the best policy gets that maps the present observation, and nothing else,
            to a distribution over actions.
        observations: By k, what the best policy gets that sees the last k observations, the
            present one among them.
        windows: By k, the same with the last k actions in view, too.
        method: How the figures were found.
    """

    id: str
    family: str
    best: Interval
    memoryless: Interval
    observations: dict[int, Interval]
    windows: dict[int, Interval]
    method: str

    @property
    def needs_memory(self) -> bool:
        """Whether it is certain, or as certain as a sampled figure, that memory is needed."""
        return self.memoryless.below(self.best)

    @property
    def needs_none(self) -> bool:
        """Whether a policy without memory is known that gets the best return."""
        best = self.best.upper
        return self.memoryless.lower >= best - 1e-9 * max(1.0, abs(best))

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data, for JSON."""
        return {**asdict(self), "needs_memory": self.needs_memory, "needs_none": self.needs_none}


def from_dict(found: dict[str, Any]) -> Certificate:
    """Returns the certificate that `Certificate.to_dict` wrote; the keys may be JSON's strings."""
    return Certificate(
        found["id"],
        found["family"],
        Interval(**found["best"]),
        Interval(**found["memoryless"]),
        _intervals(found["observations"]),
        _intervals(found["windows"]),
        found["method"],
    )


def _intervals(found: dict[Any, Any]) -> dict[int, Interval]:
    return {int(k): Interval(**interval) for k, interval in found.items()}
