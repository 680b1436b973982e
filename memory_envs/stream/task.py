"""What a stream task is: inputs that pass by, one a step, and answers that are due at some of them.

A task is one plain function that Numba can compile, and a few that say how large its arrays are:

    sample(row, length, inputs, targets, *parameters, *data) -> number of steps

It fills ``inputs[t]``, what is shown in step t, and ``targets[t]``, the right answer to give in
that step, wherever one is due. Both arrays come blank: zeros, and `NO_ANSWER` throughout. Where a
space is `Discrete` an item is a number, else it is a row of numbers. Randomness comes from
``memory_envs.draw(row, n)``, an integer below n.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy.typing as npt
from gymnasium import spaces

from memory_envs.core.rules import ActionSpace

NO_ANSWER = -1  # the target of a step at which no answer is due

LARGEST_LENGTH = 100_000

Sample = Callable[..., int]


class Parameter(NamedTuple):
    """A whole number that a task depends on, beside the length.

    Attributes:
        name: The name of the environment's argument.
        default: Its value where the user gives none.
        lowest: The lowest value that is allowed.
        highest: The highest.
    """

    name: str
    default: int
    lowest: int = 1
    highest: int = 1000


def _no_objection(shortest: int, longest: int, *parameters: int) -> None:
    """Allows everything."""


@dataclass(frozen=True)
class StreamTask:
    """A task for the stream environments.

    All functions take the values of the parameters, in order, after their other arguments.

    Attributes:
        name: Its name in ids and messages.
        sample: Function that fills a stream; see the module's docstring.
        steps: Function from a length to the most steps that a stream of that length can have.
        inputs: Function that returns the space of an input: `Discrete`, `MultiDiscrete` or `Box`.
        answers: Function that returns the space of an answer: `Discrete` or `MultiDiscrete`.
        parameters: What the task depends on, beside the length.
        min_length: The length of the shortest streams where the user chooses none.
        max_length: The length of the longest, likewise.
        lowest_length: The lowest length that is allowed.
        highest_length: The highest, likewise.
        check: Function from the shortest and the longest length that raises ValueError if they do
            not go together with the parameters.
        words: Function from an input, as it is in the space, to how it is shown; None for its
            numbers. Answers are called alike where both spaces are `Discrete`.
        answer_words: The same for an answer, where it is called otherwise.
        data: Arrays that `sample` takes after the parameters, such as texts to draw from.
        is_data_set: Whether `sample` does nothing but draw one of N sequences, all alike likely,
            where the first array of `data`, ``(N + 1,)``, says that each begins and the last ends.
        question: Function from a length to the step with which the question begins: what is to be
            remembered stands before it, all answers after. There a stream can be delayed; None
            where that makes no sense, as answers are due all along.
    """

    name: str
    sample: Sample
    steps: Callable[..., int]
    inputs: Callable[..., spaces.Space[Any]]
    answers: Callable[..., ActionSpace]
    parameters: tuple[Parameter, ...] = ()
    min_length: int = 1
    max_length: int = 10
    lowest_length: int = 1
    highest_length: int = LARGEST_LENGTH
    check: Callable[..., None] = _no_objection
    words: Callable[..., str] | None = None
    answer_words: Callable[..., str] | None = None
    data: tuple[npt.NDArray[Any], ...] = field(default=(), compare=False)
    is_data_set: bool = False
    question: Callable[..., int] | None = None


def bit_word(bits: npt.NDArray[Any]) -> str:
    """Returns bits as a hexadecimal number, the first bit the lowest."""
    digits = -(-len(bits) // 4)
    return f"{sum(1 << k for k, bit in enumerate(bits) if bit):0{digits}x}"
