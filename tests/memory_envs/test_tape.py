"""The rules of the tape family, one hand-written episode each.

With ten content symbols, 10 is the end mark and 11 blank.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from memory_envs.tape import TASKS, TapeEnv, TapeTask, TapeVectorEnv

END, BLANK = 10, 11
LEFT, STAY, RIGHT = 0, 1, 2
FORWARD_STAY, FORWARD_RIGHT = 0, 1
KEEP = 11
SILENT, EMIT = 0, 1


def episode(
    task: str, source: Sequence[int], target: Sequence[int], limit: int = 50, **arguments: Any
) -> TapeEnv:
    """An episode with the given strings; the end marks are added."""
    env = TapeEnv(task, **arguments)
    env.reset(seed=0)
    state = env.get_state()
    for tape, size, string in (
        (state.source, "source_size", source),
        (state.target, "target_size", target),
    ):
        tape[0] = BLANK
        tape[0, : len(string) + 1] = [*string, END]
        state.rows[size] = len(string) + 1
    state.rows["limit"] = limit
    env.set_state(state)
    return env


def observed(env: TapeEnv, *actions: Sequence[int]) -> list[list[int]]:
    """The observation after each action."""
    return [env.step(np.array(action))[0].tolist() for action in actions]


def outcomes(env: TapeEnv, *actions: Sequence[int]) -> list[tuple[float, bool, bool]]:
    """Reward, terminated and truncated after each action."""
    return [env.step(np.array(action))[1:4] for action in actions]


def test_an_episode_begins_at_cell_0_with_a_blank_memory() -> None:
    env = TapeEnv("ForwardReverse", min_length=3)
    for seed in range(20):
        observation, info = env.reset(seed=seed)
        state = env.get_state()
        assert observation.tolist() == [state.source[0, 0], BLANK]
        assert (state.memory == BLANK).all()
        assert (state.output == BLANK).all()
        assert info["symbols_correct"] == 0
        assert not info["success"]


def test_the_head_reads_where_it_moved_to() -> None:
    env = episode("Copy", [3, 4], [3, 4])
    seen = observed(
        env, [RIGHT, SILENT, 0], [RIGHT, SILENT, 0], [STAY, SILENT, 0], [LEFT, SILENT, 0]
    )
    assert seen == [[4], [END], [END], [4]]


def test_the_head_stops_one_cell_beyond_either_end() -> None:
    left, right = [LEFT, SILENT, 0], [RIGHT, SILENT, 0]
    env = episode("Copy", [3], [3])
    assert observed(env, left, left, left, right) == [[BLANK], [BLANK], [BLANK], [3]]
    seen = observed(env, right, right, right, right, left, left)
    assert seen == [[END], [BLANK], [BLANK], [BLANK], [END], [3]]


def test_a_forward_only_head_stays_or_moves_right() -> None:
    env = episode("ForwardReverse", [3, 4], [4, 3])
    assert env.rules.action_values[0] == ("stay", "right")
    stay = [FORWARD_STAY, STAY, KEEP, SILENT, 0]
    right = [FORWARD_RIGHT, STAY, KEEP, SILENT, 0]
    assert [cells[0] for cells in observed(env, stay, right, right, right, right)] == [
        3,
        4,
        END,
        BLANK,
        BLANK,
    ]


def test_the_memory_is_written_before_its_head_moves_and_read_after() -> None:
    env = episode("ForwardReverse", [3, 4], [4, 3])
    seen = observed(
        env,
        [FORWARD_STAY, RIGHT, 7, SILENT, 0],  # 7 to cell 0, on to cell 1, which is blank
        [FORWARD_STAY, LEFT, END, SILENT, 0],  # the end mark to cell 1, back to the 7
        [FORWARD_STAY, RIGHT, KEEP, SILENT, 0],
        [FORWARD_STAY, STAY, 5, SILENT, 0],  # overwritten in place
    )
    assert [cells[1] for cells in seen] == [BLANK, 7, END, 5]
    assert env.get_state().memory[0, :3].tolist() == [7, 5, BLANK]


def test_keep_leaves_the_memory_cell_alone() -> None:
    env = episode("Sort", [3, 4], [3, 4])
    assert env.rules.action_values[2][KEEP] == "keep"
    observed(env, [STAY, STAY, 6, SILENT, 0], [STAY, STAY, KEEP, SILENT, 0])
    assert env.get_state().memory[0].tolist() == [6] + [BLANK] * 10


def test_the_memory_is_a_circle() -> None:
    env = episode("Sort", [3, 4], [3, 4], memory_size=3)
    seen = observed(
        env,
        [STAY, LEFT, 1, SILENT, 0],  # 0 -> 2
        [STAY, LEFT, 2, SILENT, 0],  # 2 -> 1
        [STAY, RIGHT, KEEP, SILENT, 0],  # 1 -> 2
        [STAY, RIGHT, KEEP, SILENT, 0],  # 2 -> 0
    )
    assert [cells[1] for cells in seen] == [BLANK, BLANK, 2, 1]
    assert env.get_state().memory[0].tolist() == [1, BLANK, 2]


def test_windows_show_cells_on_either_side_of_each_head() -> None:
    env = episode("Sort", [3, 4], [3, 4], input_radius=2, memory_radius=1, memory_size=4)
    seen = observed(
        env,
        [STAY, RIGHT, 1, SILENT, 0],
        [RIGHT, LEFT, 2, SILENT, 0],
        [RIGHT, LEFT, KEEP, SILENT, 0],
        [RIGHT, STAY, KEEP, SILENT, 0],
    )
    assert seen == [
        [BLANK, BLANK, 3, 4, END, 1, BLANK, BLANK],
        [BLANK, 3, 4, END, BLANK, BLANK, 1, 2],
        [3, 4, END, BLANK, BLANK, BLANK, BLANK, 1],
        [4, END, BLANK, BLANK, BLANK, BLANK, BLANK, 1],
    ]
    assert env.observation_space == gym.spaces.MultiDiscrete([12] * 8)


def test_the_whole_target_ends_the_episode_in_success() -> None:
    env = episode("Copy", [3, 4], [3, 4])
    rewards = outcomes(env, [STAY, EMIT, 3], [STAY, SILENT, 9], [STAY, EMIT, 4])
    assert rewards == [(1.0, False, False), (0.0, False, False), (1.0, False, False)]
    _, *outcome, info = env.step(np.array([RIGHT, EMIT, END]))
    assert outcome == [1.0, True, False]
    assert info["success"]
    assert (info["symbols_correct"], info["target_size"]) == (3, 3)
    assert env.get_state().output[0, :4].tolist() == [3, 4, END, BLANK]


def test_the_last_observation_is_taken_after_the_last_move() -> None:
    env = episode("Copy", [3, 4], [3, 4])
    observation, _, terminated, *_ = env.step(np.array([RIGHT, EMIT, 9]))
    assert terminated
    assert observation.tolist() == [4]


@pytest.mark.parametrize("wrong_reward", [0.0, -0.5])
def test_a_wrong_symbol_ends_the_episode(wrong_reward: float) -> None:
    env = episode("Copy", [3, 4], [3, 4], wrong_reward=wrong_reward)
    assert outcomes(env, [STAY, EMIT, 3], [STAY, EMIT, 5])[1] == (wrong_reward, True, False)


def test_the_end_mark_too_early_is_a_wrong_symbol() -> None:
    env = episode("Copy", [3], [3], wrong_reward=-1.0)
    assert outcomes(env, [STAY, EMIT, END]) == [(-1.0, True, False)]


def test_with_continue_a_wrong_symbol_costs_and_moves_on() -> None:
    env = episode("Copy", [3, 4], [3, 4], wrong_reward=-0.5, on_error="continue")
    assert outcomes(env, [STAY, EMIT, 9], [STAY, EMIT, 4]) == [
        (-0.5, False, False),
        (1.0, False, False),
    ]
    _, *outcome, info = env.step(np.array([STAY, EMIT, END]))
    assert outcome == [1.0, True, False]
    assert not info["success"]
    assert info["symbols_correct"] == 2


def test_with_continue_a_wrong_last_symbol_terminates() -> None:
    env = episode("Copy", [3], [3], wrong_reward=-0.5, on_error="continue")
    assert outcomes(env, [STAY, EMIT, 3], [STAY, EMIT, 3])[1] == (-0.5, True, False)


@pytest.mark.parametrize("timeout_reward", [0.0, -2.0])
def test_the_time_limit_truncates(timeout_reward: float) -> None:
    env = episode("Copy", [3, 4], [3, 4], limit=3, timeout_reward=timeout_reward)
    silent = [STAY, SILENT, 0]
    assert outcomes(env, silent, silent, silent) == [
        (0.0, False, False),
        (0.0, False, False),
        (timeout_reward, False, True),
    ]


def test_the_last_step_pays_for_its_symbol_as_well() -> None:
    env = episode("Copy", [3, 4], [3, 4], limit=1, timeout_reward=-2.0)
    assert outcomes(env, [STAY, EMIT, 3]) == [(-1.0, False, True)]
    env = episode("Copy", [3, 4], [3, 4], 1, timeout_reward=-2.0, wrong_reward=-0.5)
    assert outcomes(env, [STAY, EMIT, 5]) == [(-0.5, True, False)]
    env = episode(
        "Copy", [3, 4], [3, 4], 1, timeout_reward=-2.0, wrong_reward=-0.5, on_error="continue"
    )
    assert outcomes(env, [STAY, EMIT, 5]) == [(-2.5, False, True)]


def test_finishing_at_the_last_step_is_no_truncation() -> None:
    env = episode("Copy", [3], [3], limit=2, timeout_reward=-2.0)
    assert outcomes(env, [STAY, EMIT, 3], [STAY, EMIT, END])[1] == (1.0, True, False)


def test_max_steps_sets_the_limit_of_every_episode() -> None:
    env = TapeEnv("Copy", max_steps=2)
    for seed in range(5):
        env.reset(seed=seed)
        silent = [STAY, SILENT, 0]
        assert outcomes(env, silent, silent)[1] == (0.0, False, True)


@pytest.mark.parametrize(
    ("task", "length", "limits"),
    [
        ("Copy", 3, {2 * 4 + 10}),
        ("DuplicatedInput", 3, {2 * 10 + 10}),
        ("Reverse", 3, {2 * 8 + 10}),
        ("RepeatCopy", 3, {2 * 11 + 10, 2 * 17 + 10}),  # 2 copies, 3 copies
        ("ForwardReverse", 3, {2 * 8 + 10}),
        ("RepeatCopyForward", 3, {2 * 11 + 10, 2 * 17 + 10}),
        ("Sort", 3, {2 * 8 + 10}),
        ("Addition", 3, {2 * 13 + 10}),
    ],
)
def test_the_limit_is_twice_the_oracles_steps_and_10(
    task: str, length: int, limits: set[int]
) -> None:
    env = TapeVectorEnv(30, task, min_length=length, max_length=length)
    env.reset(seed=0)
    assert set(env.get_state().rows["limit"].tolist()) == limits


def test_emission_is_forced_once_as_many_steps_as_symbols_remain() -> None:
    env = episode("Copy", [3, 4], [3, 4], limit=5, forced_emission=True)
    silent_flag = 3  # after the three moves
    silent = [STAY, SILENT, 9]
    for _ in range(2):  # 5, then 4 steps for 3 symbols
        assert env.action_masks().all()
        assert env.step(np.array(silent))[1:4] == (0.0, False, False)
    masks = env.action_masks()
    assert np.flatnonzero(~masks).tolist() == [silent_flag]
    assert outcomes(env, [STAY, SILENT, 3], [STAY, EMIT, 4]) == [(1.0, False, False)] * 2
    assert not env.action_masks()[silent_flag]
    assert outcomes(env, silent) == [(0.0, True, False)]  # taken as an emission, of a wrong symbol


def test_the_forced_flag_lies_behind_the_memorys_actions() -> None:
    env = episode("Sort", [3, 4], [3, 4], limit=3, forced_emission=True)
    assert np.flatnonzero(~env.action_masks()).tolist() == [3 + 3 + 12]


def test_nothing_is_forced_by_default() -> None:
    env = episode("Copy", [3, 4], [3, 4], limit=3)
    assert env.action_masks().all()
    assert outcomes(env, [STAY, SILENT, 9]) == [(0.0, False, False)]


@pytest.mark.parametrize("task", list(TASKS))
def test_strings_are_what_the_task_says(task: str) -> None:
    env = TapeVectorEnv(400, task, min_length=2, max_length=6)
    _, infos = env.reset(seed=0)
    state = env.get_state()
    for row, source, target in zip(state.rows, state.source, state.target, strict=True):
        size, goal, length = (int(row[n]) for n in ("source_size", "target_size", "length"))
        given, wanted = source[: size - 1].tolist(), target[: goal - 1].tolist()
        assert (source[size - 1], target[goal - 1]) == (END, END)
        assert (target[goal:] == BLANK).all()
        assert all(0 <= symbol < 10 for symbol in given)
        assert (len(given), wanted) == _expected(task, given, length)
    assert set(state.rows["length"].tolist()) == {2, 3, 4, 5, 6}
    np.testing.assert_array_equal(infos["complexity"], state.rows["length"])
    np.testing.assert_array_equal(infos["target"], state.target)
    if task != "Addition":  # which has four symbols only
        assert set(state.source[:, 1].tolist()) >= set(range(10))


def _expected(task: str, given: list[int], length: int) -> tuple[int, list[int]]:
    """The cells of the input for a length, and the target for an input."""
    if task == "Copy":
        return length, given
    if task == "DuplicatedInput":
        assert given[::3] == given[1::3] == given[2::3]
        return 3 * length, given[::3]
    if task in ("Reverse", "ForwardReverse"):
        return length, given[::-1]
    if task in ("RepeatCopy", "RepeatCopyForward"):
        assert given[0] in (2, 3)
        return length + 1, given[1:] * given[0]
    if task == "Sort":
        return length, sorted(given)
    assert task == "Addition"
    assert given[length] == 3
    first, second = ("".join(map(str, part)) for part in (given[:length], given[length + 1 :]))
    total, digits = int(first, 3) + int(second, 3), []
    for _ in range(length + 1):
        digits.append(total % 3)
        total //= 3
    return 2 * length + 1, digits[::-1]


@pytest.mark.parametrize(
    ("suffix", "symbols", "longest"), [("-Easy", 5, 5), ("", 10, 10), ("-Hard", 30, 30)]
)
def test_tiers(suffix: str, symbols: int, longest: int) -> None:
    env: Any = gym.make_vec(f"Tape-Reverse{suffix}-v0", num_envs=600).unwrapped
    env.reset(seed=0)
    assert env.single_action_space == gym.spaces.MultiDiscrete([3, 2, symbols + 1])
    assert env.single_observation_space == gym.spaces.MultiDiscrete([symbols + 2])
    assert set(env.get_state().rows["length"].tolist()) == set(range(1, longest + 1))


def test_actions_have_names() -> None:
    env = TapeEnv("Sort", symbols=4)
    assert env.action_names == ("input_move", "memory_move", "memory_write", "emit", "symbol")
    assert env.rules.action_values == (
        ("left", "stay", "right"),
        ("left", "stay", "right"),
        ("0", "1", "2", "3", "end", "keep"),
        ("silent", "emit"),
        ("0", "1", "2", "3", "end"),
    )
    assert env.action_space == gym.spaces.MultiDiscrete([3, 3, 6, 2, 5])
    assert TapeEnv("Copy").action_names == ("input_move", "emit", "symbol")


def test_one_symbol_and_length_one_are_enough() -> None:
    env = TapeEnv("Reverse", symbols=1, min_length=1, max_length=1)
    env.reset(seed=0)
    assert env.step(np.array([STAY, EMIT, 0]))[1:4] == (1.0, False, False)
    assert env.step(np.array([STAY, EMIT, 1]))[1:4] == (1.0, True, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "Revers"}, "did you mean 'Reverse'"),
        ({"symbols": 0}, "symbols is 0; allowed: integers from 1 to 1000"),
        ({"task": "RepeatCopy", "symbols": 3}, "symbols is 3; allowed: integers from 4 to 1000"),
        ({"min_length": 0}, "min_length is 0; allowed: integers from 1 to 10"),
        ({"min_length": 11}, "min_length is 11; allowed: integers from 1 to 10"),
        ({"max_length": 0}, "max_length"),
        ({"task": "Sort", "memory_size": 0}, "memory_size"),
        (
            {"task": "Sort", "memory_size": 4, "memory_radius": 2},
            "is 4; allowed: integers from 5 to",
        ),
        ({"input_radius": -1}, "input_radius"),
        ({"memory_radius": -1}, "memory_radius"),
        ({"wrong_reward": 0.5}, "wrong_reward"),
        ({"wrong_reward": float("-inf")}, "wrong_reward is -inf; allowed: finite numbers up to 0"),
        ({"timeout_reward": float("nan")}, "timeout_reward"),
        ({"on_error": "stop"}, "on_error is 'stop'; allowed: terminate, continue"),
        ({"max_steps": 0}, "max_steps"),
        ({"render_mode": "png"}, "render_mode is 'png'; allowed: ansi"),
    ],
)
def test_impossible_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TapeEnv(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"symbols": 2.5},
        {"symbols": True},
        {"max_length": "10"},
        {"wrong_reward": "0"},
        {"forced_emission": 1},
        {"curriculum": 3},
        {"colour": "red"},
    ],
)
def test_arguments_of_another_type_are_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(arguments))):
        TapeEnv("Copy", **arguments)


def test_copying_the_definition_of_a_task_does_not_change_it() -> None:
    """A task is a value: an equal one plays the same."""
    known = TASKS["Reverse"]
    twin = TapeTask(known.name, known.sample, known.target, known.steps)
    first, second = TapeVectorEnv(50, "Reverse"), TapeVectorEnv(50, twin)
    np.testing.assert_array_equal(first.reset(seed=3)[0], second.reset(seed=3)[0])
    np.testing.assert_array_equal(first.get_state().target, second.get_state().target)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("length", 0),
        ("length", 11),
        ("level", 2),
        ("level", 31),
        ("source_size", 0),
        ("source_size", 13),
        ("target_size", 32),
        ("limit", 0),
        ("input_head", -2),
        ("input_head", 12),
        ("memory_head", -1),
        ("memory_head", 12),
        ("emitted", 31),
        ("correct", 1),
        ("steps", -1),
    ],
)
def test_a_corrupted_state_is_refused(field: str, value: int) -> None:
    env = TapeEnv("RepeatCopyForward", complexity="output")
    env.reset(seed=0)
    state, kept = env.get_state(), env.get_state()
    state.rows[field] = value
    message = rf"^state\.rows\.{field} is {value} in row 0; allowed: -?\d+ to \d+$"
    with pytest.raises(ValueError, match=message):
        env.set_state(state)
    assert env.get_state().rows.tolist() == kept.rows.tolist()


def test_a_state_without_a_generator_holds_no_episode() -> None:
    env = TapeEnv("RepeatCopyForward")
    env.reset(seed=0)
    state = env.get_state()
    state.rows["rng_key"] = 0
    with pytest.raises(ValueError, match=r"^state\.rows\.length is .*: 0 before the first reset$"):
        env.set_state(state)
