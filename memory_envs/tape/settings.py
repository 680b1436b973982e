"""The arguments of a tape environment, checked."""

from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_envs.arguments import check_choice, check_flag, check_integer, check_penalty, shown
from memory_envs.core.rng import RNG_FIELDS
from memory_envs.curriculum import Curriculum
from memory_envs.tape.tasks import MOST_STEPS, TASKS, TapeTask

_LARGEST_LENGTH = 1_000_000
_LARGEST_SYMBOLS = 1_000  # symbols are kept as 16-bit integers


@dataclass(frozen=True)
class TapeSettings:
    """What the user chose; see `TapeEnv` for the meaning of each."""

    task: TapeTask
    symbols: int
    min_length: int
    max_length: int
    memory_size: int
    input_radius: int
    memory_radius: int
    wrong_reward: float
    timeout_reward: float
    on_error: str
    forced_emission: bool
    max_steps: int | None

    def sub_actions(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """The names of the sub-actions, and for each the names of its values."""
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
        """How many symbols an observation holds."""
        memory = 2 * self.memory_radius + 1 if self.task.memory else 0
        return 2 * self.input_radius + 1 + memory

    def tape_cells(self) -> tuple[int, int, int]:
        """Cells of the input and target arrays, end marks included, and of the memory."""
        return (
            self.task.source_cells(self.max_length) + 1,
            self.task.target_cells(self.max_length) + 1,
            self.memory_size if self.task.memory else 0,
        )


def check_settings(
    *,
    task: Any,
    symbols: Any,
    min_length: Any,
    max_length: Any,
    memory_size: Any,
    input_radius: Any,
    memory_radius: Any,
    wrong_reward: Any,
    timeout_reward: Any,
    on_error: Any,
    forced_emission: Any,
    max_steps: Any,
    curriculum: Any,
) -> TapeSettings:
    """Check the arguments of a tape environment.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """
    chosen = task if isinstance(task, TapeTask) else TASKS[check_choice("task", task, TASKS)]
    own = chosen not in TASKS.values()
    if own:
        _check_fields(chosen)
    symbols = check_integer("symbols", symbols, chosen.min_symbols, _LARGEST_SYMBOLS)
    max_length = check_integer("max_length", max_length, 1, _LARGEST_LENGTH)
    min_length = check_integer("min_length", min_length, 1, max_length)
    memory_radius = check_integer("memory_radius", memory_radius, 0, _LARGEST_LENGTH)
    fewest = 2 * memory_radius + 1  # a smaller circle would show a cell twice
    if memory_size is None:
        memory_size = max(chosen.source_cells(max_length) + 1, fewest)
    if chosen.memory:
        memory_size = check_integer("memory_size", memory_size, fewest, 4 * _LARGEST_LENGTH)
    if max_steps is not None:
        max_steps = check_integer("max_steps", max_steps, 1, 2 * MOST_STEPS)
    if curriculum is not None:
        if not isinstance(curriculum, Curriculum):
            raise TypeError(f"curriculum must be a memory_envs.Curriculum, got {shown(curriculum)}")
        check_integer("curriculum.max_level", curriculum.max_level, min_length, max_length)
    settings = TapeSettings(
        task=chosen,
        symbols=symbols,
        min_length=min_length,
        max_length=max_length,
        memory_size=memory_size,
        input_radius=check_integer("input_radius", input_radius, 0, _LARGEST_LENGTH),
        memory_radius=memory_radius,
        wrong_reward=check_penalty("wrong_reward", wrong_reward),
        timeout_reward=check_penalty("timeout_reward", timeout_reward),
        on_error=check_choice("on_error", on_error, ("terminate", "continue")),
        forced_emission=check_flag("forced_emission", forced_emission),
        max_steps=max_steps,
    )
    if own:
        _check_functions(settings)
    return settings


def _check_fields(task: TapeTask) -> None:
    if not isinstance(task.name, str):
        raise TypeError(f"task.name must be a string, got {shown(task.name)}")
    for field in ("source_cells", "target_cells"):
        if not callable(getattr(task, field)):
            raise TypeError(f"task.{field} must be a function, got {shown(getattr(task, field))}")
    for field in ("sample", "target", "steps"):  # to be compiled
        if not isinstance(getattr(task, field), FunctionType):
            raise TypeError(
                f"task.{field} must be a plain function, which is compiled here; "
                f"got {shown(getattr(task, field))}"
            )
    check_flag("task.forward_only", task.forward_only)
    check_flag("task.memory", task.memory)
    check_integer("task.min_symbols", task.min_symbols, 1, _LARGEST_SYMBOLS)


def _check_functions(settings: TapeSettings) -> None:
    """Run a user's task in plain Python, where an error says more than it would compiled."""
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
            f"{where} must write content symbols in [0, {symbols - 1}], got {written.tolist()}"
        )
    return count


def _call(task: TapeTask, name: str, *arguments: Any) -> Any:
    try:
        return getattr(task, name)(*arguments)
    except Exception as error:
        message = f"task {task.name!r}: {name} failed with {type(error).__name__}: {error}"
        raise ValueError(message) from error
