"""`memory-envs ask`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TextIO

import tyro

from agents.cli.common import Player, UsageError, checked, find_player, option
from memory_envs.spec import environment_spec

if TYPE_CHECKING:  # imported when something is asked: other commands need no torch and no Numba
    from agents.evaluation.asking import Reply
    from agents.networks.policy import MemoryPolicy
    from memory_envs.stream.text.babi import Vocabulary
    from memory_envs.stream.text.typed import StoryReader, TypedLine

_LEGEND = (
    "Before each sentence: how the answer's log-probability changes without it, and what is "
    "answered then, if it is something else."
)
_TYPING = (
    "Type sentences. A question ends in ?, an empty line begins a new story, Ctrl-D or Ctrl-C ends."
)


@dataclass(frozen=True)
class Ask:
    """Ask a bAbI model a question about a story of yours, and see what its answer depends on.

    Without --story and --question, lines are read from the keyboard: a question ends in ?, an empty
    line begins a new story. Every question is asked once more without each sentence before it: what
    the answer depends on is what changes it.
    """

    model: Annotated[str | None, tyro.conf.Positional, option("MODEL")] = None
    """A model file, or the folder of a run, that was trained on bAbI."""
    pretrained: Annotated[str | None, option("NAME")] = None
    """In place of MODEL: one that comes with the package."""
    story: Annotated[str | None, option("TEXT")] = None
    """Sentences, each with its full stop; those that end in ? are asked in their places."""
    question: Annotated[tuple[str, ...], option("TEXT ...")] = ()
    """Questions after the story."""
    answer_words: Annotated[int | None, option("N")] = None
    """How many words an answer shall have, of a model that reads word by word: it is shown so many
    placeholders. Without it, 1."""
    env: Annotated[str | None, option("ID")] = None
    """Environment id. Without it, where the model was trained."""
    changes: Annotated[tuple[str, ...], option("NAME=VALUE ...", name="set")] = ()
    """Arguments of the environment, in place of the model's: level=sentence."""
    vocabulary: Annotated[bool, option("")] = False
    """Print the words that the model knows and the answers that it can give, and ask nothing."""
    json: Annotated[bool, option("")] = False
    """Print one JSON object a question, in a line, instead of text."""

    def run(self) -> int:
        """Asks."""
        player = find_player(self.model, self.env, self.pretrained, self.changes)
        from memory_envs.stream.text.babi import Vocabulary
        from memory_envs.stream.text.typed import read_lines

        vocabulary = checked(Vocabulary, player.env_kwargs.get("data"))
        reader = self._reader(player, vocabulary)
        policy = _policy(player, reader)
        if self.vocabulary:
            print("words:", *sorted(vocabulary.words[1:]))
            print("answers:", *reader.answers)
            return 0
        asked = _Asked(policy, reader, self.json)
        if self.story is None and not self.question:
            asked.talk(sys.stdin)
            return 0
        lines = read_lines(self.story or "")
        for question in self.question:
            lines += read_lines(question.strip().rstrip(".?") + "?")
        if not any(line.asks for line in lines):
            raise UsageError(
                "there is no question; allowed: --question TEXT, or a sentence of --story that "
                "ends in ?"
            )
        asked.hear(lines)
        return 0

    def _reader(self, player: Player, vocabulary: Vocabulary) -> StoryReader:
        """Returns how lines are shown to the model.

        Raises:
            UsageError: If it was not trained on bAbI, or an option does not fit.
        """
        from memory_envs.stream.text.babi import JOINT, SENTENCE_WORDS
        from memory_envs.stream.text.typed import StoryReader

        task = str(environment_spec(player.env).kwargs.get("task", ""))
        if not task.startswith(JOINT):
            raise UsageError(f"env is {player.env!r}; allowed: those of bAbI, Stream-{JOINT}-v0")
        kwargs = player.env_kwargs
        level = kwargs.get("level", "word")
        if level != "word" and self.answer_words is not None:
            raise UsageError(
                f"--answer-words is {self.answer_words}; allowed: nothing, as the model reads "
                "sentence by sentence and gives whole answers"
            )
        space = getattr(player.policy, "observation_space", None)
        width = (getattr(space, "shape", None) or (SENTENCE_WORDS,))[0]
        pauses = [kwargs.get(name, 0) for name in ("pauses", "question_pauses")]
        shows = kwargs.get("pauses_show", "nothing")
        count = 1 if self.answer_words is None else self.answer_words
        return checked(StoryReader, vocabulary, level, *pauses, shows, count, width)


def _policy(player: Player, reader: StoryReader) -> MemoryPolicy:
    """Returns the model's policy.

    Raises:
        UsageError: If it has none that answers whole streams, or one for other words.
    """
    from agents.networks.policy import MemoryPolicy
    from memory_envs.scoring.policy import check_spaces

    policy = getattr(player.policy, "policy", None)
    if not isinstance(policy, MemoryPolicy):
        raise UsageError(
            f"model is {player.name!r}; allowed: models with a MemoryPolicy, as `memory-envs fit` "
            "trains them"
        )
    checked(check_spaces, player.policy, reader.observation_space, reader.action_space)
    return policy


class _Asked:
    """A conversation.

    Args:
        policy: Who answers.
        reader: How lines are shown to it.
        json: Whether answers are JSON.
    """

    def __init__(self, policy: MemoryPolicy, reader: StoryReader, json: bool) -> None:
        self._policy, self._reader, self._json = policy, reader, json
        self._story: list[TypedLine] = []
        self._explained = json

    def hear(self, lines: Iterable[TypedLine]) -> None:
        """Adds lines to the story, and answers those that ask.

        Raises:
            UsageError: If a line cannot be shown; those before it are kept.
        """
        from agents.evaluation.asking import ask
        from memory_envs.stream.text.typed import UnknownWordError

        for line in lines:
            try:
                self._reader.steps(line)
            except UnknownWordError as error:
                raise UsageError(f"{error}; --vocabulary prints them") from error
            except ValueError as error:
                raise UsageError(error) from error
            self._story.append(line)
            if line.asks:
                self._show(ask(self._policy, self._reader, self._story))

    def talk(self, source: TextIO) -> None:
        """Reads lines until they end.

        Raises:
            UsageError: If a line cannot be shown, and nobody sits at a keyboard to try again.
        """
        from memory_envs.stream.text.typed import read_lines

        at_keyboard = source.isatty()
        if at_keyboard:
            print(_TYPING)
        for text in _typed() if at_keyboard else source:
            if not text.strip():
                self._story = []
            try:
                self.hear(read_lines(text))
            except UsageError as error:
                if not at_keyboard:
                    raise
                print(f"memory-envs: {error}", file=sys.stderr)

    def _show(self, reply: Reply) -> None:
        if self._json:
            print(json.dumps(reply.to_dict(), allow_nan=False), flush=True)
            return
        if reply.left_out and not self._explained:
            print(_LEGEND)
            self._explained = True
        print("\n".join(reply.lines()), flush=True)


def _typed() -> Iterator[str]:
    """Yields what is typed at the keyboard, line by line."""
    with suppress(EOFError):
        while True:
            yield input("> ")
    print()
