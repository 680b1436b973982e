"""Reads bAbI's format: stories of numbered lines, with questions between the statements."""

import re
from typing import NamedTuple

from memory_envs.arguments import shown
from memory_envs.stream.text.files import Text

_WORDS = re.compile(r"[.?]|[^\s.?]+")


class Line(NamedTuple):
    """A statement or a question.

    Attributes:
        words: In lower case; full stops and question marks are words.
        answer: The answer to a question, in lower case, its words parted by commas; None of a
            statement.
        number: Where it stands in its file, from 1 on.
    """

    words: tuple[str, ...]
    answer: str | None
    number: int


def read_stories(text: Text) -> list[list[Line]]:
    """Reads stories.

    A line is a number, a blank and a statement, or a number, a blank, a question, a tab and its
    answer, after which a tab and the numbers of the lines that support it may follow. A story's
    lines are numbered from 1 on.

    Args:
        text: The file.

    Raises:
        ValueError: If a line is otherwise, a story has no question, or the file no story.
    """
    stories: list[list[Line]] = []
    read: dict[str, tuple[tuple[str, ...], str | None]] = {}  # what comes once comes often
    for number, line in enumerate(text.lines, start=1):
        ordinal, _, rest = line.partition(" ")
        if ordinal == "1":
            stories.append([])
        elif not stories or ordinal != str(len(stories[-1]) + 1):
            after = f"{len(stories[-1]) + 1}, or 1" if stories else "1"
            raise ValueError(
                f"{text.name}, line {number}: {shown(line)}; allowed: lines that begin with {after}"
            )
        if rest not in read:
            read[rest] = _read_line(text, number, rest)
        stories[-1].append(Line(*read[rest], number))
    if not stories:
        raise ValueError(f"{text.name} has no story; allowed: files with stories")
    for story in stories:
        if all(line.answer is None for line in story):
            raise ValueError(
                f"{text.name}, line {story[0].number}: a story without a question; allowed: "
                "stories in which one line at least has a tab and an answer"
            )
    return stories


def _read_line(text: Text, number: int, rest: str) -> tuple[tuple[str, ...], str | None]:
    said, *fields = rest.lower().split("\t")
    words, answer = tuple(split_words(said)), None
    if fields:
        answer = fields[0].strip()
    if not words or answer == "" or len(fields) > 2:
        raise ValueError(
            f"{text.name}, line {number}: {shown(rest)}; allowed: a statement, or a question, an "
            "answer and what supports it, parted by tabs"
        )
    return words, answer


def split_words(said: str) -> list[str]:
    """Returns the words of a sentence, its full stop or question mark among them."""
    return _WORDS.findall(said.lower())
