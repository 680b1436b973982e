"""The bAbI tasks (Weston et al. 2015) as stream tasks, as Munkhdalai et al. (2019) ask them.

Each episode draws one story, all alike likely, and shows it whole, its questions in their places.

At the level of words (section 4.2 and Appendix A, which follow the DNC's) a step shows a word; full
stops and question marks are words. After a question there is a placeholder for every word of its
answer, at which that word is due. At the level of sentences, as of the other models in Table 1, a
step shows a sentence, filled up with nothing to the length of the longest; the answer is due when
the question is shown, and several words, parted by commas, are one answer. A memory then has one
step for what takes six or seven word by word, and reads once before it answers. Pauses give it
time: steps after every sentence, and further ones after a question, whose answer is due at the
last. They show nothing, or the sentence again: then it need not be kept in mind while the memory is
asked about it, and much less has to be learned before a second look into the memory is of use.

Words and answers have the same numbers in all tasks and all splits, those of ``words.txt`` and
``answers.txt``: what learnt all tasks together plays each of them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from memory_envs.arguments import (
    allowed_names,
    check_choice,
    check_flag,
    check_integer,
    shown,
)
from memory_envs.stream.task import NO_ANSWER, StreamTask
from memory_envs.stream.text.files import Folder, Text, has_text, read_text
from memory_envs.stream.text.names import Names, names_of
from memory_envs.stream.text.sequences import (
    Sequences,
    join,
    name_of,
    same,
    sample_exchanged_rows,
    sample_exchanged_symbols,
    sample_rows,
    sample_symbols,
)
from memory_envs.stream.text.stories import Line, read_stories

T = TypeVar("T")

BABI = tuple(range(1, 21))
JOINT = "bAbI"
SPLITS = ("train", "valid", "test")
LEVELS = ("word", "sentence")
PAUSES_SHOW = ("nothing", "sentence")
MOST_PAUSES = 10
SENTENCE_WORDS = 12  # of the longest sentence of all tasks, the full stop among them
# The word of number 0: what stands in the place of an answer, and behind the end of a sentence.
NOTHING = "-"
_SOURCE = (
    ", as the folder en-valid-10k of bAbI v1.2 (tasks_1-20_v1-2.tar.gz, "
    "research.facebook.com/downloads/babi) does"
)


def babi_name(number: int) -> str:
    """Returns the name of a single task."""
    return f"{JOINT}-QA{number}"


class Vocabulary:
    """The words and the answers of all tasks.

    Args:
        folder: A folder of the user's, which may have ``words.txt`` and ``answers.txt``, one a
            line; what it does not have, and everything for None, is the package's.

    Attributes:
        words: The names of the words by number.
        answers: Those of the answers, several words parted by commas.
        answer_words: Those of single words of answers.

    Raises:
        ValueError, FileNotFoundError: For a bad file.
    """

    def __init__(self, folder: Folder = None) -> None:
        self.words = [NOTHING, *_names(folder, "words.txt")]
        self.answers = _names(folder, "answers.txt")
        parts = {part for answer in self.answers for part in answer.split(",")}
        self.answer_words = sorted(parts)


def _names(folder: Folder, name: str) -> list[str]:
    text = read_text(folder if has_text(folder, name) else None, "babi", name)
    for place, line in text.numbered():
        if line.split() != [line] or line == NOTHING:
            raise ValueError(f"{place}: {shown(line)}; allowed: a name without blanks, a line each")
    if len(set(text.lines)) < max(len(text.lines), 1):
        raise ValueError(f"{text.name} has {len(text.lines)} lines; allowed: some, each once")
    return text.lines


class _Numbers:
    """The numbers of names, of which a file has those that are asked for."""

    def __init__(self, what: str, names: Iterable[str]) -> None:
        self._what = what
        self._numbers = {name: number for number, name in enumerate(names)}

    def of(self, name: str, text: Text, line: Line) -> int:
        """Returns the number of a name that stands in a line of a file.

        Raises:
            ValueError: If it has none.
        """
        if name not in self._numbers:
            place, known = f"{text.name}, line {line.number}", f"those of {self._what}s.txt"
            raise ValueError(
                f"{place}: {self._what} {shown(name)}; {allowed_names(name, self._numbers, known)}"
            )
        return self._numbers[name]


def babi(
    numbers: tuple[int, ...],
    split: str,
    folder: Folder,
    level: str = "word",
    pauses: int = 0,
    question_pauses: int = 0,
    pauses_show: str = "nothing",
    exchange_names: bool = False,
    balanced: bool = False,
) -> StreamTask:
    """Returns the stories of some of the tasks as one stream task.

    Args:
        numbers: Which of the 20.
        split: One of "train", "valid" and "test".
        folder: A folder with ``qa1_train.txt`` and so on, one a task and split, and perhaps with
            ``words.txt`` and ``answers.txt``; None for the package's.
        level: What a step shows, "word" or "sentence".
        pauses: Further steps after every sentence, in which nothing new is shown.
        question_pauses: Yet further ones after a question.
        pauses_show: What they show, "nothing", or "sentence" for the sentence again.
        exchange_names: Whether people, places and things exchange their names in every story that
            is drawn, see `memory_envs.stream.text.names`.
        balanced: Whether all tasks are drawn about as often, in place of all stories: a file of
            1,000 questions may be 1,000 stories, or a hundred.

    Raises:
        TypeError, ValueError, FileNotFoundError: For a bad argument, or a bad file.
    """
    check_choice("split", split, SPLITS)
    check_level(level, pauses, question_pauses, pauses_show)
    check_flag("exchange_names", exchange_names)
    check_flag("balanced", balanced)
    files = [read_text(folder, "babi", f"qa{number}_{split}.txt", _SOURCE) for number in numbers]
    vocabulary = Vocabulary(folder)
    tasks = numbers if exchange_names else None
    if level == "word":
        return _in_words(files, vocabulary, tasks, balanced)
    return _in_sentences(files, vocabulary, pauses, question_pauses, pauses_show, tasks, balanced)


def check_level(level: str, pauses: int, question_pauses: int, pauses_show: str) -> None:
    """Looks whether there is such a level, and whether it has such pauses; see `babi`.

    Raises:
        TypeError, ValueError: If not, naming the argument, its value and what is allowed.
    """
    check_choice("level", level, LEVELS)
    for name, value in (("pauses", pauses), ("question_pauses", question_pauses)):
        if check_integer(name, value, 0, MOST_PAUSES) and level == "word":
            raise ValueError(f"{name} is {value}; allowed with level word: 0")
    if check_choice("pauses_show", pauses_show, PAUSES_SHOW) != "nothing" and level == "word":
        raise ValueError(f"pauses_show is {pauses_show!r}; allowed with level word: 'nothing'")


def input_space(
    vocabulary: Vocabulary, level: str, width: int = SENTENCE_WORDS
) -> spaces.Space[Any]:
    """Returns the space of what a step shows.

    Args:
        vocabulary: The words.
        level: One of `LEVELS`.
        width: At the level of sentences, the most words of one.
    """
    words = len(vocabulary.words)
    return spaces.Discrete(words) if level == "word" else spaces.MultiDiscrete([words] * width)


def word_steps(words: list[int], answers: int) -> list[int]:
    """Returns what the steps of a line show word by word.

    Args:
        words: The numbers of the line's words.
        answers: How many words are due after it, each at a placeholder.
    """
    return words + [0] * answers


def sentence_steps(sentence: T, nothing: T, pauses: int, pauses_show: str) -> list[T]:
    """Returns what the steps of a line show sentence by sentence; an answer is due at the last.

    Args:
        sentence: The line.
        nothing: What stands for nothing.
        pauses: Steps after it in which nothing new is shown.
        pauses_show: See `babi`.
    """
    return [sentence] + [sentence if pauses_show == "sentence" else nothing] * pauses


def _in_words(
    files: list[Text],
    vocabulary: Vocabulary,
    exchanged: tuple[int, ...] | None,
    balanced: bool,
) -> StreamTask:
    words = _Numbers("word", vocabulary.words)
    answers = _Numbers("answer", vocabulary.answer_words)

    def steps(text: Text, line: Line) -> tuple[list[int], list[int]]:
        due = [] if line.answer is None else line.answer.split(",")
        inputs = word_steps([words.of(word, text, line) for word in line.words], len(due))
        return inputs, [NO_ANSWER] * len(line.words) + [answers.of(a, text, line) for a in due]

    kinds, stories = _stories(files, steps, balanced)
    sequences = join(stories)
    task = _task(
        sequences,
        sample_symbols,
        input_space(vocabulary, "word"),
        partial(name_of, vocabulary.words),
        vocabulary.answer_words,
        sequences,
        balanced,
    )
    if exchanged is None:
        return task
    names = names_of(kinds, stories, exchanged, vocabulary.words, vocabulary.answer_words)
    return _with_exchanged(task, sample_exchanged_symbols, names)


def _in_sentences(
    files: list[Text],
    vocabulary: Vocabulary,
    pauses: int,
    question_pauses: int,
    pauses_show: str,
    exchanged: tuple[int, ...] | None,
    balanced: bool,
) -> StreamTask:
    words = _Numbers("word", vocabulary.words)
    answers = _Numbers("answer", vocabulary.answers)
    sentences: dict[tuple[int, ...], int] = {(): 0}

    def steps(text: Text, line: Line) -> tuple[list[int], list[int]]:
        sentence = tuple(words.of(word, text, line) for word in line.words)
        number = sentences.setdefault(sentence, len(sentences))
        further = 0 if line.answer is None else question_pauses
        shown = sentence_steps(number, 0, pauses + further, pauses_show)
        due = NO_ANSWER if line.answer is None else answers.of(line.answer, text, line)
        return shown, [NO_ANSWER] * (len(shown) - 1) + [due]

    kinds, stories = _stories(files, steps, balanced)
    sequences = join(stories)
    # As wide in every task, so that what learnt all of them plays each.
    width = max(SENTENCE_WORDS, *map(len, sentences))
    table = np.zeros((len(sentences), width), np.int32)
    for sentence, number in sentences.items():
        table[number, : len(sentence)] = sentence
    task = _task(
        sequences,
        sample_rows,
        input_space(vocabulary, "sentence", width),
        partial(sentence_text, vocabulary.words),
        vocabulary.answers,
        (*sequences, table),
        balanced,
    )
    if exchanged is None:
        return task
    names = names_of(kinds, stories, exchanged, vocabulary.words, vocabulary.answers)
    return _with_exchanged(task, sample_exchanged_rows, names)


def _stories(
    files: list[Text], steps: Any, balanced: bool
) -> tuple[list[int], list[tuple[list[int], list[int]]]]:
    """Returns of each story which file it is from, and its inputs and right answers.

    Args:
        files: The files of stories.
        steps: Function from a file and a line to the inputs and the right answers of its steps.
        balanced: Whether those of files with fewer stories are repeated, until each has about as
            many as the largest.
    """
    kinds, stories = [], []
    for kind, text in enumerate(files):
        known: dict[tuple[tuple[str, ...], str | None], tuple[list[int], list[int]]] = {}
        for story in read_stories(text):
            shown: list[int] = []
            wanted: list[int] = []
            for line in story:
                key = line.words, line.answer
                if key not in known:
                    known[key] = steps(text, line)
                inputs, targets = known[key]
                shown += inputs
                wanted += targets
            kinds.append(kind)
            stories.append((shown, wanted))
    if not balanced:
        return kinds, stories
    sizes = Counter(kinds)
    most = max(sizes.values())
    repeated = [
        (kind, story)
        for kind, story in zip(kinds, stories, strict=True)
        for _ in range(round(most / sizes[kind]))
    ]
    return [kind for kind, _ in repeated], [story for _, story in repeated]


def _task(
    sequences: Sequences,
    sample: Any,
    inputs: spaces.Space[Any],
    words: Any,
    answers: list[str],
    data: tuple[npt.NDArray[Any], ...],
    balanced: bool,
) -> StreamTask:
    return StreamTask(
        JOINT,  # all share their machine code
        sample,
        steps=partial(same, sequences.longest),
        inputs=partial(same, inputs),
        answers=partial(same, spaces.Discrete(len(answers))),
        min_length=1,
        max_length=1,
        highest_length=1,
        words=words,
        answer_words=partial(name_of, answers),
        data=data,
        is_data_set=not balanced,  # or each story would come several times
    )


def _with_exchanged(task: StreamTask, sample: Any, names: Names) -> StreamTask:
    """Returns a task whose names are exchanged: it has far more streams than are in its data."""
    return replace(task, sample=sample, data=(*task.data, *names), is_data_set=False)


def sentence_text(words: list[str], sentence: npt.NDArray[Any]) -> str:
    """Returns a sentence of numbers as text."""
    return " ".join(words[number] for number in sentence if number)
