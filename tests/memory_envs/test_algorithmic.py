"""The algorithmic family: its rules by hand, its arguments, its states."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import memory_envs
from memory_envs.core.rules import new_outcome

IDS = [spec.id for spec in memory_envs.ENVIRONMENTS.values() if spec.family == "algorithmic"]
LEFT, RIGHT, UP, DOWN = range(4)
SILENT, WRITE = 0, 1
OFF = -1  # stands for `base`, what is read off the input, in the tables below


def make(name: str, **arguments: Any) -> Any:
    return gym.make(f"Algorithmic/{name}-v0", **arguments).unwrapped


def plant(env: Any, columns: list[list[int]], target: list[int]) -> None:
    """Begin an episode with this input and target."""
    env.reset(seed=0)
    state = env.get_state()
    base = env.observation_space.n - 1
    counted = len(target) if len(columns[0]) == 1 else len(columns)
    state.source[:] = base
    state.source[0, : len(columns)] = columns
    state.target[:] = base
    state.target[0, : len(target)] = target
    state.rows["width"], state.rows["target_size"] = len(columns), len(target)
    state.rows["limit"] = len(columns) + counted + 4
    env.set_state(state)


def tape(*symbols: int) -> list[list[int]]:
    return [[symbol] for symbol in symbols]


@pytest.mark.parametrize(
    ("name", "columns", "target", "first", "steps"),
    [
        # name, input, target, first observation, then (action, observation, reward, end)
        (
            "Copy",  # the symbol is judged before the head moves
            tape(0, 1),
            [0, 1],
            0,
            [
                ((RIGHT, WRITE, 0), 1, 1.0, ""),
                ((LEFT, WRITE, 1), 0, 1.0, "terminated"),
            ],
        ),
        (
            "Copy",  # a wrong symbol ends the episode
            tape(0, 1),
            [0, 1],
            0,
            [((RIGHT, WRITE, 0), 1, 1.0, ""), ((RIGHT, WRITE, 4), OFF, -0.5, "terminated")],
        ),
        (
            "Copy",  # the head goes any distance off the tape and needs as many steps back
            tape(3, 1, 2),
            [3, 1, 2],
            3,
            [
                ((LEFT, SILENT, 3), OFF, 0.0, ""),
                ((LEFT, SILENT, 0), OFF, 0.0, ""),
                ((RIGHT, SILENT, 0), OFF, 0.0, ""),
                ((RIGHT, WRITE, 3), 3, 1.0, ""),
                ((RIGHT, SILENT, 0), 1, 0.0, ""),
                ((RIGHT, WRITE, 1), 2, 1.0, ""),
                ((RIGHT, SILENT, 0), OFF, 0.0, ""),
                ((RIGHT, SILENT, 0), OFF, 0.0, ""),
                ((LEFT, SILENT, 0), OFF, 0.0, ""),
                ((LEFT, WRITE, 2), 2, 1.0, "terminated"),  # step 10 of 3 + 3 + 4
            ],
        ),
        (
            "ReversedAddition",  # four moves over the grid 0 1 2 / 2 1 0
            [[0, 2], [1, 1], [2, 0]],
            [2, 2, 2],
            0,
            [
                ((DOWN, SILENT, 0), 2, 0.0, ""),
                ((RIGHT, WRITE, 2), 1, 1.0, ""),
                ((DOWN, SILENT, 0), OFF, 0.0, ""),
                ((UP, SILENT, 0), 1, 0.0, ""),
                ((RIGHT, SILENT, 0), 0, 0.0, ""),
                ((UP, WRITE, 2), 2, 1.0, ""),
                ((UP, SILENT, 0), OFF, 0.0, ""),
                ((LEFT, WRITE, 2), OFF, 1.0, "terminated"),
            ],
        ),
        (
            "DuplicatedInput",
            tape(4, 4, 1, 1),
            [4, 1],
            4,
            [
                ((RIGHT, SILENT, 0), 4, 0.0, ""),
                ((RIGHT, WRITE, 4), 1, 1.0, ""),
                ((RIGHT, WRITE, 1), 1, 1.0, "terminated"),
            ],
        ),
    ],
)
def test_an_episode_by_hand(
    name: str,
    columns: list[list[int]],
    target: list[int],
    first: int,
    steps: list[tuple[tuple[int, int, int], int, float, str]],
) -> None:
    # The input fills its array, so that a cell read beyond it would not be blank by chance.
    env = make(name, starting_min_length=max(len(columns) - 2, 1), level_up=False)
    plant(env, columns, target)
    base = env.observation_space.n - 1
    outcome = new_outcome(env.rules, 1)
    env.rules.observe(env.get_state(), np.zeros(1, np.intp), outcome).run()
    assert outcome.observations[0] == first
    for action, observation, reward, end in steps:
        got = env.step(np.array(action))
        assert got[:4] == (
            base if observation == OFF else observation,
            reward,
            end == "terminated",
            end == "truncated",
        )


def test_the_first_steps_of_a_seed() -> None:
    """The input of seed 7 is pinned; what follows from it is worked out by hand."""
    env = make("RepeatCopy")
    observation, info = env.reset(seed=9)
    assert env.get_state().source[0, :5, 0].tolist() == [3, 0, 0, 5, 5]
    assert info["target"][:11].tolist() == [3, 0, 0, 0, 0, 3, 3, 0, 0, 5, 5]
    assert (observation, info["complexity"], info["min_length"]) == (3, 3, 2)
    for action, expected in (
        ((RIGHT, WRITE, 3), (0, 1.0, False, False)),
        ((LEFT, WRITE, 0), (3, 1.0, False, False)),
        ((LEFT, SILENT, 0), (5, 0.0, False, False)),
        ((LEFT, WRITE, 0), (5, 1.0, False, False)),
        ((RIGHT, WRITE, 3), (5, -0.5, True, False)),
    ):
        observation, reward, terminated, truncated, info = env.step(action)
        assert (observation, reward, terminated, truncated) == expected
    assert (info["success"], info["symbols_correct"], info["target_size"]) == (False, 3, 9)


@pytest.mark.parametrize(
    ("name", "columns", "target", "limit"),
    [
        ("Copy", tape(0, 1, 2), [0, 1, 2], 10),
        ("DuplicatedInput", tape(0, 0, 1, 1), [0, 1], 10),
        ("RepeatCopy", tape(0, 1), [0, 1, 1, 0, 0, 1], 12),
        ("ReversedAddition", [[1, 2], [1, 0]], [0, 2], 8),
        ("ReversedAddition", [[1, 2], [1, 2]], [0, 1, 1], 8),  # Gym's quirk: nothing for the carry
    ],
)
@pytest.mark.parametrize("write", ["nothing", "right", "wrong"])
def test_the_step_past_the_limit_costs_1_whatever_it_writes(
    name: str, columns: list[list[int]], target: list[int], limit: int, write: str
) -> None:
    env = make(name)
    plant(env, columns, target)
    for step in range(limit):
        # All of the target but its last symbol, at the last steps that allow it.
        done = step - (limit - len(target) + 1)
        action = (LEFT, done >= 0, target[max(done, 0)])
        _, reward, terminated, truncated, info = env.step(np.array(action, np.int64))
        assert (reward, terminated, truncated) == (float(done >= 0), False, False)
    last = target[-1] if write == "right" else (target[-1] + 1) % 3
    _, reward, terminated, truncated, info = env.step(
        np.array([LEFT, write != "nothing", last], np.int64)
    )
    assert (reward, terminated, truncated) == (-1.0, False, True)
    assert not info["success"]
    assert info["symbols_correct"] == len(target) - 1


@pytest.mark.parametrize("name", IDS)
def test_no_episode_reaches_gym_s_limit_of_200_steps(name: str) -> None:
    env = gym.make_vec(name, 1000, starting_min_length=30).unwrapped
    env.reset(seed=0)
    state = env.get_state()  # type: ignore[attr-defined]
    longest = int(state.rows["limit"].max()) + 1
    assert longest <= 133
    assert (longest == 133) == (name == "Algorithmic/RepeatCopy-v0")


def test_an_input_has_one_of_three_lengths_and_uniform_symbols() -> None:
    env = gym.make_vec("Algorithmic/Copy-v0", 20_000, starting_min_length=5)
    _, infos = env.reset(seed=0)
    lengths, counts = np.unique(infos["complexity"], return_counts=True)
    assert lengths.tolist() == [5, 6, 7]
    assert np.abs(counts - 20_000 / 3).max() < 350  # five standard deviations
    symbols = infos["target"][infos["target"] < 5]
    assert np.abs(np.bincount(symbols) / symbols.size - 0.2).max() < 0.006
    duplicated = gym.make_vec("Algorithmic/DuplicatedInput-v0", 1000, starting_min_length=1)
    _, infos = duplicated.reset(seed=0)
    assert set(infos["complexity"].tolist()) == {2}  # 1, 2 and 3: at least a pair, whole pairs


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"task": "Revers"},
            ValueError,
            "task is 'Revers'; .*did you mean 'Reverse'",
        ),
        ({"task": "Copy", "base": 0}, ValueError, "base is 0; allowed: integers from 1 to 1000"),
        ({"task": "Copy", "base": 2.0}, TypeError, "base is 2.0; allowed: integers"),
        (
            {"task": "ReversedAddition3", "base": 2},
            ValueError,
            "base is 2; allowed: integers from 3",
        ),
        (
            {"starting_min_length": 31},
            ValueError,
            "starting_min_length is 31; allowed",
        ),
        (
            {"starting_min_length": True},
            TypeError,
            "starting_min_length is True; allowed",
        ),
        ({"level_up": 1}, TypeError, "level_up is 1; allowed: False, True"),
        ({"chars": True}, TypeError, "chars"),
    ],
)
def test_impossible_arguments(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    from memory_envs.algorithmic import AlgorithmicEnv, AlgorithmicVectorEnv

    with pytest.raises(error, match=message):
        AlgorithmicEnv(**arguments)
    with pytest.raises(error, match=message):
        AlgorithmicVectorEnv(2, **arguments)


def test_the_largest_carry_is_a_symbol_at_the_smallest_base() -> None:
    for name, base in (("ReversedAddition", 2), ("ReversedAddition3", 3)):
        env = gym.make_vec(f"Algorithmic/{name}-v0", 2000, base=base, starting_min_length=30)
        _, infos = env.reset(seed=0)
        last = infos["target"][np.arange(2000), infos["target_size"] - 1]
        assert last.max() == base - 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("x", 1),
        ("x", -1),
        ("y", 1),
        ("width", 0),
        ("width", 33),
        ("target_size", 33),
        ("correct", 2),
        ("correct", -1),
        ("min_length", 1),
        ("min_length", 31),
        ("min_length", 0),
        ("streak", 10),
        ("score", np.nan),
        ("steps", -1),
        ("steps", 9),
        ("limit", 100),
    ],
)
def test_a_corrupted_state_is_refused(field: str, value: float) -> None:
    env = make("Copy")
    plant(env, tape(0, 1), [0, 1])
    state, kept = env.get_state(), env.get_state()
    state.rows[field] = value
    with pytest.raises(ValueError, match=r"state\.rows.* in row 0; allowed"):
        env.set_state(state)
    assert env.get_state().rows.tolist() == kept.rows.tolist()
    for tape_name in ("source", "target"):
        state = env.get_state()
        getattr(state, tape_name)[0, 0] = 6
        with pytest.raises(ValueError, match=f"state.{tape_name} is .* in row 0; allowed: symbols"):
            env.set_state(state)


def test_text_shows_tapes_heads_and_the_mistake() -> None:
    env = make("ReversedAddition", render_mode="ansi", starting_min_length=1, level_up=False)
    plant(env, [[1, 2], [1, 0]], [0, 2])
    env.step(np.array([RIGHT, WRITE, 0]))
    env.step(np.array([UP, WRITE, 1]))
    assert env.render().split("\n") == [
        "ReversedAddition   step 2 / 8",
        "level 1   return 0.5   column 1   line -1",
        "            ▲",
        "input     1 1",
        "          2 0",
        "output    0 1",
        "            ✗",
        "target    0 2",
        "action   move up, write, symbol 1",
        "status   wrong symbol",
    ]


@pytest.mark.parametrize("name", IDS)
def test_images_of_an_environment_have_one_size_and_change_with_the_state(name: str) -> None:
    env: Any = gym.make(name, render_mode="rgb_array").unwrapped
    images = []
    for seed in range(3):
        env.reset(seed=seed)
        images.append(env.render())
        env.step(np.array([LEFT, WRITE, 0]))
        images.append(env.render())
    assert {(image.shape, image.dtype) for image in images} == {(images[0].shape, np.dtype("u1"))}
    assert not np.array_equal(images[0], images[1])
