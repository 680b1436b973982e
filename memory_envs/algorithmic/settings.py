"""The arguments of an algorithmic environment, checked."""

from dataclasses import dataclass
from typing import Any

from memory_envs.algorithmic.tasks import TASKS, AlgorithmicTask
from memory_envs.arguments import check_choice, check_flag, check_integer

TOP_MIN_LENGTH = 30  # Gym's last level
LENGTHS = 3  # at each level: min_length, and up to two more
_LARGEST_BASE = 1_000  # symbols are kept as 16-bit integers


@dataclass(frozen=True)
class AlgorithmicSettings:
    """What the user chose; see `AlgorithmicEnv` for the meaning of each."""

    task: AlgorithmicTask
    base: int
    starting_min_length: int
    level_up: bool

    @property
    def top_min_length(self) -> int:
        """The last level that can be reached."""
        return TOP_MIN_LENGTH if self.level_up else self.starting_min_length

    def sub_actions(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """The names of the sub-actions, and for each the names of its values."""
        moves = ("left", "right") if self.task.height == 1 else ("left", "right", "up", "down")
        symbols = tuple(str(symbol) for symbol in range(self.base))
        return ("move", "write", "symbol"), (moves, ("silent", "write"), symbols)


def check_settings(
    *, task: Any, base: Any, starting_min_length: Any, level_up: Any
) -> AlgorithmicSettings:
    """Check the arguments of an algorithmic environment; None stands for Gym's value.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """
    chosen = TASKS[check_choice("task", task, TASKS)]
    base = chosen.base if base is None else base
    first = chosen.starting_min_length if starting_min_length is None else starting_min_length
    return AlgorithmicSettings(
        task=chosen,
        # With fewer symbols than numbers to add, the last carry may be no symbol.
        base=check_integer("base", base, chosen.height, _LARGEST_BASE),
        starting_min_length=check_integer("starting_min_length", first, 1, TOP_MIN_LENGTH),
        level_up=check_flag("level_up", level_up),
    )
