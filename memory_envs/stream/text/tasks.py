"""The tasks of Barrett, *Learning to Remember* (MANN-RL), section 4, as stream tasks.

Each episode draws one sequence of a data set, all alike likely, and shows it token by token; an
answer is due at every step.
"""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from memory_envs.arguments import check_choice, shown
from memory_envs.stream.task import StreamTask
from memory_envs.stream.text.files import Folder, read_text
from memory_envs.stream.text.readers import read_pairs, read_tagged, read_vectors
from memory_envs.stream.text.sequences import (
    Sequences,
    join,
    name_of,
    same,
    sample_rows,
    sample_symbols,
)

_LOGIC = "andorx01=.|"
_VECTOR_SIZE = 50
# Of the sentences: where one begins, what stands between it and its copy, where the copy ends; and
# nothing, read or written.
BEGIN, BETWEEN, END, NOTHING = "<", "|", ">", "_"
_SENTENCES = 500  # of a split


def _word(known: dict[bytes, str], vector: npt.NDArray[Any]) -> str:
    return known.get(np.asarray(vector, np.float32).tobytes(), "?")


def _of_symbols(name: str, sequences: Sequences, symbols: str) -> StreamTask:
    """Returns a task whose inputs and answers are of the same symbols."""
    return StreamTask(
        name,
        sample_symbols,
        steps=partial(same, sequences.longest),
        inputs=partial(same, spaces.Discrete(len(symbols))),
        answers=partial(same, spaces.Discrete(len(symbols))),
        min_length=1,
        max_length=1,
        highest_length=1,
        words=partial(name_of, symbols),
        data=sequences,
        is_data_set=True,
    )


def logic(split: str, folder: Folder) -> StreamTask:
    """Boolean logic in letters (section 4.1): repeat what was read a step ago, and solve it.

    The operator comes first, then 2 to 20 operands: ``o r 1 0 = |`` is answered by ``. o r 1 0 1``.

    Args:
        split: Either "train" or "dev".
        folder: A folder with ``logic.dataset.json``; None for the data set of the paper.

    Raises:
        ValueError, FileNotFoundError: For a bad argument, or a bad file.
    """
    part = {"train": "train", "dev": "validation"}[check_choice("split", split, ("train", "dev"))]
    text = read_text(folder, "logic", "logic.dataset.json")
    numbers = {letter: number for number, letter in enumerate(dict.fromkeys(_LOGIC))}
    pairs = []
    for number, pair in enumerate(read_pairs(text, part), start=1):
        for letter in (*pair[0], *pair[1]):
            if letter not in numbers:
                place = f"{text.name}, pair {number} of {part!r}"
                raise ValueError(f"{place}: {shown(letter)}; allowed: {', '.join(numbers)}")
        pairs.append(tuple([numbers[letter] for letter in side] for side in pair))
    return _of_symbols("Logic", join((a, b) for a, b in pairs), "".join(numbers))


def sentences(split: str, folder: Folder) -> StreamTask:
    """Sentences to be memorised, letter by letter (section 4.3), and sequences to be echoed.

    A sentence is read from ``<`` on; after ``|`` it is to be repeated, closed by ``>``. These two
    marks are answered by themselves, a letter that is read by nothing, ``_``, which is also the
    input while the sentence is repeated. Beside each sentence there is a sequence in which every
    letter is to be given in its own step, without marks. In place of the paper's
    sentences, which have no open licence, stand Tatoeba's.

    Args:
        split: Either "train", the 500 shortest sentences, or "dev", the next 500.
        folder: A folder with ``tatoeba-en.5000.txt``, a sentence a line; None for the package's.

    Raises:
        ValueError, FileNotFoundError: For a bad argument, or a bad file.
    """
    first = {"train": 0, "dev": _SENTENCES}[check_choice("split", split, ("train", "dev"))]
    text = read_text(folder, "sentences", "tatoeba-en.5000.txt")
    marks = BEGIN + BETWEEN + END + NOTHING
    for place, line in text.numbered():
        if not line or set(line) & set(marks):
            raise ValueError(
                f"{place}: {shown(line)}; allowed: sentences without {' '.join(marks)}"
            )
    by_length = sorted(text.lines, key=lambda line: (len(line), line))
    if len(by_length) <= first:
        raise ValueError(f"{text.name} has {len(by_length)} lines; allowed: more than {first}")
    letters = "".join(sorted(set("".join(by_length))))
    symbols = marks + letters
    numbers = {symbol: number for number, symbol in enumerate(symbols)}

    def encoded(inputs: str, targets: str) -> tuple[list[int], list[int]]:
        return [numbers[letter] for letter in inputs], [numbers[letter] for letter in targets]

    pairs = []
    for line in by_length[first : first + _SENTENCES]:
        nothing = NOTHING * len(line)
        read = BEGIN + line + BETWEEN + nothing + NOTHING
        pairs.append(encoded(read, BEGIN + nothing + BETWEEN + line + END))
        pairs.append(encoded(line, line))
    return _of_symbols("Sentences", join(pairs), symbols)


def tagging(split: str, folder: Folder) -> StreamTask:
    """Part-of-speech tagging (section 4.2): UD English EWT, GloVe's vectors, 50 tags.

    A word is shown as its vector in lower case, zeros if it has none; its tag is due in the same
    step. The tags are XPOS, Penn Treebank's, as in the paper's code.

    Args:
        split: One of "train", "dev" and "test".
        folder: A folder with ``en-ud-tag.v2.train.txt`` and, for another split, that split's file,
            and with ``glove.6B.50d.subset.txt``; None for the package's.

    Raises:
        ValueError, FileNotFoundError: For a bad argument, or a bad file.
    """
    check_choice("split", split, ("train", "dev", "test"))
    training, read = (
        read_tagged(read_text(folder, "tagging", f"en-ud-tag.v2.{name}.txt"), 2)
        for name in ("train", split)
    )
    vectors = read_vectors(read_text(folder, "vectors", "glove.6B.50d.subset.txt"), _VECTOR_SIZE)
    tags = {tag: k for k, tag in enumerate(sorted({tag for s in training for tag in s.tags}))}
    words: dict[str, int] = {}
    pairs = []
    for sentence in read:
        for number, tag in enumerate(sentence.tags):
            if tag not in tags:
                raise ValueError(
                    f"{sentence.place(number)}: tag {shown(tag)}; allowed: those of the training "
                    f"set, {', '.join(tags)}"
                )
        shown_words = [words.setdefault(word.lower(), len(words)) for word in sentence.words]
        pairs.append((shown_words, [tags[tag] for tag in sentence.tags]))
    sequences = join(pairs)
    nothing = np.zeros(_VECTOR_SIZE, np.float32)
    table = np.stack([vectors.get(word, nothing) for word in words])
    known = {table[number].tobytes(): word for word, number in words.items() if word in vectors}
    names = list(tags)
    # Of the whole file, so that all splits have one space.
    high = max((float(np.abs(vector).max()) for vector in vectors.values()), default=0.0)
    return StreamTask(
        "Tagging",
        sample_rows,
        steps=partial(same, sequences.longest),
        inputs=partial(same, spaces.Box(-high, high, (_VECTOR_SIZE,), np.float32)),
        answers=partial(same, spaces.Discrete(len(names))),
        min_length=1,
        max_length=1,
        highest_length=1,
        words=partial(_word, known),
        answer_words=partial(name_of, names),
        data=(*sequences, table),
        is_data_set=True,
    )
