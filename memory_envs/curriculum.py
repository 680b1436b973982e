"""A curriculum over levels, after Zaremba & Sutskever (2015), section 7 and Table 3.

It is an object of its own, passed to an environment and advanced from outside, so that nothing
about the difficulty is hidden in `reset`:

    curriculum = Curriculum(max_level=10)
    env = gym.make_vec("Tape-Reverse-v0", num_envs=64, curriculum=curriculum)
    ...
    curriculum.record(errors)  # those of the episodes that ended
    curriculum.update()        # once per parameter update

Every environment that was given the object draws its next episodes from the new level at once.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from memory_envs.arguments import check_integer, check_number


class Curriculum:
    """Levels for the next episodes, and the rule for moving on.

    A level is drawn uniformly over all levels with probability `p_any` (10 %), uniformly up to
    C + e with `p_below` (25 %), and exactly C + e otherwise (65 %), where e is geometric with
    success probability 1/2. C is `level`.

    Args:
        max_level: The hardest level: `level` stops there, and none above it is drawn.
        level: Where C starts. From 0 the easiest level is the most frequent one.
        threshold: The running error below which C grows by one (paper: 0.2).
        refractory: The fewest updates between two advances (paper: 100).
        decay: Decay of the running error per update (published code: 0.8).
        p_any: Probability of a level drawn from all levels.
        p_below: Probability of a level drawn from those up to C + e.

    Raises:
        TypeError, ValueError: Naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        max_level: int,
        *,
        level: int = 1,
        threshold: float = 0.2,
        refractory: int = 100,
        decay: float = 0.8,
        p_any: float = 0.10,
        p_below: float = 0.25,
    ) -> None:
        self.max_level = check_integer("max_level", max_level, 1, 2**31 - 1)
        self.threshold = check_number("threshold", threshold, 0.0, 1.0)
        self.refractory = check_integer("refractory", refractory, 0, 2**31 - 1)
        self.decay = check_number("decay", decay, 0.0, 1.0)
        p_any = check_number("p_any", p_any, 0.0, 1.0)
        p_below = check_number("p_below", p_below, 0.0, 1.0 - p_any)
        # Compiled code of every environment that was given this object reads from this array.
        self.levels = np.array([1.0, p_any, p_below])
        self.level = level
        self.running_error = 1.0
        self.updates_since_advance = 0
        self._errors: list[float] = []

    @property
    def level(self) -> int:
        """C, the level that most episodes are near; may be set."""
        return int(self.levels[0])

    @level.setter
    def level(self, level: int) -> None:
        self.levels[0] = check_integer("level", level, 0, self.max_level)

    @property
    def finished(self) -> bool:
        """Whether C has reached `max_level`."""
        return self.level == self.max_level

    def record(self, errors: Iterable[float]) -> None:
        """Notes the errors of finished episodes.

        Args:
            errors: A number in [0, 1] for each; the paper's is the share of target symbols missed.

        Raises:
            ValueError: If one is outside [0, 1] or NaN; then none is noted.
        """
        values = [float(error) for error in errors]
        for value in values:
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"errors has {value!r}; allowed: numbers from 0 to 1")
        self._errors.extend(values)

    def update(self) -> bool:
        """Counts one parameter update; moves on if the running error allows it.

        Returns:
            Whether `level` grew.
        """
        self.updates_since_advance += 1
        if self._errors:
            mean = sum(self._errors) / len(self._errors)
            self.running_error = self.decay * self.running_error + (1.0 - self.decay) * mean
            self._errors.clear()
        ready = self.updates_since_advance >= self.refractory and not self.finished
        if not (ready and self.running_error < self.threshold):
            return False
        self.level += 1
        self.updates_since_advance = 0
        self.running_error = 1.0  # the easier level's successes say nothing about the new one
        return True

    def state_dict(self) -> dict[str, Any]:
        """Returns where the curriculum stands, as JSON-able values."""
        return {
            "level": self.level,
            "running_error": self.running_error,
            "updates_since_advance": self.updates_since_advance,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Returns to a state that `state_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: For a state that it did not give; nothing changes.
        """
        level = check_integer("level", state["level"], 0, self.max_level)
        error = check_number("running_error", state["running_error"], 0.0, 1.0)
        updates = check_integer(
            "updates_since_advance", state["updates_since_advance"], 0, 2**63 - 1
        )
        self.level, self.running_error, self.updates_since_advance = level, error, updates
        self._errors.clear()
