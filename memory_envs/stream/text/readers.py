"""Reads the formats that texts come in; every complaint names file and line."""

import json
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.arguments import shown
from memory_envs.stream.text.files import Text, place_of


class TaggedSentence(NamedTuple):
    """Words and their tags.

    Attributes:
        words: The words.
        tags: A tag for each.
        file: Its file, as errors call it.
        line: Where in it the first word stands; the others follow line by line.
    """

    words: list[str]
    tags: list[str]
    file: str
    line: int

    def place(self, word: int) -> str:
        """Returns where a word stands, such as "words.txt, line 3"."""
        return place_of(self.file, self.line + word)


def read_tagged(text: Text, column: int) -> list[TaggedSentence]:
    """Reads words with tags: a word a line, columns parted by tabs, a blank line after a sentence.

    Args:
        text: The file.
        column: Which of the columns after the word holds the tags, from 1 on.

    Raises:
        ValueError: If a line has too few columns, or the file no word.
    """
    sentences: list[TaggedSentence] = []
    begun = False
    for number, (place, line) in enumerate(text.numbered(), start=1):
        if not line.strip():
            begun = False
            continue
        fields = line.split("\t")
        if len(fields) <= column or not all(fields[: column + 1]):
            raise ValueError(
                f"{place}: {shown(line)}; allowed: a word and {column} tags at least, parted by "
                "tabs, or a blank line"
            )
        if not begun:
            sentences.append(TaggedSentence([], [], text.name, number))
            begun = True
        sentences[-1].words.append(fields[0])
        sentences[-1].tags.append(fields[column])
    if not sentences:
        raise ValueError(f"{text.name} has no word; allowed: files with words and tags")
    return sentences


def read_vectors(text: Text, width: int) -> dict[str, npt.NDArray[np.float32]]:
    """Reads word vectors in GloVe's format: a word and its numbers a line, parted by blanks.

    Args:
        text: The file.
        width: Numbers in a vector.

    Raises:
        ValueError: If a line has another number of numbers, one is none or not finite, or a word
            comes twice.
    """
    vectors: dict[str, npt.NDArray[np.float32]] = {}
    for place, line in text.numbered():
        word, *numbers = line.rstrip().split(" ")
        if len(numbers) != width:
            raise ValueError(f"{place}: {shown(word)} has {len(numbers)} numbers; allowed: {width}")
        try:
            with np.errstate(over="ignore"):  # what is too large is not finite
                vector = np.array(numbers, np.float32)
        except ValueError as error:
            raise ValueError(f"{place}: {error}; allowed: numbers") from error
        if not np.isfinite(vector).all():
            raise ValueError(f"{place}: {shown(word)} has numbers that are not finite")
        if word in vectors:
            raise ValueError(f"{place}: {shown(word)} comes twice; allowed: each word once")
        vectors[word] = vector
    return vectors


def read_pairs(text: Text, part: str) -> list[tuple[list[str], list[str]]]:
    """Reads pairs of sequences of characters, as MANN-RL keeps its logic.

    Args:
        text: A file of JSON: an object with a list of pairs under each part's name.
        part: The name, such as "train".

    Raises:
        ValueError: If it is anything else, or if the two of a pair differ in length.
    """
    try:
        content: Any = json.loads("\n".join(text.lines))
    except json.JSONDecodeError as error:
        raise ValueError(f"{text.name}, line {error.lineno}: {error.msg}; allowed: JSON") from error
    except RecursionError as error:
        raise ValueError(f"{text.name} is nested too deeply; allowed: lists of pairs") from error
    pairs = content.get(part) if isinstance(content, dict) else None
    if not isinstance(pairs, list) or not pairs:
        raise ValueError(f"{text.name} has no list {part!r}; allowed: a list of pairs")
    for number, pair in enumerate(pairs, start=1):
        fine = isinstance(pair, list) and len(pair) == 2
        if not (fine and all(map(_is_characters, pair))):
            raise ValueError(
                f"{text.name}, pair {number} of {part!r}: {shown(pair)}; allowed: two "
                "lists of characters"
            )
        if len(pair[0]) != len(pair[1]):
            raise ValueError(
                f"{text.name}, pair {number} of {part!r}: {len(pair[0])} inputs and "
                f"{len(pair[1])} targets; allowed: as many"
            )
    return [(list(inputs), list(targets)) for inputs, targets in pairs]


def _is_characters(side: Any) -> bool:
    return isinstance(side, list) and bool(side) and all(isinstance(one, str) for one in side)
