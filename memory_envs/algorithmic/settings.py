"""The arguments of an algorithmic environment, checked."""

from dataclasses import dataclass

from memory_envs.algorithmic.tasks import TASKS, AlgorithmicTask
from memory_envs.arguments import check_choice, check_flag, check_integer, keep_checked

TOP_MIN_LENGTH = 30  # Gym's last level
LENGTHS = 3  # number of lengths at each level: min_length, and up to two more
_LARGEST_BASE = 1_000  # symbols are kept as 16-bit integers


def find_task(task: str) -> AlgorithmicTask:
    """Returns a task by its name.

    Raises:
        ValueError: If there is none of that name.
    """
    return TASKS[check_choice("task", task, TASKS)]


@dataclass(frozen=True)
class AlgorithmicSettings:
    """What the user chose; `AlgorithmicEnv` says what each argument means.

    Raises:
        TypeError, ValueError: Naming the argument, its value and what is allowed.
    """

    task: AlgorithmicTask
    base: int
    starting_min_length: int
    level_up: bool

    def __post_init__(self) -> None:
        """Checks every argument, and keeps NumPy's numbers as Python's."""
        # With fewer symbols than numbers to add, the last carry may be no symbol.
        keep_checked(self, "base", check_integer, self.task.height, _LARGEST_BASE)
        keep_checked(self, "starting_min_length", check_integer, 1, TOP_MIN_LENGTH)
        keep_checked(self, "level_up", check_flag)

    @property
    def top_min_length(self) -> int:
        """The last level that can be reached."""
        return TOP_MIN_LENGTH if self.level_up else self.starting_min_length

    def sub_actions(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Returns the names of the sub-actions, and for each the names of its values."""
        moves = ("left", "right") if self.task.height == 1 else ("left", "right", "up", "down")
        symbols = tuple(str(symbol) for symbol in range(self.base))
        return ("move", "write", "symbol"), (moves, ("silent", "write"), symbols)
