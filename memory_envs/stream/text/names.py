"""Which of bAbI's words can stand for each other: people, places, things and directions.

A story in which Mary and John exchange their names, wherever they stand, is another story of the
same task, and what is asked in it has the answer whose names are exchanged, too. So each story
stands for hundreds: what is learnt of them has to be how names go together, as no story comes
twice. Nothing is exchanged of which the right answers know more than the story says, such as which
box fits into which, or what the hungry are looking for.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from memory_envs.core.rng import draw
from memory_envs.stream.task import NO_ANSWER

# A group's members can stand for each other. A member is one name, or several that go together.
Group = tuple[tuple[str, ...], ...]


def _alone(names: str) -> Group:
    return tuple((name,) for name in names.split())


_PEOPLE = _alone("daniel john mary sandra")
_ROOMS = _alone("bathroom bedroom garden hallway kitchen office")
_THINGS = _alone("apple football milk")
_OTHERS = _alone("bill fred julie mary")
_PLACES = _alone("bedroom cinema kitchen office park school")
# In a mirror what was right is left, and all that was said of it is as true.
_SIDES = (_alone("left right"), _alone("above below"))
_WINDS = (
    (("north", "n"), ("south", "s")),
    (("east", "e"), ("west", "w")),
)

GROUPS: Mapping[int, tuple[Group, ...]] = {
    1: (_PEOPLE, _ROOMS),
    2: (_PEOPLE, _ROOMS, _THINGS),
    3: (_PEOPLE, _ROOMS, _THINGS),
    4: (_ROOMS, *_WINDS),
    5: (_alone("bill fred jeff mary"), _ROOMS, _THINGS),
    6: (_PEOPLE, _ROOMS, _THINGS),
    7: (_PEOPLE, _ROOMS, _THINGS),
    8: (_PEOPLE, _ROOMS, _THINGS),
    9: (_PEOPLE, _ROOMS, _THINGS),
    10: (_OTHERS, _PLACES),
    11: (_alone("daniel john"), _alone("mary sandra"), _ROOMS),  # who are called he and she
    12: (_PEOPLE, _ROOMS),
    13: (_PEOPLE, _ROOMS),
    14: (_OTHERS, _PLACES),
    15: (
        _alone("emily gertrude jessica winona"),
        (("cat", "cats"), ("mouse", "mice"), ("wolf", "wolves")),  # "sheep" may be one or many
    ),
    16: (
        _alone("bernhard brian greg julius lily"),
        _alone("frog lion rhino swan"),
        _alone("gray green white yellow"),
    ),
    17: (_alone("blue pink red yellow"), *_SIDES),
    18: (),
    19: (_ROOMS, *_WINDS),
    20: (_alone("antoine jason sumit yann"),),
}


class Names(NamedTuple):
    """What is exchanged in some stories, as numbers.

    A name's number is that of a word, or behind all words, of a part of an answer that is none.

    Attributes:
        kinds: Of shape ``(N,)``, whose groups are those of each story.
        groups: Of shape ``(kinds, groups, members, names)``; behind the last there is 0.
        answers: Of shape ``(answers, parts)``, the names in each answer; behind the last there
            is 0.
    """

    kinds: npt.NDArray[np.int32]
    groups: npt.NDArray[np.int32]
    answers: npt.NDArray[np.int32]


def names_of(
    kinds: Sequence[int],
    stories: Sequence[tuple[Sequence[int], Sequence[int]]],
    tasks: Sequence[int],
    words: Sequence[str],
    answers: Sequence[str],
) -> Names:
    """Returns what can be exchanged.

    Args:
        kinds: To which of the tasks each story belongs, by its place among them.
        stories: What is shown in each, and the answers that are due; `NO_ANSWER` where none is.
        tasks: Their numbers.
        words: The names of the words by number.
        answers: Those of the answers, several words parted by commas.

    Raises:
        ValueError: If the answer to a story with exchanged names may be none of the answers.
    """
    numbers = {word: number for number, word in enumerate(words)}
    for part in (part for answer in answers for part in answer.split(",")):
        numbers.setdefault(part, len(numbers))
    due: list[set[int]] = [set() for _ in tasks]
    for kind, (_, wanted) in zip(kinds, stories, strict=True):
        due[kind].update(wanted)
    cells, shape = {}, np.array([len(tasks), 0, 0, 0])
    for kind, task in enumerate(tasks):
        # Of a vocabulary of the user's, what it has.
        known = [
            [one for one in group if all(name in numbers for name in one)] for group in GROUPS[task]
        ]
        asked = [answers[number] for number in due[kind] - {NO_ANSWER}]
        _check_answers(known, asked, answers)
        for at, group in enumerate(known):
            for member, one in enumerate(group):
                for place, name in enumerate(one):
                    index = kind, at, member, place
                    cells[index] = numbers[name]
                    shape = np.maximum(shape, np.array(index) + 1)
    groups = np.zeros(shape, np.int32)
    for index, number in cells.items():
        groups[index] = number
    parts = [[numbers[part] for part in answer.split(",")] for answer in answers]
    width = max(map(len, parts))
    filled = np.array([[*part, *[0] * (width - len(part))] for part in parts], np.int32)
    return Names(np.array(kinds, np.int32), groups, filled)


def _check_answers(
    groups: Sequence[Sequence[Sequence[str]]], asked: Iterable[str], answers: Iterable[str]
) -> None:
    """Looks whether all that can become of the answers, as names are exchanged, are answers."""
    known, seen = set(answers), set(asked)
    pending = list(seen)
    while pending:
        answer = pending.pop()
        # Any order of a group is reached by exchanging two after two.
        for one, other in (pair for group in groups for pair in combinations(group, 2)):
            exchanged = dict([*zip(one, other, strict=True), *zip(other, one, strict=True)])
            new = ",".join(exchanged.get(part, part) for part in answer.split(","))
            if new not in known:
                raise ValueError(
                    f"exchange_names is True; allowed with answers.txt that has {new!r} beside "
                    f"{answer!r}"
                )
            if new not in seen:
                seen.add(new)
                pending.append(new)


@njit(cache=True)
def draw_names(row, groups):  # type: ignore[no-untyped-def]
    """Returns by what each name is exchanged in a story: every group is shuffled.

    Args:
        row: The row's record, which holds its generator.
        groups: Those of the story's task, ``(groups, members, names)``.

    Returns:
        For each number up to the highest in `groups` the name that takes its place.
    """
    exchanged = np.arange(groups.max() + 1 if groups.size else 1)
    for group in groups:
        last = 0
        while last < group.shape[0] and group[last, 0] > 0:
            last += 1
        for i in range(last - 1, 0, -1):
            j = draw(row, i + 1)
            for k in range(group.shape[1]):
                first, second = group[i, k], group[j, k]
                exchanged[first], exchanged[second] = exchanged[second], exchanged[first]
    return exchanged


@njit(cache=True)
def exchange(number, exchanged):  # type: ignore[no-untyped-def]
    """Returns the name that takes a name's place."""
    return exchanged[number] if number < exchanged.size else number


@njit(cache=True)
def exchange_answer(answer, answers, exchanged):  # type: ignore[no-untyped-def]
    """Returns the number of the answer in which names are exchanged; -1 for none.

    Args:
        answer: The number of an answer; -1 for none.
        answers: See `Names`.
        exchanged: See `draw_names`.
    """
    if answer < 0:
        return answer
    for number in range(answers.shape[0]):
        same = True
        for k in range(answers.shape[1]):
            if answers[number, k] != exchange(answers[answer, k], exchanged):
                same = False
                break
        if same:
            return number
    return answer  # never: `names_of` has looked
