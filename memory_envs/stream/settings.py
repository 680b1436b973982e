"""The arguments of a stream environment, checked."""

from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from memory_envs.arguments import (
    allowed_names,
    check_choice,
    check_flag,
    check_instance,
    check_integer,
    shown,
)
from memory_envs.core.rng import RNG_FIELDS
from memory_envs.core.rules import ActionSpace
from memory_envs.curriculum import Curriculum
from memory_envs.stream.delay import Delay, widen
from memory_envs.stream.task import LARGEST_LENGTH, NO_ANSWER, Parameter, StreamTask
from memory_envs.stream.tasks import TASKS
from memory_envs.stream.text.texts import TEXTS, text_options, text_task

_LARGEST_STREAM = 2**24  # numbers in the inputs of one row
# The arguments of every stream environment, and those of the vector environment alone.
_ARGUMENTS = (
    "task",
    "min_length",
    "max_length",
    "delay",
    "distractors",
    "curriculum",
    "render_mode",
)
_TAKEN = ("num_envs", "autoreset_mode", *_ARGUMENTS)  # no parameter of a task can be called so


class StreamSettings:
    """What the user chose; `StreamEnv` says what each argument means.

    Attributes:
        task: The task.
        is_ours: Whether it is the project's own, so that it need not be watched.
        min_length: The length of the shortest streams.
        max_length: The length of the longest.
        curriculum: What the lengths are drawn from; None for uniformly.
        parameters: The values of the task's parameters, in its order.
        delay: How many steps later than otherwise the question comes.
        distractors: How many of these are no blank ones.
        inputs: The space of an input, as it is shown.
        own_inputs: The same as the task fills it, which is another one if there is a delay.
        answers: The space of an answer.
        steps: The most steps that a stream can have.

    Raises:
        TypeError, ValueError: Naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        task: str | StreamTask,
        min_length: int | None,
        max_length: int | None,
        curriculum: Curriculum | None,
        parameters: Mapping[str, Any],
        delay: int = 0,
        distractors: int = 0,
    ) -> None:
        self.task, parameters = _find_task(task, dict(parameters))
        options = text_options(task) if isinstance(task, str) and task in TEXTS else ()
        self.is_ours = isinstance(task, str) or task in TASKS.values()
        own = not self.is_ours
        if own:
            _check_fields(self.task)
        self.min_length, self.max_length = self._read_lengths(min_length, max_length)
        self.parameters = _read_parameters(self.task, parameters, options)
        self._ask("check", self.min_length, self.max_length)
        self.delay = check_integer("delay", delay, 0, LARGEST_LENGTH)
        self.distractors = check_integer("distractors", distractors, 0)
        self._check_delay()
        self.own_inputs: spaces.Space[Any] = self._ask("inputs")
        self.answers: ActionSpace = self._ask("answers")
        if own:
            _check_spaces(self.task, self.own_inputs, self.answers)
        self.inputs = widen(self.own_inputs) if self.delay else self.own_inputs
        steps = self._ask("steps", self.max_length)
        self._own_steps = check_integer(f"task {self.task.name!r}: steps' return value", steps, 1)
        self.steps = self._own_steps + self.delay
        self._check_size()
        if own:
            self._try_sample()
        self.curriculum = curriculum
        if curriculum is not None:
            check_instance("curriculum", curriculum, Curriculum, "None, a memory_envs.Curriculum")
            highest = curriculum.max_level
            check_integer("curriculum.max_level", highest, self.min_length, self.max_length)

    def _ask(self, field: str, *items: Any) -> Any:
        """Calls one of the task's functions; what a user's raises must say whose it is."""
        try:
            return getattr(self.task, field)(*items, *self.parameters)
        except Exception as error:
            if field == "check" and isinstance(error, ValueError):
                raise  # which is how it objects
            name = type(error).__name__
            message = f"task {self.task.name!r}: {field} failed with {name}: {error}"
            raise ValueError(message) from error

    def _read_lengths(self, low: int | None, high: int | None) -> tuple[int, int]:
        """Returns both; one that is not given is the task's, or the other if that is beyond."""
        task, ends = self.task, (self.task.lowest_length, self.task.highest_length)
        if low is not None:
            low = check_integer("min_length", low, *ends)
        if high is None:
            high = max(task.max_length, low or 0)
        high = check_integer("max_length", high, *ends)
        if low is None:
            low = min(task.min_length, high)
        return check_integer("min_length", low, task.lowest_length, high), high

    def _check_delay(self) -> None:
        """Looks whether there is a question that can be delayed, and room for the distractors."""
        if self.delay and self.task.question is None:
            raise ValueError(
                f"delay is {self.delay}; allowed: 0, as task {self.task.name} has no question "
                "that comes after all that is to be remembered"
            )
        if self.distractors > self.delay:
            raise ValueError(
                f"distractors is {self.distractors}; allowed: up to {self.delay}, the delay, whose "
                "steps they are"
            )

    def _check_size(self) -> None:
        """Looks whether the longest stream is not too long."""
        width = _numbers(self.inputs)
        if self.steps * width <= _LARGEST_STREAM:
            return
        length_fits = self._own_steps * width <= _LARGEST_STREAM
        name, value = ("delay", self.delay) if length_fits else ("max_length", self.max_length)
        raise ValueError(
            f"{name} is {value}; allowed: less, as streams of {self.steps} steps have "
            f"{self.steps * width} numbers, and {_LARGEST_STREAM} is the most"
        )

    def question(self, length: int) -> int:
        """Returns the step with which the question begins, were there no delay."""
        found = self._ask("question", length)
        name = f"task {self.task.name!r}: question's return value"
        return check_integer(name, found, 1, self._own_steps)

    def new_delay(self, distractors: bool = True) -> Delay:
        """Returns what compiled functions have to know of the delay.

        Args:
            distractors: Whether there are any.
        """
        lengths = range(self.min_length, self.max_length + 1)
        space = self.own_inputs
        symbols = int(space.n) if isinstance(space, spaces.Discrete) else 0
        return Delay(
            self.delay,
            self.distractors if distractors else 0,
            np.array([self.question(length) for length in lengths], np.int64),
            self.min_length,
            self.max_length,
            _numbers(space),
            symbols,
        )

    def levels(self) -> tuple[int, int]:
        """Returns the lowest and the highest length that are drawn."""
        highest = self.max_length if self.curriculum is None else self.curriculum.max_level
        return self.min_length, highest

    def new_stream(
        self, num_rows: int, own: bool = False
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
        """Returns blank inputs and targets, ``(B, T, numbers)`` each.

        Args:
            num_rows: Number of rows, B.
            own: Whether without room for a delay, as the task fills them.
        """
        space, steps = (self.own_inputs, self._own_steps) if own else (self.inputs, self.steps)
        dtype = space.dtype if isinstance(space, spaces.Box) else np.int32
        inputs = np.zeros((num_rows, steps, _numbers(space)), dtype)
        return inputs, np.full((num_rows, steps, _numbers(self.answers)), NO_ANSWER, np.int32)

    def _try_sample(self) -> None:
        """Runs a user's task in plain Python, where an error says more than it would compiled."""
        task = self.task
        row = np.zeros(1, RNG_FIELDS)[0]
        lengths = np.linspace(self.min_length, self.max_length, 20).astype(int)
        for length in sorted(set(lengths.tolist())):
            inputs, targets = (array[0] for array in self.new_stream(1, own=True))
            inputs = inputs[:, 0] if isinstance(self.own_inputs, spaces.Discrete) else inputs
            targets = targets[:, 0] if isinstance(self.answers, spaces.Discrete) else targets
            where = f"task {task.name!r}: sample"
            try:
                arguments = (*self.parameters, *task.data)
                size = task.sample(row, length, inputs, targets, *arguments)
            except Exception as error:
                message = f"{where} failed with {type(error).__name__}: {error}"
                raise ValueError(message) from error
            size = check_integer(f"{where}'s return value", size, 1, len(inputs))
            due = [t for t in range(len(inputs)) if np.any(targets[t] != NO_ANSWER)]
            if not due or due[-1] >= size:
                raise ValueError(
                    f"{where} wrote targets at the steps {shown(due)} of {size}; allowed: one at "
                    "least, and none behind the end"
                )
            for name, space, found in (
                ("inputs", self.own_inputs, list(inputs[:size])),
                ("targets", self.answers, [targets[t] for t in due]),
            ):
                for item in found:
                    if not space.contains(np.asarray(item, space.dtype)):
                        raise ValueError(f"{where} wrote {name} {shown(item)}; allowed: {space}")
            self._try_words("words", inputs[0])
            self._try_words("answer_words", targets[due[0]])

    def _try_words(self, field: str, item: Any) -> None:
        """Looks what a user's task calls an input, or an answer."""
        if getattr(self.task, field) is not None:
            name = f"task {self.task.name!r}: {field}' return value"
            check_instance(name, self._ask(field, item), str, "strings")


def _numbers(space: spaces.Space[Any]) -> int:
    """Returns how many numbers an item of the space is."""
    return int(np.prod(space.shape or (1,)))


def _find_task(
    task: str | StreamTask, parameters: dict[str, Any]
) -> tuple[StreamTask, dict[str, Any]]:
    """Returns the task, made of its text if it has one, and what is left of its parameters."""
    if isinstance(task, StreamTask):
        return task, parameters
    if check_choice("task", task, (*TASKS, *TEXTS)) in TASKS:
        return TASKS[task], parameters
    options = {name: parameters.pop(name) for name in text_options(task) if name in parameters}
    return text_task(task, **options), parameters


def _read_parameters(
    task: StreamTask, given: Mapping[str, Any], options: Sequence[str]
) -> tuple[int, ...]:
    """Returns the values of the task's parameters; `options` are those of its text, read before."""
    names = [parameter.name for parameter in task.parameters]
    for name in given:
        if name not in names:
            allowed = allowed_names(name, [*_ARGUMENTS, *names, *options])
            raise TypeError(f"argument {name!r} of task {task.name}; {allowed}")
    return tuple(
        check_integer(name, given.get(name, default), lowest, highest)
        for name, default, lowest, highest in task.parameters
    )


def _check_fields(task: StreamTask) -> None:
    check_instance("task.name", task.name, str, "strings")
    allowed = "a plain function, which is compiled here"
    check_instance("task.sample", task.sample, FunctionType, allowed)
    for field in ("steps", "inputs", "answers", "check"):
        function = getattr(task, field)
        if not callable(function):
            raise TypeError(f"task.{field} is {shown(function)}; allowed: functions")
    for field in ("words", "answer_words", "question"):
        function = getattr(task, field)
        if function is not None and not callable(function):
            raise TypeError(f"task.{field} is {shown(function)}; allowed: None, functions")
    highest = check_integer("task.highest_length", task.highest_length, 1, LARGEST_LENGTH)
    lowest = check_integer("task.lowest_length", task.lowest_length, 1, highest)
    low = check_integer("task.min_length", task.min_length, lowest, highest)
    check_integer("task.max_length", task.max_length, low, highest)
    check_instance("task.data", task.data, tuple, "tuples of NumPy arrays")
    for array in task.data:
        check_instance("task.data's item", array, np.ndarray, "NumPy arrays")
    if check_flag("task.is_data_set", task.is_data_set) and not _has_starts(task):
        raise ValueError(
            f"task.data is {shown(task.data)}; allowed with is_data_set: first an array (N + 1,) "
            "of whole numbers, where each of N sequences begins and the last ends"
        )
    check_instance("task.parameters", task.parameters, tuple, "tuples of Parameter(...)")
    taken = set(_TAKEN)
    for parameter in task.parameters:
        check_instance("task.parameters' item", parameter, Parameter, "Parameter(...)")
        name = parameter.name
        check_instance("task.parameters' name", name, str, "strings")
        if name in taken or not name.isidentifier():
            raise ValueError(
                f"task.parameters' name is {name!r}; allowed: names of arguments, each once, "
                f"but for {', '.join(_TAKEN)}"
            )
        taken.add(name)


def _has_starts(task: StreamTask) -> bool:
    """Says whether the task's data begin with the starts of one sequence at least."""
    if not task.data:
        return False
    starts = task.data[0]
    return starts.ndim == 1 and len(starts) > 1 and np.issubdtype(starts.dtype, np.integer)


def _check_spaces(task: StreamTask, inputs: spaces.Space[Any], answers: spaces.Space[Any]) -> None:
    for field, space, kinds in (
        ("inputs", inputs, (spaces.Discrete, spaces.MultiDiscrete, spaces.Box)),
        ("answers", answers, (spaces.Discrete, spaces.MultiDiscrete)),
    ):
        names = "a Discrete, " + " or ".join(f"a flat {kind.__name__}" for kind in kinds[1:])
        check_instance(f"task.{field}'s return value", space, kinds, names)
        shape = space.shape or ()
        flat = isinstance(space, spaces.Discrete) or (len(shape) == 1 and shape[0] > 0)
        if not flat or np.any(getattr(space, "start", 0)):
            raise ValueError(f"task.{field}'s return value is {space}; allowed: {names}, from 0 on")
    if isinstance(inputs, spaces.Box) and inputs.dtype in (np.float16, np.longdouble):
        raise ValueError(
            f"task.inputs's return value is {inputs}; allowed: dtypes that Numba compiles"
        )
    if isinstance(inputs, spaces.Box) and not inputs.contains(np.zeros(inputs.shape, inputs.dtype)):
        raise ValueError(
            f"task.inputs's return value is {inputs}; allowed: spaces with zeros, which are blank"
        )
