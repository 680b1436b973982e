"""Task 3's stories that are not the release's: their answers, and how like those they are."""

import gzip
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from memory_envs.stream.text.task3 import main, write_story

FILE = Path(__file__).parents[2] / "memory_envs/stream/text/data/babi/qa3_train.txt.gz"
RELEASED = 185
_WALK = re.compile(r"(\w+) (?:went to|moved to|journeyed to|travelled to|went back to) the (\w+)\.")
_TAKE = re.compile(r"(\w+) (?:got|picked up|grabbed|took) the (\w+)(?: there)?\.")
_LEAVE = re.compile(r"(\w+) (?:dropped|discarded|left|put down) the (\w+)(?: there)?\.")
_ASK = re.compile(r"Where was the (\w+) before the (\w+)\? ")
Story = list[str]  # its lines, without their numbers


def _stories(lines: list[str]) -> list[Story]:
    stories: list[Story] = []
    for line in lines:
        number, text = line.split(" ", 1)
        if number == "1":
            stories.append([])
        stories[-1].append(text)
        assert int(number) == len(stories[-1])
    return stories


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return gzip.decompress(FILE.read_bytes()).decode().splitlines()


@pytest.fixture(scope="module")
def stories(lines: list[str]) -> list[Story]:
    return _stories(lines)


def _followed(story: Story) -> Iterator[tuple[str, str, str, list[str], bool]]:
    """Reads a story plainly: of each question what it asks, its answer, where the thing was."""
    rooms: dict[str, str] = {}
    carriers: dict[str, str] = {}
    been: dict[str, list[str]] = {}
    for line in story:
        said, *rest = line.split("\t")
        if asked := _ASK.fullmatch(said):
            thing, room = asked.groups()
            yield thing, room, rest[0], [*been[thing]], thing in carriers
        elif walked := _WALK.fullmatch(said):
            person, room = walked.groups()
            assert rooms.get(person) != room
            rooms[person] = room
            for thing in (thing for thing, who in carriers.items() if who == person):
                been.setdefault(thing, []).append(room)
        elif taken := _TAKE.fullmatch(said):
            person, thing = taken.groups()
            assert thing not in carriers
            carriers[thing] = person
            known = been.setdefault(thing, [])
            if person in rooms and known[-1:] != [rooms[person]]:
                known.append(rooms[person])
        else:
            left = _LEAVE.fullmatch(said)
            assert left is not None, line
            person, thing = left.groups()
            assert carriers.pop(thing) == person


def test_the_file_holds_what_is_written_after_the_released_stories(
    lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["task3"])
    main()
    written = capsys.readouterr().out.splitlines()
    assert lines[-len(written) :] == written
    assert len(_stories(lines[: -len(written)])) == RELEASED


def test_every_answer_follows_from_the_story(stories: list[Story]) -> None:
    for story in stories:
        asked = list(_followed(story))
        assert len(asked) == 5
        assert "\t" in story[-1]
        for _, room, answer, been, _ in asked:
            last = len(been) - 1 - been[::-1].index(room)
            assert been[last - 1] == answer
            assert last > 0


def test_what_supports_an_answer_is_named() -> None:
    rng = np.random.default_rng(0)
    for story in itertools.chain.from_iterable(_stories(write_story(rng)) for _ in range(50)):
        for line in (line for line in story if "\t" in line):
            said, answer, support = line.split("\t")
            thing, room = _ASK.fullmatch(said).groups()  # type: ignore[union-attr]
            handled, came, before = (story[int(number) - 1] for number in support.split())
            assert f"the {thing}" in handled
            assert came.endswith(f"the {room}.")
            assert before.endswith(f"the {answer}.")


def _measures(stories: list[Story]) -> dict[str, float]:
    asked = [question for story in stories for question in _followed(story)]
    sizes = [len(story) for story in stories]
    said = [line.split("\t")[0] for story in stories for line in story]
    gaps: list[int] = []
    first: list[int] = []
    for story in stories:
        places = [k for k, line in enumerate(story) if "\t" in line]
        first.append(places[0])
        gaps += (np.diff(places) - 1).tolist()
    answers = Counter(answer for _, _, answer, _, _ in asked)
    measures = {
        "lines": np.mean(sizes),
        "lines of the longest tenth": np.quantile(sizes, 0.9),
        "walks": np.mean([_WALK.fullmatch(line) is not None for line in said]),
        "before the first question": np.mean(first),
        "between questions": np.mean(gaps),
        "questions two lines later": np.mean(np.array(gaps) == 2),
        "left": np.mean([not carried for *_, carried in asked]),
        "the last room": np.mean([been[-1] == room for _, room, _, been, _ in asked]),
        "answers": np.sum(np.square(list(answers.values()))) / len(asked) ** 2,
    }
    return {name: float(measure) for name, measure in measures.items()}


def test_they_are_as_the_released_ones(stories: list[Story]) -> None:
    released, written = _measures(stories[:RELEASED]), _measures(stories[RELEASED:])
    assert written == pytest.approx(released, rel=0.1)


def test_they_say_what_the_released_ones_say(stories: list[Story]) -> None:
    def sayings(some: list[Story]) -> set[str]:
        lines = {line.split("\t")[0] for story in some for line in story}
        return {re.sub(r"[A-Z]\w+|(?<=the )\w+", "_", line) for line in lines}

    assert sayings(stories[RELEASED:]) == sayings(stories[:RELEASED])
