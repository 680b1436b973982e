"""Stories that a person types, as bAbI's models are shown them.

A line is a statement or a question, as in bAbI's files; what is answered is not known here.
"""

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from memory_envs.arguments import allowed_names, check_integer, shown
from memory_envs.stream.text.babi import (
    SENTENCE_WORDS,
    Vocabulary,
    check_level,
    input_space,
    sentence_steps,
    word_steps,
)
from memory_envs.stream.text.stories import split_words

_SENTENCE = re.compile(r"[^.?]*[.?]|[^.?]+$")
# Of a word-level model; the longest answer of bAbI's has so many words, or fewer.
MOST_ANSWER_WORDS = 10


class UnknownWordError(ValueError):
    """A word that the vocabulary does not have."""


class TypedLine(NamedTuple):
    """A statement or a question.

    Attributes:
        text: As it was typed, with a full stop or a question mark at its end.
        words: In lower case; the full stop or question mark is one of them.
    """

    text: str
    words: tuple[str, ...]

    @property
    def asks(self) -> bool:
        """Whether it is a question."""
        return self.words[-1] == "?"


def read_lines(text: str) -> list[TypedLine]:
    """Reads sentences that stand in a line or in several; one without an end gets a full stop."""
    found = []
    for line in text.splitlines():
        for said in _SENTENCE.findall(line):
            sentence = " ".join(said.split())
            if sentence.strip(".? "):
                ended = sentence if sentence[-1] in ".?" else f"{sentence}."
                found.append(TypedLine(ended, tuple(split_words(ended))))
    return found


class StoryReader:
    """Turns lines into what the steps of an environment show; most arguments are those of `babi`.

    Args:
        vocabulary: The words that are known.
        level: What a step shows, "word" or "sentence".
        pauses: Further steps after every sentence.
        question_pauses: Yet further ones after a question.
        pauses_show: What they show, "nothing" or "sentence".
        answer_words: At the level of words, how many words are due after a question. A model is
            shown that many placeholders, in training as many as the right answer has.
        width: At the level of sentences, the most words of one, its full stop among them.

    Attributes:
        answers: The names of what can be answered, at a step.
        due: At how many last steps of a question an answer is due.
        observation_space: Of what a step shows.
        action_space: Of what is answered at a step.

    Raises:
        TypeError, ValueError: If an argument is not valid.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        level: str = "word",
        pauses: int = 0,
        question_pauses: int = 0,
        pauses_show: str = "nothing",
        answer_words: int = 1,
        width: int = SENTENCE_WORDS,
    ) -> None:
        check_level(level, pauses, question_pauses, pauses_show)
        self._by_words = level == "word"
        most = MOST_ANSWER_WORDS if self._by_words else 1
        self.due = check_integer("answer_words", answer_words, 1, most)
        self.answers = vocabulary.answer_words if self._by_words else vocabulary.answers
        self._width = check_integer("width", width, 1)
        self.observation_space = input_space(vocabulary, level, width)
        self.action_space = spaces.Discrete(len(self.answers))
        self._numbers = {word: number for number, word in enumerate(vocabulary.words) if number}
        self._pauses, self._question_pauses = pauses, question_pauses
        self._pauses_show = pauses_show

    def steps(self, line: TypedLine) -> npt.NDArray[np.int64]:
        """Returns what a line shows, step by step: ``(steps,)`` words, or ``(steps, width)``.

        Raises:
            UnknownWordError: For a word that is not known, naming the nearest one.
            ValueError: If a sentence is too long.
        """
        words = [self._number(word) for word in line.words]
        if self._by_words:
            return np.array(word_steps(words, self.due if line.asks else 0), np.int64)
        if len(words) > self._width:
            raise ValueError(
                f"sentence is {shown(line.text)}, of {len(words)} words; allowed: up to "
                f"{self._width}, the full stop or question mark among them"
            )
        sentence, nothing = words + [0] * (self._width - len(words)), [0] * self._width
        pauses = self._pauses + (self._question_pauses if line.asks else 0)
        return np.array(sentence_steps(sentence, nothing, pauses, self._pauses_show), np.int64)

    def _number(self, word: str) -> int:
        if word not in self._numbers:
            known = f"the {len(self._numbers)} words of the vocabulary"
            raise UnknownWordError(
                f"word is {shown(word)}; {allowed_names(word, self._numbers, known)}"
            )
        return self._numbers[word]
