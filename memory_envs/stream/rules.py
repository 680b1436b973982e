"""The rules of the stream family, over arrays of B rows.

A stream passes by, an input a step, whatever the agent does. At some steps an answer is due: the
action then is the answer, and at all other steps it means nothing. A right answer pays 1; one of
several parts, such as bits, pays the share of its parts that are right. The step after the last
input ends the episode; it shows that input again.

The masks of actions leave one choice where no answer is due, so that an agent that heeds them does
not learn from actions that mean nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from memory_envs.core.levels import UNIFORM_LEVELS
from memory_envs.core.rng import seed_rows
from memory_envs.core.rules import (
    ActionSpace,
    Array,
    BoolArray,
    Indices,
    IntArray,
    KernelCall,
    Outcome,
    new_outcome,
    try_to_begin,
)
from memory_envs.core.state import require, require_ranges
from memory_envs.stream.kernels import compile_advance, is_flat
from memory_envs.stream.layout import RESULT, ROW, StreamBatch, StreamState
from memory_envs.stream.settings import StreamSettings
from memory_envs.stream.task import NO_ANSWER
from memory_envs.stream.words import answer_names, describe
from memory_envs.view import View


class StreamRules:
    """The rules of one stream environment; see `Rules` for the methods.

    Args:
        settings: The environment's arguments, checked.
    """

    action_space: ActionSpace
    action_names: tuple[str, ...]
    result_dtype = RESULT

    def __init__(self, settings: StreamSettings) -> None:
        self.settings = settings
        self.action_space = settings.answers
        self.observation_space = settings.inputs
        sizes = action_sizes(settings.answers)
        self.action_names = ("answer",)
        if len(sizes) > 1:
            self.action_names = tuple(f"answer_{k + 1}" for k in range(len(sizes)))
        self.action_values = answer_names(settings)
        self._no_actions = np.zeros((1, len(sizes)), np.int64)
        curriculum = settings.curriculum
        levels = UNIFORM_LEVELS if curriculum is None else curriculum.levels
        limits = (*_ends(settings.own_inputs), np.array(sizes))
        arguments = self._arguments(settings.task.data)
        self._constants = (arguments, *settings.levels(), levels, limits)
        self._compile()
        if not settings.is_ours:
            try_to_begin(self, settings.task.name)

    def _compile(self) -> None:
        settings = self.settings
        flat = is_flat(settings.inputs), is_flat(settings.answers)
        delayed = settings.delay > 0
        self._advance = compile_advance(settings.task, flat, settings.is_ours, delayed)

    def _arguments(self, data: tuple[npt.NDArray[Any], ...]) -> tuple[Any, ...]:
        """Returns what the compiled function takes for the task, with these data."""
        settings = self.settings
        arguments = (*settings.parameters, *data)
        return (arguments, settings.new_delay()) if settings.delay else arguments

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_advance": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compile()

    def new_state(self, num_rows: int) -> StreamState:
        inputs, targets = self.settings.new_stream(num_rows)
        return StreamState(np.zeros(num_rows, ROW), inputs, targets, targets.copy())

    def advance(
        self, state: StreamState, actions: IntArray, indices: Indices, outcome: Outcome
    ) -> KernelCall:
        return self._call(state, actions, indices, outcome, False)

    def observe(self, state: StreamState, indices: Indices, outcome: Outcome) -> KernelCall:
        return self._call(state, self._no_actions, indices, outcome, True)

    def _call(
        self,
        state: StreamState,
        actions: IntArray,
        indices: Indices,
        outcome: Outcome,
        only_show: bool,
    ) -> KernelCall:
        # The kernel sees an observation as a row of numbers, whatever the space.
        observations = outcome.observations.view()
        observations.shape = (len(observations), -1)
        arrays = (*state, actions, indices, observations, outcome.results)
        return KernelCall(self._advance, (*self._constants, *arrays, only_show))

    def target(self, state: StreamState) -> Array | None:
        return state.targets[:, :, 0] if is_flat(self.settings.answers) else state.targets

    def info(self, results: Sequence[Any], target: Array | None) -> dict[str, Any]:
        _, _, _, success, complexity, symbols_correct, target_size = results
        return {
            "success": success,
            "complexity": complexity,
            "symbols_correct": symbols_correct,
            "target_size": target_size,
            "target": target,
        }

    def action_masks(self, state: StreamState) -> BoolArray:
        rows, sizes = state.rows, action_sizes(self.action_space)
        steps = np.minimum(rows["steps"], state.targets.shape[1] - 1)
        due = (state.targets[np.arange(len(rows)), steps, 0] != NO_ANSWER) & rows["running"]
        masks = np.ones((len(rows), sum(sizes)), np.bool_)
        first = np.cumsum([0, *sizes[:-1]])
        others = np.setdiff1d(np.arange(sum(sizes)), first)
        masks[np.ix_(~due, others)] = False
        return masks

    def batch(self, state: StreamState) -> StreamBatch:
        """Returns the streams of all rows, whole, whatever step they are at."""
        rows = state.rows
        sizes = rows["size"].astype(np.int64)
        steps, settings = int(sizes.max()), self.settings
        inputs = np.swapaxes(state.inputs[:, :steps], 0, 1)
        targets = np.swapaxes(state.targets[:, :steps], 0, 1)
        mask = targets[..., 0] != NO_ANSWER
        answers = np.where(targets == NO_ANSWER, 0, targets).astype(np.int64)
        return StreamBatch(
            np.ascontiguousarray(inputs, settings.inputs.dtype).reshape(
                *mask.shape, *(settings.inputs.shape or ())
            ),
            answers.reshape(*mask.shape, *(settings.answers.shape or ())),
            mask,
            sizes,
            rows["length"].astype(np.int64),
        )

    def trial(self, num_rows: int) -> StreamBatch:
        """Returns the streams that the seeds 0, 1, ... draw, one for each row."""
        rows = np.arange(num_rows)
        state, outcome = self.new_state(num_rows), new_outcome(self, num_rows)
        seed_rows(state.rows, rows.tolist(), rows.tolist())
        self._call(state, self._no_actions.repeat(num_rows, 0), rows, outcome, False).run()
        return self.batch(state)

    def every(self, num_rows: int) -> Iterator[StreamBatch]:
        """Yields the sequences of the task's data set, each once, `num_rows` at a time, in order.

        Raises:
            TypeError: If the task draws its streams otherwise.
        """
        task, (_, *constants) = self.settings.task, self._constants
        if not task.is_data_set:
            raise TypeError(
                f"task is {task.name}; allowed: tasks that draw from a data set as it is"
            )
        starts, *others = task.data
        for first in range(0, len(starts) - 1, num_rows):
            rows = np.arange(min(num_rows, len(starts) - 1 - first))
            state, outcome = self.new_state(len(rows)), new_outcome(self, len(rows))
            seed_rows(state.rows, rows.tolist(), rows.tolist())
            for row in rows.tolist():
                # Of a single sequence, the one that is drawn is known.
                single = starts[first + row : first + row + 2]
                arguments = self._arguments((single, *others))
                call = self._call(state, self._no_actions, rows[row : row + 1], outcome, False)
                call.kernel(arguments, *constants, *call.arguments[1 + len(constants) :])
            yield self.batch(state)

    def check_state(self, state: StreamState) -> None:
        rows, settings = state.rows, self.settings
        low, high = _ends(settings.inputs)
        inside = ((state.inputs >= low) & (state.inputs <= high)) | (state.inputs == 0)
        require(inside, "inputs", state.inputs, f"those of {settings.inputs}")
        sizes = np.array(action_sizes(settings.answers))
        for name, numbers in (("targets", state.targets), ("answers", state.answers)):
            fine = (numbers >= NO_ANSWER) & (numbers < sizes)
            require(fine, name, numbers, f"those of {settings.answers}, and {NO_ANSWER}")
        answered = state.targets != NO_ANSWER
        whole = answered.all(axis=2) == answered.any(axis=2)
        require(whole, "targets", state.targets, "a target in all its parts, or in none")
        started = rows["rng_key"] != 0
        ranges = (
            ("length", settings.min_length, settings.max_length),
            ("size", 1, state.inputs.shape[1]),
            ("due", 1, rows["size"]),
            ("correct", 0, rows["due"]),
            ("steps", 0, rows["size"]),
        )
        require_ranges(rows, started, ranges)
        due = np.where(started, answered[:, :, 0].sum(axis=1), 0)
        require(rows["due"] == due, "rows.due", rows["due"], "the number of targets")
        stopped, running = ~rows["running"], rows["running"]
        below = rows["steps"] < rows["size"]
        require(below | stopped, "rows.steps", rows["steps"], "below size in an episode")
        require(started | stopped, "rows.running", running, "False before the first reset")

    def view(self, state: StreamState, actions: IntArray) -> View:
        return describe(self.settings, state, self.action_names, self.action_values, actions)


def action_sizes(space: ActionSpace) -> list[int]:
    """Returns the number of values of each part of an answer."""
    sizes: list[int] = [int(space.n)] if isinstance(space, spaces.Discrete) else space.nvec.tolist()
    return sizes


def _ends(space: spaces.Space[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Returns the lowest and the highest value of each number of an input."""
    if isinstance(space, spaces.Box):
        return space.low, space.high
    assert isinstance(space, spaces.Discrete | spaces.MultiDiscrete)
    highest = np.array(action_sizes(space), np.int32) - 1
    return np.zeros_like(highest), highest
