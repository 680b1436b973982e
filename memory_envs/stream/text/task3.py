"""Stories like those of bAbI's task 3, in place of the part of its training file that is missing.

    python -m memory_envs.stream.text.task3 --stories 1615 --seed 3 > stories.txt

Four people walk between six rooms; they take three things along and leave them. A line after the
other, somebody drawn at random does what can be done: walks to another room, takes a thing that is
in the same one, or leaves one that is carried, each kind alike likely; who carries nothing rather
takes. Where people and things are at first is not said. After every second line one of the
questions that can be asked then may be asked: where was a thing before the room to which it was
last carried, or to which it was carried before. Its carrier has walked twice at least since taking
it. It is asked in the lines after these events, and often again two lines later, if nothing
happened to the thing. A story ends with its fifth question.

These rules, and the numbers below, are what the 185 training stories of the release show, of which
all lines, questions and supporting lines were read again: 78 lines in a story, the first question
after 30, a further one 11 lines later on average and half of them after two, a fifth about things
that are still carried, a fifth about rooms before the last. What is written has the same within
a tenth, which a test holds. The words are those of the release.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")

PEOPLE = ("Mary", "John", "Daniel", "Sandra")
ROOMS = ("kitchen", "garden", "office", "bathroom", "hallway", "bedroom")
THINGS = ("football", "apple", "milk")
WALKS = ("went to", "moved to", "journeyed to", "travelled to", "went back to")
TAKES = ("got", "picked up", "grabbed", "took")
LEAVES = ("dropped", "discarded", "left", "put down")
QUESTIONS = 5
# How often, where it can be so:
_SAYS_THERE = 0.2
_TAKES_AT_ONCE = 0.5
_ASKED_IF_CARRIED = 0.3
_ASKED_IF_LEFT_LATELY = 0.7
_ASKED_AGAIN_IF_CARRIED = 0.25
_ASKED_AGAIN = 0.9
_OF_AN_EARLIER_ROOM = 0.45
# For how many lines after what happened to a thing it is asked for the first time.
_FRESH, _LATE = 2, 5


class Stop(NamedTuple):
    """A room to which a thing was carried, and the line that says so."""

    room: str
    line: int


class Question(NamedTuple):
    """Where a thing was before a room.

    Attributes:
        thing: What is asked for.
        room: The room.
        answer: Where it was before.
        support: The lines from which that follows, in the release's order: that the thing was left
            or, if it is carried, taken; that it came to the room; that it was where it was before.
    """

    thing: str
    room: str
    answer: str
    support: tuple[int, int, int]

    def text(self) -> str:
        """Returns the question as a line of a file, without its number."""
        support = " ".join(map(str, self.support))
        return f"Where was the {self.thing} before the {self.room}? \t{self.answer}\t{support}"


class _Thing:
    """What happened to a thing.

    Attributes:
        room: Where it is, if nobody carries it.
        carrier: Who carries it, if anybody does.
        stops: Where it was carried since it was taken last.
        line: Where its taking, or its being left, is told.
        moment: After how many statements something happened to it last.
    """

    def __init__(self, room: str) -> None:
        self.room = room
        self.carrier: str | None = None
        self.stops: list[Stop] = []
        self.line = 0
        self.moment = 0


class _Story:
    """A story as it is told.

    Args:
        rng: Source of randomness.

    Attributes:
        lines: The lines so far, without their numbers.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.lines: list[str] = []
        self._statements = 0
        self._rooms = {person: self._draw(ROOMS) for person in PEOPLE}
        self._things = {name: _Thing(self._draw(ROOMS)) for name in THINGS}
        self._last: tuple[Question, int, int] | None = None

    def _draw(self, choices: Sequence[T]) -> T:
        return choices[int(self._rng.random() * len(choices))]

    def _happens(self, share: float) -> bool:
        return float(self._rng.random()) < share

    def tell(self) -> None:
        """Adds a statement."""
        self._statements += 1
        person = self._draw(PEOPLE)
        room = self._rooms[person]
        carried = [name for name in THINGS if self._things[name].carrier == person]
        near = [
            name
            for name in THINGS
            if self._things[name].carrier is None and self._things[name].room == room
        ]
        kinds = ["walk"] + ["take"] * bool(near) + ["leave"] * bool(carried)
        if near and not carried and self._happens(_TAKES_AT_ONCE):
            kinds = ["take"]
        kind = self._draw(kinds)
        if kind == "walk":
            self._walk(person, self._draw([other for other in ROOMS if other != room]), carried)
        elif kind == "take":
            self._take(person, self._draw(near))
        else:
            self._leave(person, self._draw(carried))

    def _walk(self, person: str, room: str, carried: list[str]) -> None:
        self.lines.append(f"{person} {self._draw(WALKS)} the {room}.")
        self._rooms[person] = room
        for thing in (self._things[name] for name in carried):
            thing.stops.append(Stop(room, len(self.lines)))
            thing.moment = self._statements

    def _take(self, person: str, name: str) -> None:
        self._handle(person, self._draw(TAKES), name)
        self._things[name].carrier = person
        self._things[name].stops = []

    def _leave(self, person: str, name: str) -> None:
        self._handle(person, self._draw(LEAVES), name)
        self._things[name].carrier = None
        self._things[name].room = self._rooms[person]

    def _handle(self, person: str, what: str, name: str) -> None:
        there = " there" if self._happens(_SAYS_THERE) else ""
        self.lines.append(f"{person} {what} the {name}{there}.")
        self._things[name].line = len(self.lines)
        self._things[name].moment = self._statements

    def ask(self) -> bool:
        """Adds a question, or none; says whether it did."""
        question = self._again() or self._first()
        if question is None:
            return False
        self.lines.append(question.text())
        self._last = question, self._statements, self._things[question.thing].moment
        return True

    def _again(self) -> Question | None:
        """Returns the question of two statements ago, perhaps, if nothing happened to its thing."""
        if self._last is None:
            return None
        question, asked, moment = self._last
        thing = self._things[question.thing]
        if asked != self._statements - 2 or thing.moment != moment:
            return None
        share = _ASKED_AGAIN if thing.carrier is None else _ASKED_AGAIN_IF_CARRIED
        return question if self._happens(share) else None

    def _first(self) -> Question | None:
        """Returns a question that was not the last one, perhaps."""
        before = None if self._last is None else self._last[0][:2]
        found = [self._about(name) for name in THINGS]
        asked = [each for each in found if each is not None and each[:2] != before]
        return self._draw(asked) if asked else None

    def _about(self, name: str) -> Question | None:
        thing = self._things[name]
        stops, age = thing.stops, self._statements - thing.moment
        if len(stops) < 2 or age >= _LATE:
            return None
        place = len(stops) - 1
        if thing.carrier is not None:
            if place > 1 or age >= _FRESH or not self._happens(_ASKED_IF_CARRIED):
                return None
        elif age >= _FRESH and not self._happens(_ASKED_IF_LEFT_LATELY):
            return None
        else:
            while place > 1 and self._happens(_OF_AN_EARLIER_ROOM):
                place -= 1
        asked, before = stops[place], stops[place - 1]
        if asked.room in (stop.room for stop in stops[place + 1 :]):
            return None  # the answer would be where it was before it came there last
        return Question(name, asked.room, before.room, (thing.line, asked.line, before.line))


def write_story(rng: np.random.Generator) -> list[str]:
    """Returns the lines of a story, with their numbers.

    Args:
        rng: Source of randomness.
    """
    story, asked = _Story(rng), 0
    while asked < QUESTIONS:
        story.tell()
        story.tell()
        asked += story.ask()
    return [f"{number} {line}" for number, line in enumerate(story.lines, start=1)]


def write_stories(count: int, rng: np.random.Generator) -> Iterator[str]:
    """Yields the lines of stories.

    Args:
        count: How many stories.
        rng: Source of randomness.
    """
    for _ in range(count):
        yield from write_story(rng)


def main() -> None:
    """Prints stories."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stories", type=int, default=1615, help="how many")
    parser.add_argument("--seed", type=int, default=3, help="seed of the generator")
    arguments = parser.parse_args()
    for line in write_stories(arguments.stories, np.random.default_rng(arguments.seed)):
        print(line)


if __name__ == "__main__":
    main()
