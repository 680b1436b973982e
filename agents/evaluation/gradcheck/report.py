"""What a check found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Group:
    """A group of parameters.

    Attributes:
        name: Name of the group.
        size: Number of its parameters.
        norm: Norm of its exact gradient.
        error: Difference between the expected gradient of the algorithm and the exact one, relative
            to the larger of the two.
        numeric_error: Difference between the exact gradient and central differences of the
            objective, relative to the gradient's norm; the largest of all directions tried.
        bias: Norm of the expected gradient of the algorithm less the exact one.
        variance: Variance of the gradient that the algorithm makes of one episode, summed over the
            group; None if it was not asked for.
        step_error: Difference between the gradient of a whole training step and that of the loss
            that is written by hand, relative to the larger; None for algorithms of others.
    """

    name: str
    size: int
    norm: float
    error: float
    numeric_error: float
    bias: float
    variance: float | None
    step_error: float | None = None


@dataclass(frozen=True)
class Report:
    """All groups of one algorithm.

    Attributes:
        title: What was checked.
        sequences: Number of sequences of actions, each with a probability above 0.
        steps: Steps of the longest.
        probability: Probability of all of them together; 1 but for rounding.
        objective: Exact expectation that the algorithm is to maximise.
        groups: Groups of parameters.
    """

    title: str
    sequences: int
    steps: int
    probability: float
    objective: float
    groups: tuple[Group, ...]

    @property
    def error(self) -> float:
        """The largest relative error of the algorithm's gradient."""
        return max(group.error for group in self.groups)

    @property
    def numeric_error(self) -> float:
        """The largest relative error of central differences."""
        return max(group.numeric_error for group in self.groups)

    @property
    def step_error(self) -> float | None:
        """The largest relative error of a whole training step; None for algorithms of others."""
        parts = [group.step_error for group in self.groups if group.step_error is not None]
        return max(parts, default=None)

    @property
    def variance(self) -> float | None:
        """The variance of the whole gradient of one episode; None if it was not asked for."""
        parts = [group.variance for group in self.groups]
        return None if None in parts else sum(part for part in parts if part is not None)

    def passed(self, tolerance: float = TOLERANCE) -> bool:
        """Whether all gradients agree."""
        return max(self.error, self.numeric_error, self.step_error or 0.0) < tolerance

    def to_dict(self) -> dict[str, Any]:
        """All fields and sums, ready for JSON."""
        sums = {
            "error": self.error,
            "numeric_error": self.numeric_error,
            "step_error": self.step_error,
            "variance": self.variance,
            "passed": self.passed(),
        }
        return {**asdict(self), **sums}

    def __str__(self) -> str:
        width = max(len("group"), *(len(group.name) for group in self.groups))
        lines = [
            f"{self.title}: {self.sequences:,} sequences of at most {self.steps} steps, objective "
            f"{self.objective:.6g}, {'passed' if self.passed() else 'FAILED'}",
            f"{'group':{width}}  {'size':>6}  {'gradient':>9}  {'error':>9}  {'numeric':>9}  "
            f"{'step':>9}  {'bias':>9}  {'variance':>9}",
        ]
        for group in self.groups:
            variance = "-" if group.variance is None else f"{group.variance:.3g}"
            step = "-" if group.step_error is None else f"{group.step_error:.2g}"
            lines.append(
                f"{group.name:{width}}  {group.size:6}  {group.norm:9.3g}  {group.error:9.2g}  "
                f"{group.numeric_error:9.2g}  {step:>9}  {group.bias:9.2g}  {variance:>9}"
            )
        return "\n".join(lines)
