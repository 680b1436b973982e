"""Exchanged names of bAbI: the stories stay what they are, and their answers stay right."""

from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from memory_envs.stream.text.babi import BABI, LEVELS
from memory_envs.stream.text.names import GROUPS

Lines = tuple[tuple[str, str], ...]  # what each step shows, and the answer that is due there
ROWS = 256


def _id(number: int) -> str:
    return f"Stream-bAbI-QA{number}-v0"


def _lines(env: Any, batch: Any) -> Iterator[Lines]:
    task = env.rules.settings.task
    for row, size in enumerate(batch.sizes.tolist()):
        yield tuple(
            (
                task.words(batch.inputs[t, row]),
                task.answer_words(batch.targets[t, row]) if batch.mask[t, row] else "",
            )
            for t in range(size)
        )


def _drawn(env_id: str, seed: int = 0, **kwargs: Any) -> list[Lines]:
    env: Any = gym.make_vec(env_id, num_envs=ROWS, split="test", **kwargs).unwrapped
    env.reset(seed=seed)
    return list(_lines(env, env.batch()))


def _released(env_id: str, **kwargs: Any) -> list[Lines]:
    env: Any = gym.make_vec(env_id, num_envs=ROWS, split="test", **kwargs).unwrapped
    return [lines for batch in env.every() for lines in _lines(env, batch)]


def _nameless(number: int, lines: Lines) -> str:
    """A story in which each member of a group is called by when it was first named."""
    called: dict[str, str] = {}
    first: dict[tuple[int, int], str] = {}
    members = {
        name: (at, member, place)
        for at, group in enumerate(GROUPS[number])
        for member, one in enumerate(group)
        for place, name in enumerate(one)
    }
    words = [[*said.split(), "|", *answer.replace(",", " , ").split()] for said, answer in lines]
    for word in (word for line in words for word in line if word in members):
        at, member, place = members[word]
        order = sum(key[0] == at for key in first)
        first.setdefault((at, member), f"{at}.{order}")
        called[word] = f"{first[at, member]}.{place}"
    return "\n".join(" ".join(called.get(word, word) for word in line) for line in words)


@pytest.mark.parametrize(
    ("number", "level"), [*((number, "sentence") for number in BABI), (8, "word"), (19, "word")]
)
def test_a_story_is_one_of_the_release_but_for_its_names(number: int, level: str) -> None:
    released = {_nameless(number, lines) for lines in _released(_id(number), level=level)}
    drawn = _drawn(_id(number), level=level, exchange_names=True)
    assert {_nameless(number, lines) for lines in drawn} <= released


@pytest.mark.parametrize("number", BABI)
def test_stories_are_drawn_that_were_not_released(number: int) -> None:
    released = set(_released(_id(number), level="sentence"))
    drawn = _drawn(_id(number), level="sentence", exchange_names=True)
    new = sum(lines not in released for lines in drawn) / ROWS
    assert new == 0 if number == 18 else new > 0.5


def _where(lines: Lines) -> Iterator[tuple[str, str]]:
    """Task 1's answers and the right ones."""
    places: dict[str, str] = {}
    for said, answer in lines:
        words = said.split()
        if answer:
            yield answer, places[words[2]]
        else:
            places[words[0]] = words[-2]


_STEPS = {
    **{"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)},
    **{"above": (0, 1), "below": (0, -1), "right": (1, 0), "left": (-1, 0)},
}


def _compass(said: str) -> tuple[str, tuple[int, int], str]:
    """What is said to lie where from what."""
    words = [word for word in said.split() if word not in ("the", "is", "to", "of", ".", "?")]
    at = next(number for number, word in enumerate(words) if word in _STEPS)
    return " ".join(words[:at]), _STEPS[words[at]], " ".join(words[at + 1 :])


def _map(statements: list[str]) -> dict[str, tuple[int, int]]:
    places: dict[str, tuple[int, int]] = {}
    relations = [_compass(said) for said in statements]
    places[relations[0][0]] = (0, 0)
    while len(places) < len({name for one, _, other in relations for name in (one, other)}):
        for one, (x, y), other in relations:
            if one in places:
                places.setdefault(other, (places[one][0] - x, places[one][1] - y))
            elif other in places:
                places[one] = (places[other][0] + x, places[other][1] + y)
    return places


def _beside(lines: Lines) -> Iterator[tuple[str, str]]:
    """Task 17's answers and the right ones."""
    places = _map([said for said, answer in lines if not answer])
    for said, answer in lines:
        if answer:
            one, step, other = _compass(said.removeprefix("is "))
            apart = np.subtract(places[one], places[other])
            yield answer, "yes" if apart @ step > 0 else "no"


def _path(lines: Lines) -> Iterator[tuple[str, str]]:
    """Where task 19's answer leads to, and where it should."""
    places = _map([said for said, answer in lines if not answer])
    (said, answer) = lines[-1]
    words = said.split()
    at = np.array(places[words[-5]])
    for wind in answer.split(","):
        at += next(step for name, step in _STEPS.items() if name.startswith(wind))
    yield str(at.tolist()), str(list(places[words[-2]]))


@pytest.mark.parametrize(("number", "answers"), [(1, _where), (17, _beside), (19, _path)])
def test_answers_are_right(number: int, answers: Any) -> None:
    for exchange_names in (False, True):
        for lines in _drawn(_id(number), level="sentence", exchange_names=exchange_names):
            assert all(given == right for given, right in answers(lines)), lines


def test_each_row_exchanges_its_own_and_all_tasks_their_own() -> None:
    drawn = _drawn("Stream-bAbI-v0", level="sentence", exchange_names=True)
    joint = {
        _nameless(number, lines)
        for number in BABI
        for lines in _released(_id(number), level="sentence")
    }
    names = [{_nameless(number, lines) for number in BABI} for lines in drawn]
    assert all(found & joint for found in names)
    assert drawn == _drawn("Stream-bAbI-v0", level="sentence", exchange_names=True)
    assert drawn != _drawn("Stream-bAbI-v0", 1, level="sentence", exchange_names=True)


STORY = "1 Mary went to the bedroom.\n2 Where is Mary?\tbedroom\t1\n"
PEOPLE = ("daniel", "john", "mary", "sandra")


def _folder(
    path: Path, answers: str, story: str = STORY, people: tuple[str, ...] = PEOPLE[1:3]
) -> Path:
    words = [*people, "went", "to", "the", "bedroom", "office", ".", "where", "is", "?"]
    (path / "qa1_train.txt").write_text(story, encoding="utf-8")
    (path / "words.txt").write_text("\n".join(words), encoding="utf-8")
    (path / "answers.txt").write_text(answers, encoding="utf-8")
    return path


def test_all_orders_of_names_are_alike_likely(tmp_path: Path) -> None:
    lines = [f"{number} {name} went to the office." for number, name in enumerate(PEOPLE, 1)]
    story = "\n".join([*lines, "5 Where is Mary?\toffice\t1\n"])
    folder = _folder(tmp_path, "bedroom\noffice\n", story, PEOPLE)
    env: Any = gym.make_vec(
        _id(1), num_envs=24 * ROWS, data=folder, level="sentence", exchange_names=True
    ).unwrapped
    env.reset(seed=0)
    orders = Counter(
        tuple(said.split()[0] for said, _ in lines[:4]) for lines in _lines(env, env.batch())
    )
    assert set(orders) == set(permutations(PEOPLE))
    # Chi-squared with 23 degrees of freedom: mean 23, variance 46; five standard deviations.
    assert sum((count - ROWS) ** 2 / ROWS for count in orders.values()) < 23 + 5 * 46**0.5


@pytest.mark.parametrize("level", LEVELS)
def test_of_ones_own_vocabulary_what_is_known_is_exchanged(tmp_path: Path, level: str) -> None:
    kwargs: Any = {"data": _folder(tmp_path, "bedroom\noffice\n"), "level": level}
    env: Any = gym.make_vec(_id(1), num_envs=ROWS, exchange_names=True, **kwargs).unwrapped
    env.reset(seed=0)
    told = {tuple(said for said, _ in lines) for lines in _lines(env, env.batch())}
    assert len(told) == 4
    with pytest.raises(TypeError, match="that draw from a data set as it is"):
        next(env.every())


def test_what_cannot_be_exchanged_is_named(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "bedroom\n")
    message = "exchange_names is True; allowed with answers.txt that has 'office' beside 'bedroom'"
    with pytest.raises(ValueError, match=message):
        gym.make(_id(1), data=folder, exchange_names=True)
    things = "1 Mary went to the office.\n2 Where is Mary?\tbedroom,office\n"
    answers = "bedroom\noffice\nbedroom,office\nkitchen,office\nbedroom,kitchen\noffice,bedroom\n"
    folder = _folder(tmp_path, answers, things, ("mary", "kitchen"))
    with pytest.raises(ValueError, match=r"answers.txt that has '.*' beside '.*'"):
        gym.make(_id(1), data=folder, exchange_names=True, level="sentence")
    with pytest.raises(TypeError, match="exchange_names is 1; allowed: False, True"):
        gym.make(_id(1), exchange_names=1)
    with pytest.raises(TypeError, match="argument 'exchange_names' of task Logic"):
        gym.make("Stream-Logic-v0", exchange_names=True)
