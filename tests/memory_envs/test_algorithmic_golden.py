"""The algorithmic family against a transcription of Gym's rules in plain Python, and its levels."""

from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from memory_envs.oracles import oracle

RIGHT, WRITE = 1, 1
Grid = list[list[int]]


def make(name: str, **arguments: Any) -> Any:
    return gym.make(f"Algorithmic/{name}-v0", **arguments).unwrapped


def copy(columns: Grid) -> list[int]:
    return [column[0] for column in columns]


def added(columns: Grid, base: int = 3) -> list[int]:
    """Least significant digit first: the sum as an integer, back in digits."""
    numbers = zip(*columns, strict=True)
    total = sum(sum(digit * base**place for place, digit in enumerate(row)) for row in numbers)
    digits: list[int] = []
    while total or len(digits) < len(columns):
        total, digit = divmod(total, base)
        digits.append(digit)
    return digits


TARGETS: dict[str, Any] = {
    "Copy": copy,
    "DuplicatedInput": lambda columns: copy(columns)[::2],
    "RepeatCopy": lambda columns: copy(columns) + copy(columns)[::-1] + copy(columns),
    "Reverse": lambda columns: copy(columns)[::-1],
    "ReversedAddition": added,
    "ReversedAddition3": added,
}


@dataclass
class Gym:
    """What Gym's environments did, one at a time, with the input handed in."""

    name: str
    base: int
    level: int
    history: list[float] = field(default_factory=list)  # returns minus full returns
    columns: Grid = field(default_factory=list)
    target: list[int] = field(default_factory=lambda: [0])  # Gym's constructor called reset once
    paid: float = 0.0

    def raise_level(self) -> None:
        """At every reset, before the new input is drawn."""
        strict = self.name in ("RepeatCopy", "Reverse")
        window, worst_allowed = (50, -0.1) if strict else (10, -1.0)
        self.history = [*self.history, self.paid - len(self.target)][-window:]
        if len(self.history) == window and min(self.history) >= worst_allowed and self.level < 30:
            self.level += 1
            self.history = []

    def begin(self, columns: Grid) -> int:
        self.columns, self.target = columns, TARGETS[self.name](columns)
        self.head, self.place, self.clock, self.paid = (0, 0), 0, 0, 0.0
        return self.look()

    def look(self) -> int:
        column, line = self.head
        if column in range(len(self.columns)) and line in range(len(self.columns[0])):
            return self.columns[column][line]
        return self.base

    def allowed(self) -> int:
        twice = self.name.startswith("ReversedAddition")
        return len(self.columns) + (len(self.columns) if twice else len(self.target)) + 4

    def step(self, move: int, write: int, symbol: int) -> tuple[int, float, bool]:
        self.clock += 1
        reward, done = 0.0, False
        if write:
            right = symbol == self.target[self.place]
            self.place += 1
            reward = 1.0 if right else -0.5
            done = not right or self.place == len(self.target)
        across, down = ((-1, 0), (1, 0), (0, -1), (0, 1))[move]
        self.head = (self.head[0] + across, self.head[1] + down)
        if self.clock > self.allowed():
            reward, done = -1.0, True
        self.paid += reward
        return self.look(), reward, done


@pytest.mark.parametrize(
    ("name", "base", "level"),
    [
        ("Copy", 5, 2),
        ("DuplicatedInput", 5, 2),
        ("RepeatCopy", 5, 2),
        ("Reverse", 2, 1),
        ("ReversedAddition", 3, 2),
        ("ReversedAddition3", 3, 2),
    ],
)
def test_every_step_is_gym_s(name: str, base: int, level: int) -> None:
    env = make(name)
    assert (env.observation_space.n, env.action_space.nvec[2]) == (base + 1, base)
    reference = Gym(name, base, level)
    generator = np.random.default_rng(1)
    # The share of steps that are the oracle's: long good stretches between bad ones, so that the
    # level rises.
    shares = np.repeat([0.0, 1.0, 0.7, 1.0, 0.9, 1.0], [30, 130, 60, 60, 60, 60])
    seed: int | None = 0
    ends: set[float] = set()
    for share in shares:
        observation, info = env.reset(seed=seed)
        reference.raise_level()
        width = int(info["complexity"])
        columns = env.get_state().source[0, :width].tolist()
        assert reference.begin(columns) == observation
        assert reference.level == info["min_length"]
        even = 2 if name == "DuplicatedInput" else 1
        assert width in [max(reference.level + more, even) // even * even for more in range(3)]
        assert info["target"][: info["target_size"]].tolist() == reference.target
        seed = None
        broken_off = generator.integers(1, 10) if generator.random() < 0.1 * (share < 1) else 1000
        writes = generator.choice([0.05, 0.5])
        for _ in range(broken_off):
            if generator.random() < share:
                action = oracle(env)
            else:
                action = generator.integers(env.action_space.nvec)
                action[1] = generator.random() < writes
            expected = reference.step(*action.tolist())
            observation, reward, terminated, truncated, info = env.step(action)
            assert (observation, reward, terminated or truncated) == expected
            assert truncated == (reward == -1.0)
            if terminated or truncated:
                ends.add(reward)
                assert info["success"] == (reference.paid == len(reference.target))
                break
    assert ends == {1.0, -0.5, -1.0}
    assert reference.level >= level + 3


def finish(env: Any, outcome: str) -> int:
    """Play one episode from its reset; return its level."""
    _, info = env.reset()
    size = int(info["target_size"])
    steps = {"success": size, "mistake": size, "all but one": size - 1, "all but two": size - 2}
    for step in range(steps[outcome]):
        symbol = info["target"][step]
        if outcome == "mistake" and step == size - 1:
            symbol = (symbol + 1) % (env.observation_space.n - 1)
        env.step(np.array([RIGHT, WRITE, symbol]))
    return int(info["min_length"])


@pytest.mark.parametrize(
    ("name", "first", "window", "forgives"),
    [
        ("Copy", 2, 10, True),
        ("DuplicatedInput", 2, 10, True),
        ("ReversedAddition", 2, 10, True),
        ("ReversedAddition3", 2, 10, True),
        ("RepeatCopy", 2, 50, False),
        ("Reverse", 1, 50, False),
    ],
)
def test_the_level_rises_after_a_window_of_good_episodes(
    name: str, first: int, window: int, forgives: bool
) -> None:
    assert make(name).reset()[1]["min_length"] == first
    first = 6  # long enough to fall short by two
    env = make(name, starting_min_length=first)
    env.reset(seed=3)
    assert [finish(env, "success") for _ in range(window)] == [first] * window
    # The next level-up needs a whole window again, and a bad episode starts it anew.
    outcomes = ["success"] * (window - 1) + ["mistake"] + ["success"] * (window - 1)
    assert [finish(env, outcome) for outcome in outcomes] == [first + 1] * (2 * window - 1)
    assert finish(env, "all but one") == first + 1  # and then broken off by a reset: 1 short
    assert finish(env, "all but two") == first + 1 + forgives
    env.reset(seed=4)  # seeding takes the row back to its first level
    assert finish(env, "success") == first


def test_the_level_stays_where_it_should() -> None:
    fixed = make("Copy", level_up=False, starting_min_length=4)
    top = make("Copy", starting_min_length=30)
    for env, level in ((fixed, 4), (top, 30)):
        env.reset(seed=0)
        assert {finish(env, "success") for _ in range(25)} == {level}


def test_rows_have_levels_of_their_own_and_equal_scalar_environments() -> None:
    rows = 3
    vector = gym.make_vec("Algorithmic/Copy-v0", rows, autoreset_mode=AutoresetMode.SAME_STEP)
    scalars = [make("Copy") for _ in range(rows)]
    _, infos = vector.reset(seed=11)
    for row, env in enumerate(scalars):
        env.reset(seed=11 + row)
    mistakes = np.random.default_rng(0)
    for _ in range(700):
        actions = oracle(vector)
        wrong = mistakes.random() < 0.05  # only the last row ever writes a wrong symbol
        actions[2, 2] = (actions[2, 2] + wrong) % 5
        _, rewards, terminated, truncated, infos = vector.step(actions)
        for row, env in enumerate(scalars):
            _, reward, *flags, info = env.step(actions[row])
            assert (reward, *flags) == (rewards[row], terminated[row], truncated[row])
            if any(flags):
                _, info = env.reset()
            for name, value in info.items():
                np.testing.assert_array_equal(infos[name][row], value)
    levels = infos["min_length"].tolist()
    assert min(levels[:2]) > levels[2]
