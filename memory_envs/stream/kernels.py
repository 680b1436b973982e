"""The compiled function of the stream family; the rules are in `memory_envs.stream.rules`."""

from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium import spaces
from numba import njit
from numba.extending import register_jitable

from memory_envs.core.compiling import fingerprint, named
from memory_envs.core.levels import draw_level
from memory_envs.stream.delay import choose_places, distract, open_gap
from memory_envs.stream.task import NO_ANSWER, StreamTask


@njit(boundscheck=True)
def _check_filled(size, inputs, targets, limits):  # type: ignore[no-untyped-def]
    lows, highs, sizes = limits
    if not 1 <= size <= inputs.shape[0]:
        raise ValueError("the task's sample returned an impossible number of steps")
    due = 0
    for t in range(inputs.shape[0]):
        for k in range(inputs.shape[1]):
            if not lows[k] <= inputs[t, k] <= highs[k]:
                raise ValueError("the task's sample wrote an impossible input")
        answers = 0
        for k in range(targets.shape[1]):
            if not NO_ANSWER <= targets[t, k] < sizes[k]:
                raise ValueError("the task's sample wrote an impossible target")
            answers += targets[t, k] != NO_ANSWER
        if answers != 0 and (answers < targets.shape[1] or t >= size):
            raise ValueError("the task's sample wrote a part of a target, or one behind the end")
        due += answers > 0
    if due == 0:
        raise ValueError("the task's sample wrote no target")


def _compile_sample(task: StreamTask, ours: bool, flat: tuple[bool, bool]) -> Any:
    """Returns the function that fills a row's blank arrays, which it takes as rows of numbers.

    Args:
        task: The task.
        ours: Whether it is the project's; a user's has bounds checks.
        flat: Whether an input, and whether an answer, is a single number to the task.
    """
    given: Any = task.sample
    flat_inputs, flat_targets = flat
    sample: Any = register_jitable(given) if ours else njit(boundscheck=True)(given)
    if flat_inputs and flat_targets:

        def fill(row, length, inputs, targets, parameters):  # type: ignore[no-untyped-def]
            return sample(row, length, inputs[:, 0], targets[:, 0], *parameters)
    elif flat_inputs:

        def fill(row, length, inputs, targets, parameters):  # type: ignore[no-untyped-def]
            return sample(row, length, inputs[:, 0], targets, *parameters)
    elif flat_targets:

        def fill(row, length, inputs, targets, parameters):  # type: ignore[no-untyped-def]
            return sample(row, length, inputs, targets[:, 0], *parameters)
    else:

        def fill(row, length, inputs, targets, parameters):  # type: ignore[no-untyped-def]
            return sample(row, length, inputs, targets, *parameters)

    return fill


def _compile_begin(task: StreamTask, ours: bool, flat: tuple[bool, bool]) -> Any:
    """Returns the function that fills a row's blank arrays, within the limits of the spaces.

    A user's task is watched: a bug shall be an error, and no crash.
    """
    fill = (register_jitable if ours else njit)(_compile_sample(task, ours, flat))
    if ours:

        def begin(row, length, inputs, targets, parameters, limits):  # type: ignore[no-untyped-def]
            return fill(row, length, inputs, targets, parameters)
    else:

        def begin(row, length, inputs, targets, parameters, limits):  # type: ignore[no-untyped-def]
            size = fill(row, length, inputs, targets, parameters)
            _check_filled(size, inputs, targets, limits)
            inputs[size:] = 0  # what is behind the end is shown to nobody
            return size

    return begin


def _delay(begin: Any) -> Any:
    """Returns the function that fills a row's blank arrays and delays the question.

    Its parameters are those of `begin`, and a `Delay`.
    """

    def delayed(row, length, inputs, targets, parameters, limits):  # type: ignore[no-untyped-def]
        others, delay = parameters
        steps, numbers = inputs.shape[0] - delay.steps, delay.numbers
        size = begin(row, length, inputs[:steps, :numbers], targets[:steps], others, limits)
        start = open_gap(length, size, inputs, targets, delay)
        if delay.distractors > 0:
            places = choose_places(row, delay)
            data = np.empty((steps, numbers), inputs.dtype)
            answers = np.empty((steps, targets.shape[1]), targets.dtype)
            held = shown = 0
            for place in places:
                if shown == held:  # the data of another stream
                    data[:] = 0
                    answers[:] = NO_ANSWER
                    held = begin(row, delay.longest, data, answers, others, limits)
                    held = min(held, delay.questions[delay.longest - delay.shortest])
                    shown = 0
                distract(inputs[start + place], data[shown], delay)
                shown += 1
        return size + delay.steps

    return delayed


@lru_cache(maxsize=64)
def compile_advance(
    task: StreamTask, flat: tuple[bool, bool], ours: bool, delayed: bool = False
) -> Any:
    """Returns the compiled function that steps rows or begins episodes; see `Rules.advance`.

    The project's own tasks are cached on disk; a user's are compiled once per process, since a
    cache could not see that a function which theirs calls has changed.

    Args:
        task: The task.
        flat: Whether an input, and whether an answer, is a single number to the task.
        ours: Whether it is the project's, with all that it is made of: our sample beside a user's
            steps could write behind the end of its arrays.
        delayed: Whether its question is delayed; the parameters are then theirs, and a `Delay`.
    """
    number = fingerprint([task.sample], task.name, flat, ours, delayed)
    jit = register_jitable if ours else njit
    begin = jit(named(_compile_begin(task, ours, flat), number))
    if delayed:
        begin = jit(named(_delay(begin), number))

    def advance(  # type: ignore[no-untyped-def]
        parameters,
        lowest,
        highest,
        levels,
        limits,
        rows,
        inputs,
        targets,
        answers,
        actions,
        indices,
        observations,
        results,
        only_show,
    ):
        parts = targets.shape[2]
        for i in indices:
            row = rows[i]
            result = results[i]
            if only_show:
                pass
            elif row.running:
                t, right = row.steps, 0
                due = targets[i, t, 0] != NO_ANSWER
                for k in range(parts):
                    right += due & (actions[i, k] == targets[i, t, k])
                    answers[i, t, k] = actions[i, k] if due else NO_ANSWER
                row.correct += right == parts
                row.steps = t + 1
                row.running = t + 1 < row.size
                result.reward, result.truncated = right / parts, False
                result.terminated = not row.running
            else:
                row.length = draw_level(row, lowest, highest, levels[0], levels[1], levels[2])
                inputs[i] = 0
                targets[i] = NO_ANSWER
                answers[i] = NO_ANSWER
                row.size = begin(row, row.length, inputs[i], targets[i], parameters, limits)
                due = 0
                for t in range(row.size):
                    due += targets[i, t, 0] != NO_ANSWER
                row.due, row.correct, row.steps, row.running = due, 0, 0, True
            t = min(row.steps, row.size - 1)
            for k in range(inputs.shape[2]):
                observations[i, k] = inputs[i, t, k]
            result.success, result.complexity = row.correct == row.due, row.length
            result.symbols_correct, result.target_size = row.correct, row.due

    return njit(cache=ours)(named(advance, number))


def is_flat(space: spaces.Space[Any]) -> bool:
    """Says whether an item of the space is a single number to a task."""
    return isinstance(space, spaces.Discrete)
