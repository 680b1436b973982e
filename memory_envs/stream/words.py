"""What the stream environments show of themselves: inputs and answers as words."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from memory_envs.core.rules import IntArray
from memory_envs.stream.delay import widen_word
from memory_envs.stream.layout import StreamState
from memory_envs.stream.settings import StreamSettings
from memory_envs.stream.task import NO_ANSWER, bit_word
from memory_envs.view import Output, Tape, View


def describe(
    settings: StreamSettings,
    state: StreamState,
    action_names: tuple[str, ...],
    action_values: tuple[tuple[str, ...], ...],
    actions: IntArray,
) -> View:
    """Describes all rows; see `Rules.view`.

    Args:
        settings: The environment's arguments.
        state: The state.
        action_names: One name per sub-action.
        action_values: For each sub-action, the name of each of its values.
        actions: The last actions.
    """
    rows, space = state.rows, settings.inputs
    inputs, answers, target, wrong, names = _number(settings, state)
    over, fine = rows["steps"] >= rows["size"], rows["correct"] == rows["due"]
    tape = Tape(
        "input",
        inputs,
        rows["size"],
        np.minimum(rows["steps"], np.maximum(rows["size"] - 1, 0)),
        radius=0,
        passing=True,
    )
    output = Output(
        cells=answers,
        sizes=(answers != 0).sum(axis=1),
        wrong=wrong,
        target=target,
        target_sizes=rows["due"],
        on_error="continue",
        forced_emission=True,
        emit="",
        symbol=action_names[0] if len(action_names) == 1 else "",
        parts=action_names if len(action_names) > 1 else (),
    )
    return View(
        task=settings.task.name,
        steps=rows["steps"],
        limits=rows["size"],
        statuses=np.select(
            [~over | (rows["size"] == 0), fine], ["running", "success"], "ended with mistakes"
        ),
        action_names=action_names,
        action_values=action_values,
        actions=actions,
        # Of vectors, no more than there are inputs, targets and answers.
        symbols=int(space.n) + 1 if isinstance(space, spaces.Discrete) else 3 * settings.steps + 1,
        names=names,
        tapes=(tape,),
        output=output,
    )


def answer_names(settings: StreamSettings) -> tuple[tuple[str, ...], ...]:
    """Returns for each part of an answer the name of each of its values.

    Where what is shown and what is answered are symbols alike, these are the task's words if they
    can be told apart; elsewhere numbers.
    """
    if not isinstance(settings.answers, spaces.Discrete):
        return tuple(tuple(map(str, range(size))) for size in settings.answers.nvec.tolist())
    symbols, word = np.arange(settings.answers.n)[:, None], _answer_word(settings)
    names = tuple(word(symbol) for symbol in symbols)
    if len(set(names)) < len(names) or any(name.split() != [name] for name in names):
        names = tuple(str(symbol) for symbol in range(len(names)))
    return (names,)


class _Numbered(NamedTuple):
    """Everything that passes by as numbers of words, which each row counts for itself.

    Attributes:
        inputs: Of shape ``(B, T)``.
        answers: Of shape ``(B, T)``, one after the other; then the number of nothing, 0.
        target: Of the same shape.
        wrong: Of the same shape, which answers are wrong.
        names: The words of each row.
    """

    inputs: IntArray
    answers: IntArray
    target: IntArray
    wrong: npt.NDArray[np.bool_]
    names: tuple[tuple[str, ...], ...]


def _number(settings: StreamSettings, state: StreamState) -> _Numbered:
    # Answers are put beside each other, without the steps at which none are due.
    due = state.targets[:, :, 0] != NO_ANSWER
    order = np.argsort(~due, axis=1, kind="stable")[:, :, None]
    targets = np.take_along_axis(state.targets, order, axis=1)
    answers = np.take_along_axis(state.answers, order, axis=1)
    known = _known_words(settings)
    numbered, names = [], []
    for row in range(len(state.rows)):
        # Words keep their numbers during an episode: what was answered comes last, in its order.
        words = dict(known)
        numbered.append(
            (
                _look_up(words, state.inputs[row], _input_word(settings)),
                _look_up(words, targets[row], _answer_word(settings)),
                _look_up(words, answers[row], _answer_word(settings)),
            )
        )
        names.append(tuple(words))
    inputs, wanted, given = (np.stack(part) for part in zip(*numbered, strict=True))
    is_given = answers[:, :, 0] != NO_ANSWER
    return _Numbered(
        inputs,
        given,
        wanted,
        is_given & (answers != targets).any(axis=2),
        tuple(names),
    )


def _known_words(settings: StreamSettings) -> dict[str, int]:
    """Returns the words that every row has: that of nothing, and those of all symbols."""
    words = {"": 0}
    if isinstance(settings.inputs, spaces.Discrete):
        symbols = np.arange(settings.inputs.n)[:, None]
        _look_up(words, symbols, _input_word(settings))
    return words


def _look_up(
    words: dict[str, int], items: npt.NDArray[Any], word: Callable[[npt.NDArray[Any]], str]
) -> IntArray:
    """Returns the numbers ``(N,)`` of items ``(N, parts)``; new words get the next ones."""
    # Each distinct item is named once: a stream of a text has a thousand words, a few of them new.
    distinct, first, which = np.unique(items, axis=0, return_index=True, return_inverse=True)
    numbers = np.empty(len(distinct), np.int64)
    for k in np.argsort(first).tolist():
        numbers[k] = words.setdefault(word(distinct[k]), len(words))
    return np.asarray(numbers[which.reshape(-1)], np.int64)


def _input_word(settings: StreamSettings) -> Callable[[npt.NDArray[Any]], str]:
    word = _own_word(settings)
    return widen_word(word, settings.own_inputs) if settings.delay else word


def _own_word(settings: StreamSettings) -> Callable[[npt.NDArray[Any]], str]:
    """Returns the word of an input of the task, without a delay."""
    words, parameters = settings.task.words, settings.parameters
    flat = isinstance(settings.inputs, spaces.Discrete)
    if words is None:
        return _numbers
    return lambda item: words(item[0] if flat else item, *parameters)


def _answer_word(settings: StreamSettings) -> Callable[[npt.NDArray[Any]], str]:
    task, parameters, space = settings.task, settings.parameters, settings.answers
    flat = isinstance(space, spaces.Discrete)
    alike = flat and isinstance(settings.inputs, spaces.Discrete)
    words = task.words if task.answer_words is None and alike else task.answer_words
    if words is not None:
        return lambda item: (
            "" if item[0] == NO_ANSWER else words(item[0] if flat else item, *parameters)
        )
    if isinstance(space, spaces.MultiDiscrete) and (space.nvec == 2).all():
        return lambda item: "" if item[0] == NO_ANSWER else bit_word(item)
    return _number_word


def _number_word(item: npt.NDArray[Any]) -> str:
    """Returns the numbers of an answer; nothing where there is none."""
    return "" if item[0] == NO_ANSWER else _numbers(item)


def _numbers(item: npt.NDArray[Any]) -> str:
    return ",".join(f"{n:.3g}" if item.dtype.kind == "f" else str(n) for n in item.tolist())
