"""The arguments of a tape environment, checked."""

from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_envs.arguments import (
    check_choice,
    check_flag,
    check_instance,
    check_integer,
    check_penalty,
    keep_checked,
    shown,
)
from memory_envs.core.rng import RNG_FIELDS
from memory_envs.curriculum import Curriculum
from memory_envs.tape.tasks import MOST_STEPS, TASKS, TapeTask

_LARGEST_LENGTH = 1_000_000
_LARGEST_MEMORY = 4 * _LARGEST_LENGTH
_LARGEST_SYMBOLS = 1_000  # symbols are kept as 16-bit integers


def find_task(task: str | TapeTask) -> TapeTask:
    """Returns a task, which may be given by its name in `TASKS`.

    Raises:
        ValueError: If there is none of that name.
    """
    return task if isinstance(task, TapeTask) else TASKS[check_choice("task", task, TASKS)]


def level_of(task: TapeTask, length: int, complexity: str) -> int:
    """Returns the level of a length.

    Args:
        task: The task.
        length: A length that the task can be sampled with.
        complexity: Either "input", where the two are the same; or "output", where the level is the
            length of the longest desired output, as in section 7 of Zaremba & Sutskever (2015).
    """
    return length if complexity == "input" else task.target_cells(length)


@dataclass(frozen=True)
class TapeSettings:
    """What the user chose; `TapeEnv` says what each argument means.

    Raises:
        TypeError, ValueError: Naming the argument, its value and what is allowed.
    """

    task: TapeTask
    symbols: int
    min_length: int
    max_length: int
    memory_size: int | None
    input_radius: int
    memory_radius: int
    wrong_reward: float
    timeout_reward: float
    on_error: str
    forced_emission: bool
    max_steps: int | None
    complexity: str
    curriculum: Curriculum | None

    def __post_init__(self) -> None:
        """Checks every argument, and keeps NumPy's numbers as Python's."""
        own = self.task not in TASKS.values()
        if own:
            _check_fields(self.task)
        keep_checked(self, "symbols", check_integer, self.task.min_symbols, _LARGEST_SYMBOLS)
        keep_checked(self, "max_length", check_integer, 1, _LARGEST_LENGTH)
        keep_checked(self, "min_length", check_integer, 1, self.max_length)
        keep_checked(self, "input_radius", check_integer, 0, _LARGEST_LENGTH)
        keep_checked(self, "memory_radius", check_integer, 0, _LARGEST_LENGTH)
        if self.memory_size is not None:
            keep_checked(self, "memory_size", check_integer, self.memory_window, _LARGEST_MEMORY)
        if self.max_steps is not None:
            keep_checked(self, "max_steps", check_integer, 1, 2 * MOST_STEPS)
        keep_checked(self, "wrong_reward", check_penalty)
        keep_checked(self, "timeout_reward", check_penalty)
        keep_checked(self, "on_error", check_choice, ("terminate", "continue"))
        keep_checked(self, "forced_emission", check_flag)
        keep_checked(self, "complexity", check_choice, ("input", "output"))
        if own:
            _check_functions(self)
        if self.curriculum is not None:
            allowed = "None, a memory_envs.Curriculum"
            check_instance("curriculum", self.curriculum, Curriculum, allowed)
            highest = self.curriculum.max_level
            check_integer("curriculum.max_level", highest, *self.all_levels)

    @property
    def memory_window(self) -> int:
        """Number of cells seen of a memory tape; a smaller circle would show one of them twice."""
        return 2 * self.memory_radius + 1

    @property
    def all_levels(self) -> tuple[int, int]:
        """The lowest and the highest level that there are."""
        lowest, highest = (
            level_of(self.task, length, self.complexity)
            for length in (self.min_length, self.max_length)
        )
        return lowest, highest

    def levels(self) -> tuple[int, int]:
        """Returns the lowest and the highest level that are drawn."""
        lowest, highest = self.all_levels
        return lowest, highest if self.curriculum is None else self.curriculum.max_level

    def lengths_by_level(self) -> npt.NDArray[np.int64]:
        """Returns the length for each level from the lowest on; none where it is the level itself.

        It is the shortest length that can ask for as many symbols.
        """
        if self.complexity == "input":
            return np.zeros(0, np.int64)
        lengths = range(self.min_length, self.max_length + 1)
        levels = np.array([level_of(self.task, length, self.complexity) for length in lengths])
        lowest, highest = self.all_levels
        if (np.diff(levels) < 0).any():
            raise ValueError(
                f"complexity is 'output'; allowed with task {self.task.name!r}, whose target_cells "
                "fall while the length grows: 'input'"
            )
        return np.searchsorted(levels, np.arange(lowest, highest + 1)) + self.min_length

    def sub_actions(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Returns the names of the sub-actions, and for each the names of its values."""
        content = tuple(str(symbol) for symbol in range(self.symbols))
        names: list[str] = ["input_move"]
        values: list[tuple[str, ...]] = [
            ("stay", "right") if self.task.forward_only else ("left", "stay", "right")
        ]
        if self.task.memory:
            names += ["memory_move", "memory_write"]
            values += [("left", "stay", "right"), (*content, "end", "keep")]
        names += ["emit", "symbol"]
        values += [("silent", "emit"), (*content, "end")]
        return tuple(names), tuple(values)

    def window_cells(self) -> int:
        """Returns the number of symbols that an observation holds."""
        memory = self.memory_window if self.task.memory else 0
        return 2 * self.input_radius + 1 + memory

    def tape_cells(self) -> tuple[int, int, int]:
        """Returns the cells of input and target, end marks included, and of the memory."""
        source = self.task.source_cells(self.max_length) + 1
        memory = self.memory_size or max(source, self.memory_window)
        target = self.task.target_cells(self.max_length) + 1
        return source, target, memory if self.task.memory else 0


def _check_fields(task: TapeTask) -> None:
    check_instance("task.name", task.name, str, "strings")
    for field in ("source_cells", "target_cells"):
        function = getattr(task, field)
        if not callable(function):
            raise TypeError(f"task.{field} is {shown(function)}; allowed: functions")
    for field in ("sample", "target", "steps"):
        allowed = "plain functions, which are compiled here"
        check_instance(f"task.{field}", getattr(task, field), FunctionType, allowed)
    check_flag("task.forward_only", task.forward_only)
    check_flag("task.memory", task.memory)
    check_integer("task.min_symbols", task.min_symbols, 1, _LARGEST_SYMBOLS)


def _check_functions(settings: TapeSettings) -> None:
    """Runs a user's task in plain Python, where an error says more than it would compiled."""
    task, symbols = settings.task, settings.symbols
    row = np.zeros(1, RNG_FIELDS)[0]
    lengths = np.linspace(settings.min_length, settings.max_length, 20).astype(int)
    for length in sorted(set(lengths.tolist())):
        source = np.zeros(task.source_cells(length), np.int16)
        target = np.zeros(task.target_cells(length), np.int16)
        size = _written(task, "sample", source, symbols, row, length, symbols, source)
        given = source[:size].copy()
        goal_size = _written(task, "target", target, symbols, given, size, symbols, target)
        closed = np.append(given, np.int16(symbols))
        steps = _call(task, "steps", closed, size + 1, goal_size + 1)
        check_integer(f"task {task.name!r}: steps' return value", steps, 1, MOST_STEPS)


def _written(
    task: TapeTask, name: str, tape: npt.NDArray[np.int16], symbols: int, *arguments: Any
) -> int:
    where = f"task {task.name!r}: {name}"
    count = _call(task, name, *arguments)
    count = check_integer(f"{where}'s return value", count, 0, len(tape))
    written = tape[:count]
    if ((written < 0) | (written >= symbols)).any():
        raise ValueError(
            f"{where} wrote {shown(written.tolist())}; allowed: content symbols, 0 to {symbols - 1}"
        )
    return count


def _call(task: TapeTask, name: str, *arguments: Any) -> Any:
    try:
        return getattr(task, name)(*arguments)
    except Exception as error:
        message = f"task {task.name!r}: {name} failed with {type(error).__name__}: {error}"
        raise ValueError(message) from error
