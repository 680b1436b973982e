"""A person at the keyboard plays an environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from memory_envs.core.env import MemoryEnv

_KEYS = {"w": "up", "a": "left", "s": "down", "d": "right"}
_ARROWS = {"\x1b[A": "up", "\x1b[D": "left", "\x1b[B": "down", "\x1b[C": "right"}
_PREFIXES = {"memory_move": "m", "memory_write": "w"}
_IDLE = ("stay", "keep", "silent")
_GATES = ("emit", "write")  # said by naming a symbol
_COMMANDS = {"n": "new episode", "h": "this help", "q": "quit"}


class InputError(ValueError):
    """What was typed means nothing here."""


class Controls:
    """From what is typed to actions.

    Sub-actions are set by words: the names of their values, for moves also their first letters,
    with a prefix for the memory tape. What is not said stays idle.

    Args:
        env: A scalar environment.

    Attributes:
        single: Whether there is one sub-action only; then each word is a step.
        by_key: Whether, besides, each value is a single key.
        commands: What a command is typed as, by its letter: where the letters are answers, after a
            colon.

    Raises:
        InputError: If its actions are neither `Discrete` nor `MultiDiscrete`.
    """

    def __init__(self, env: Any) -> None:
        space, base = env.action_space, env.unwrapped
        if not isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
            raise InputError(f"actions of {space} cannot be typed")
        self.single = isinstance(space, spaces.Discrete)
        if hasattr(base, "action_names"):
            self.names, self.values = base.action_names, base.rules.action_values
        else:
            sizes = np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec)
            self.names = tuple("action" if self.single else f"{i}=" for i in range(len(sizes)))
            self.values = tuple(tuple(map(str, range(size))) for size in sizes.tolist())
        self.words: dict[str, dict[int, int]] = {}
        self.idle: dict[int, int] = {}
        # The parts of an answer, such as its bits, are typed as one word.
        output = base.view().output if isinstance(base, MemoryEnv) else None
        self.parts = output.parts if output is not None else ()
        if self.parts and any(len(value) > 1 for values in self.values for value in values):
            self.names, self.parts = tuple(f"{name}=" for name in self.names), ()
        for column in range(len(self.names)):
            self._add_words(column)
        if self.single:
            self.words |= {k: self.words[word] for k, word in _KEYS.items() if word in self.words}
        taken = not set(_COMMANDS).isdisjoint(self.words)
        self.commands = {f":{letter}" if taken else letter: letter for letter in _COMMANDS}
        reached = {
            value for word, part in self.words.items() if len(word) == 1 for value in part.values()
        }
        self.by_key = self.single and not taken and len(reached) == len(self.values[0])

    def _add_words(self, column: int) -> None:
        name, values = self.names[column], self.values[column]
        if name == "symbol" or name.startswith("answer"):
            self.idle[column] = 0
        for word in set(_IDLE) & set(values):
            self.idle[column] = values.index(word)
        if name in _GATES or self.parts:
            return
        settings = {}
        if name == "symbol":
            settings = {self.names.index(gate): 1 for gate in _GATES if gate in self.names}
        for value, word in enumerate(values):
            if word != "keep":
                self.words[self._prefix(name) + word] = {column: value, **settings}
                if name.endswith("move") and not self.single:
                    self.words[self._prefix(name) + word[0]] = {column: value}

    @staticmethod
    def _prefix(name: str) -> str:
        return name if name.endswith("=") else _PREFIXES.get(name, "")

    def actions(self, line: str) -> list[Any]:
        """Returns the actions that a line stands for.

        Raises:
            InputError: If a word means nothing or is missing; says which.
        """
        for code, word in _ARROWS.items():
            line = line.replace(code, f" {word} ")
        words = line.split()
        if not self.single:
            return [self._action([word for word in words if word != "."])]
        steps = []
        for word in words:  # "wwd" is three steps
            if word == "." and self.idle:
                steps.append("")
                continue
            is_run = word not in self.words and all(key in self.words for key in word)
            steps += list(word) if is_run else [word]
        return [self._action([step] if step else []) for step in steps]

    def _action(self, words: list[str]) -> Any:
        if self.parts:
            return self._whole(words)
        chosen: dict[int, int] = {}
        for word in words:
            if word not in self.words:
                raise InputError(f"{word!r} means nothing here; h shows what does")
            for column, value in self.words[word].items():
                if chosen.get(column, value) != value:
                    raise InputError(f"{' '.join(words)!r} says {self.names[column]} twice")
                chosen[column] = value
        chosen = {**self.idle, **chosen}
        for column, name in enumerate(self.names):
            if column not in chosen:
                raise InputError(f"say {name} too: {self._offer(column)}")
        action = np.array([chosen[column] for column in range(len(self.names))])
        return int(action[0]) if self.single else action

    def _whole(self, words: list[str]) -> Any:
        """Returns an action whose parts were typed as one word."""
        word = "".join(words) or "".join(values[0] for values in self.values)
        fits = len(word) == len(self.values)
        if not fits or any(c not in values for c, values in zip(word, self.values, strict=True)):
            raise InputError(f"{' '.join(words)!r} means nothing here; h shows what does")
        return np.array([values.index(c) for c, values in zip(word, self.values, strict=True)])

    def _offer(self, column: int) -> str:
        """Returns the words of a sub-action."""
        name, prefix = self.names[column], self._prefix(self.names[column])
        values = [value for value in self.values[column] if value != "keep"]
        if name.endswith("move") and not self.single:
            return "  ".join(f"{prefix}{value[0]} ({value})" for value in values)
        numbers = [value for value in values if value.isdigit()]
        words = [prefix + value for value in values if not value.isdigit()]
        if len(numbers) > 2:
            numbers = [numbers[0], "…", numbers[-1]]
        return " ".join([*(n if n == "…" else prefix + n for n in numbers), *words])

    def help(self) -> str:
        """Returns what can be typed."""
        titles = {"symbol": "emit", "memory_write": "write memory"}
        lines = []
        if self.parts:
            example = "".join(values[-1] for values in self.values)
            lines.append(f"answer        {len(self.parts)} digits, such as {example}")
        lines += [
            f"{titles.get(name, name.strip('=').replace('_', ' ')):13} {self._offer(column)}"
            for column, name in enumerate(self.names)
            if name not in _GATES and not self.parts
        ]
        if self.single and "up" in self.words:
            lines.append("keys          arrows or w a s d")
        if len(self.idle) == len(self.names):
            lines.append("nothing       .")
        if not self.single and not self.parts:
            lines.append(f"in one step   {self._example()}")
        commands = (f"{typed} {_COMMANDS[letter]}" for typed, letter in self.commands.items())
        return "\n".join([*lines, "   ".join(commands)])

    def _example(self) -> str:
        """Returns a word for each sub-action."""
        words = [
            self._prefix(name) + (values[-1][0] if name.endswith("move") else values[0])
            for name, values in zip(self.names, self.values, strict=True)
            if name not in _GATES
        ]
        return " ".join(words)


def play(env_id: str, seed: int | None, source: TextIO, target: TextIO) -> None:
    """Plays until the end of input or q.

    Args:
        env_id: A registered id.
        seed: Seed of the first episode; the next ones go on from there.
        source: What is typed; single keys if it is a terminal and each word is a step.
        target: Where the environment is drawn.

    Raises:
        InputError: If the actions cannot be typed.
    """
    env = gym.make(env_id)
    if "ansi" in (env.metadata.get("render_modes") or ()):
        env = gym.make(env_id, render_mode="ansi")

    def show(text: str) -> None:
        target.write(text.rstrip("\n") + "\n\n")
        target.flush()

    try:
        controls = Controls(env)
        show(f"{env_id}\n\n{controls.help()}")
        _begin(env, seed, show)
        total = 0.0
        for line in _lines(source, target, by_key=controls.by_key):
            command = controls.commands.get(line.strip())
            if command == "q":
                break
            if command == "h":
                show(controls.help())
                continue
            if command == "n":
                total = 0.0
                _begin(env, None, show)
                continue
            try:
                actions = controls.actions(line)
            except InputError as error:
                show(str(error))
                continue
            for action in actions:
                observation, reward, terminated, truncated, info = env.step(action)
                total += float(reward)
                drawn = env.render() if env.render_mode == "ansi" else observation
                show(f"{drawn}\nreward {reward:g}   return {total:g}")
                if terminated or truncated:
                    why = "success" if info.get("success") else "time is up" if truncated else ""
                    end = f"the episode is over{why and ': ' + why}, return {total:g}"
                    show(f"{end}; a new one begins")
                    total = 0.0
                    _begin(env, None, show)
                    break
        show("bye")
    finally:
        env.close()


def _begin(env: Any, seed: int | None, show: Any) -> None:
    observation, _ = env.reset(seed=seed)
    show(str(env.render() if env.render_mode == "ansi" else observation))


def _lines(source: TextIO, target: TextIO, by_key: bool) -> Iterator[str]:
    """Yields what is typed, line by line, or key by key at a terminal."""
    if by_key and source.isatty() and sys.platform != "win32":
        with _single_keys(source) as handle:
            while (keys := os.read(handle, 64).decode(errors="ignore")) not in ("", "\x04"):
                yield keys
        return
    while True:
        target.write("> ")
        target.flush()
        line = source.readline()
        if not line:
            target.write("\n")
            return
        yield line


@contextmanager
def _single_keys(source: TextIO) -> Iterator[int]:
    """Lets the terminal hand over each key at once, unseen."""
    import termios
    import tty

    handle = source.fileno()
    before = termios.tcgetattr(handle)
    try:
        tty.setcbreak(handle, termios.TCSADRAIN)  # what was typed ahead counts
        yield handle
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
