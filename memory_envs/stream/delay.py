"""Steps between what is to be remembered and the question: blank ones, and distractors.

A stream that is delayed has further steps, all of them right before its question, at which no
answer is due. Each says that it belongs to the delay, so that none looks like data: a vector by one
more number, which is 1 there and 0 elsewhere, and a symbol by being another one. Of ``n`` symbols
``n`` itself is a blank step, and ``n + 1 + k`` a distractor that looks like ``k``.

Distractors take the place of blank steps, so that they make no stream longer. What they show is
what other streams of the task, drawn anew, show before their questions. These have one length,
whatever that of the stream is, so that a distractor tells nothing of it.

Everything else of the stream stays as it is, and is drawn first: with the same seed, a stream has
the same data and answers with and without a delay.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from numba.extending import register_jitable

from memory_envs.core.rng import draw
from memory_envs.stream.task import NO_ANSWER

BLANK = "~"  # how a blank step of the delay is shown; it stands before what a distractor looks like


class Delay(NamedTuple):
    """What compiled functions have to know of a delay.

    Attributes:
        steps: Number of steps.
        distractors: How many of them are distractors.
        questions: By length, from the shortest on, the step with which the question begins.
        shortest: The shortest length.
        longest: The longest; that of the streams whose data distractors show.
        numbers: How many numbers an input of the task has.
        symbols: Number of symbols; 0 where an input is a vector.
    """

    steps: int
    distractors: int
    questions: npt.NDArray[np.int64]
    shortest: int
    longest: int
    numbers: int
    symbols: int


def widen(space: spaces.Space[Any]) -> spaces.Space[Any]:
    """Returns the space of the inputs of a delayed task."""
    if isinstance(space, spaces.Discrete):
        return spaces.Discrete(2 * int(space.n) + 1)
    if isinstance(space, spaces.MultiDiscrete):
        return spaces.MultiDiscrete([*space.nvec.tolist(), 2])
    assert isinstance(space, spaces.Box)
    one = np.ones(1, space.dtype)
    low, high = np.append(space.low, 0 * one), np.append(space.high, one)
    return spaces.Box(low.astype(space.dtype), high.astype(space.dtype), dtype=space.dtype.type)


def widen_word(
    word: Callable[[npt.NDArray[Any]], str], space: spaces.Space[Any]
) -> Callable[[npt.NDArray[Any]], str]:
    """Returns the word of an input of a delayed task, from that of one of the task's space."""

    def of_symbol(item: npt.NDArray[Any]) -> str:
        beyond = int(item[0]) - int(getattr(space, "n", 0))
        if beyond < 0:
            return word(item)
        return BLANK + (word(np.array([beyond - 1])) if beyond else "")

    def of_vector(item: npt.NDArray[Any]) -> str:
        if not item[-1]:
            return word(item[:-1])
        return BLANK + (word(item[:-1]) if item[:-1].any() else "")

    return of_symbol if isinstance(space, spaces.Discrete) else of_vector


# Numba keeps the compiled tasks on disk, and what it keeps may not refer to compiled functions.
@register_jitable
def open_gap(length: int, size: int, inputs: Any, targets: Any, delay: Delay) -> int:
    """Moves the question back to make room for the delay, and shows blank steps there.

    Args:
        length: The length of the stream.
        size: How many steps it has; there is room behind them.
        inputs: Of shape ``(T, numbers)``, in the space of the delayed task.
        targets: Of shape ``(T, parts)``.
        delay: The delay.

    Returns:
        The step with which the delay begins.
    """
    start: int = min(delay.questions[length - delay.shortest], size)
    for t in range(size - 1, start - 1, -1):
        inputs[t + delay.steps] = inputs[t]
        targets[t + delay.steps] = targets[t]
    for t in range(start, start + delay.steps):
        inputs[t] = 0
        targets[t] = NO_ANSWER
        inputs[t, inputs.shape[1] - 1] = delay.symbols if delay.symbols else 1
    return start


@register_jitable
def choose_places(row: Any, delay: Delay) -> Any:
    """Returns steps of the delay for distractors, in order; all sets are alike likely."""
    places = np.empty(delay.distractors, np.int64)
    chosen = 0
    for t in range(delay.steps):
        left = delay.distractors - chosen
        if left > 0 and draw(row, delay.steps - t) < left:
            places[chosen] = t
            chosen += 1
    return places


@register_jitable
def distract(shown: Any, data: Any, delay: Delay) -> None:
    """Makes a blank step of the delay look like an input of the task.

    Args:
        shown: Of shape ``(numbers,)``, the blank step; it is changed in place.
        data: Of shape ``(numbers of the task,)``, what it shall look like.
        delay: The delay.
    """
    if delay.symbols:
        shown[0] = delay.symbols + 1 + data[0]
    else:
        shown[: delay.numbers] = data
