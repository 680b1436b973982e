"""A schedule that model files hold beside Stable-Baselines3's `LinearSchedule`."""

from __future__ import annotations

from memory_envs.arguments import check_number


class HeldSchedule:
    """A number that stays what it is for a share of the training, and then changes linearly.

    What it is depends on how much of the training is left and on nothing else: a training that is
    continued goes on with it as if it had never stopped.

    Args:
        start: The number at first.
        end: The number at the end.
        hold: The share of the training in which it stays, from 0 to below 1.

    Raises:
        TypeError, ValueError: If an argument is no number, or not within its limits.
    """

    def __init__(self, start: float, end: float, hold: float) -> None:
        self.start = check_number("start", start, 0.0)
        self.end = check_number("end", end, 0.0)
        self.hold = check_number("hold", hold, 0.0, 1.0)
        if self.hold == 1.0:
            raise ValueError(f"hold is {hold}; allowed: numbers from 0 to below 1")

    def __call__(self, progress_remaining: float) -> float:
        """Returns the number where the share `progress_remaining`, from 1 to 0, is left."""
        passed = max(0.0, (1.0 - progress_remaining - self.hold) / (1.0 - self.hold))
        return self.start + passed * (self.end - self.start)

    def __repr__(self) -> str:
        return f"HeldSchedule(start={self.start}, end={self.end}, hold={self.hold})"
