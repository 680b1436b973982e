"""The curriculum: Table 3 of Zaremba & Sutskever (2015) exactly, and when it moves on."""

import json
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from memory_envs import Curriculum
from memory_envs.tape import TASKS, TapeEnv, TapeVectorEnv


def _nothing(source: Any, size: int, symbols: int, out: Any) -> int:
    return 0


def _exact(low: int, high: int, level: int, p_any: float = 0.1, p_below: float = 0.25) -> Any:
    """The probability of each level ``low .. high``, from the definition."""
    probabilities = np.zeros(high + 1)
    probabilities[low:] += p_any / (high - low + 1)
    for e in range(1, 60):
        hardest = min(max(level + e, low), high)
        probabilities[low : hardest + 1] += 0.5**e * p_below / (hardest - low + 1)
        probabilities[hardest] += 0.5**e * (1.0 - p_any - p_below)
    return probabilities[low:]


@pytest.mark.parametrize(
    ("low", "high", "level"),
    [(1, 10, 1), (1, 10, 4), (1, 10, 9), (1, 10, 10), (1, 10, 0), (3, 7, 1)],
)
def test_levels_follow_table_3(low: int, high: int, level: int) -> None:
    draws = 100_000
    curriculum = Curriculum(max_level=high, level=level)
    env = TapeVectorEnv(draws, "Copy", min_length=low, max_length=high, curriculum=curriculum)
    _, infos = env.reset(seed=0)
    counts = np.bincount(infos["complexity"], minlength=high + 1)[low:]
    expected = _exact(low, high, level) * draws
    assert expected.sum() == pytest.approx(draws)
    assert counts.sum() == draws
    # Chi-square: with at most nine degrees of freedom, 28 is passed by chance once in a thousand.
    assert ((counts - expected) ** 2 / expected).sum() < 28.0


def test_the_shares_are_arguments() -> None:
    curriculum = Curriculum(max_level=6, level=2, p_any=0.5, p_below=0.5)
    env = TapeVectorEnv(50_000, "Copy", min_length=1, max_length=6, curriculum=curriculum)
    _, infos = env.reset(seed=1)
    counts = np.bincount(infos["complexity"], minlength=7)[1:]
    expected = _exact(1, 6, 2, 0.5, 0.5) * 50_000
    assert ((counts - expected) ** 2 / expected).sum() < 22.0


def test_without_a_curriculum_lengths_are_uniform() -> None:
    _, infos = TapeVectorEnv(50_000, "Copy", min_length=2, max_length=6).reset(seed=0)
    counts = np.bincount(infos["complexity"], minlength=7)[2:]
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 20.0


def test_level_0_makes_the_easiest_the_most_frequent() -> None:
    shares = _exact(1, 10, 0)
    assert shares.argmax() == 0
    assert Curriculum(max_level=10, level=0).level == 0


def test_moves_on_when_the_running_error_falls_below_the_threshold() -> None:
    curriculum = Curriculum(max_level=5, refractory=0)
    by_hand = 1.0
    for _ in range(7):
        curriculum.record([0.0, 0.0])
        assert not curriculum.update()
        by_hand *= 0.8
        assert curriculum.running_error == pytest.approx(by_hand)
    assert by_hand == pytest.approx(0.2097152)
    curriculum.record([0.0])
    assert curriculum.update()  # 0.8 ** 8 = 0.168 < 0.2
    assert curriculum.level == 2
    assert curriculum.running_error == 1.0
    assert curriculum.updates_since_advance == 0


def test_the_error_of_an_update_is_the_mean_over_its_episodes() -> None:
    curriculum = Curriculum(max_level=5, decay=0.5)
    curriculum.record([0.0, 1.0, 0.5])
    curriculum.record([0.1])
    curriculum.update()
    assert curriculum.running_error == pytest.approx(0.5 + 0.5 * 0.4)
    curriculum.update()  # no episode ended: nothing was learned about the error
    assert curriculum.running_error == pytest.approx(0.7)


def test_the_threshold_itself_is_not_enough() -> None:
    for threshold, moves in ((0.5, False), (0.5001, True)):
        curriculum = Curriculum(max_level=5, decay=0.5, refractory=0, threshold=threshold)
        curriculum.record([0.0])
        assert curriculum.update() == moves


def test_keeps_to_the_refractory_period() -> None:
    curriculum = Curriculum(max_level=5, decay=0.0, refractory=3)
    moved = []
    for _ in range(9):
        curriculum.record([0.0])
        moved.append(curriculum.update())
    assert moved == [False, False, True] * 3
    assert curriculum.level == 4


def test_the_defaults_are_those_of_section_7() -> None:
    curriculum = Curriculum(max_level=5)
    assert (curriculum.level, curriculum.threshold, curriculum.refractory) == (1, 0.2, 100)
    assert curriculum.levels.tolist() == [1.0, 0.1, 0.25]  # Table 3
    assert curriculum.decay == 0.8  # of the published code


def test_stops_at_the_hardest_level() -> None:
    curriculum = Curriculum(max_level=2, decay=0.0, refractory=0)
    assert not curriculum.finished
    for moves in (True, False, False):
        curriculum.record([0.0])
        assert curriculum.update() == moves
    assert curriculum.finished
    assert curriculum.level == 2


def test_one_object_serves_scalar_and_vector_environments_at_once() -> None:
    curriculum = Curriculum(max_level=10, p_any=0.0, p_below=0.0, decay=0.0, refractory=0)
    scalar = gym.make("Tape-Reverse-v0", curriculum=curriculum)
    vector = gym.make_vec("Tape-Reverse-v0", num_envs=64, curriculum=curriculum)
    for level in (1, 2, 3):
        assert curriculum.level == level
        _, info = scalar.reset(seed=0)
        _, infos = vector.reset(seed=0)
        assert info["complexity"] == infos["complexity"][0]
        assert infos["complexity"].min() == level + 1  # C + e, and e is at least 1
        curriculum.record([0.0])
        curriculum.update()


def test_rows_that_begin_again_by_themselves_follow_the_level_too() -> None:
    curriculum = Curriculum(max_level=9, p_any=0.0, p_below=0.0)
    env = TapeVectorEnv(200, "Copy", max_length=9, curriculum=curriculum, autoreset_mode="SameStep")
    _, infos = env.reset(seed=0)
    assert infos["complexity"].min() == 2
    curriculum.level = 8
    wrong = np.column_stack([np.full((200, 2), 1), np.full(200, 10)])  # ends all but empty strings
    *_, terminated, _, infos = env.step(wrong)
    assert terminated.all()
    assert infos["complexity"].min() == 9


def test_the_same_seed_gives_the_same_level_whatever_came_before() -> None:
    curriculum = Curriculum(max_level=10, level=5)
    env = TapeEnv("Copy", curriculum=curriculum)
    lengths = [int(env.reset(seed=seed % 7)[1]["complexity"]) for seed in range(21)]
    assert lengths[:7] == lengths[7:14] == lengths[14:]


def test_the_state_comes_back_and_is_json() -> None:
    curriculum = Curriculum(max_level=5, refractory=2, decay=0.5)
    for _ in range(5):
        curriculum.record([0.1])
        curriculum.update()
    saved = json.loads(json.dumps(curriculum.state_dict()))
    other = Curriculum(max_level=5, refractory=2, decay=0.5)
    other.record([1.0])  # of episodes that the state knows nothing of
    other.load_state_dict(saved)
    assert other.state_dict() == curriculum.state_dict()
    for each in (curriculum, other):
        each.record([0.3])
        each.update()
    assert other.state_dict() == curriculum.state_dict()


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"level": 9},
        {"level": 1.5},
        {"running_error": float("nan")},
        {"running_error": 2.0},
        {"updates_since_advance": -1},
        {"updates_since_advance": None},
    ],
)
def test_a_broken_state_changes_nothing(broken: dict[str, Any]) -> None:
    curriculum = Curriculum(max_level=5, level=3)
    before = curriculum.state_dict()
    state = {**Curriculum(max_level=5, level=2).state_dict(), **broken} if broken else {}
    with pytest.raises((KeyError, TypeError, ValueError)):
        curriculum.load_state_dict(state)
    assert curriculum.state_dict() == before


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan"), "often", None])
def test_an_impossible_error_is_refused_and_nothing_noted(bad: Any) -> None:
    curriculum = Curriculum(max_level=5, decay=0.0)
    with pytest.raises((TypeError, ValueError)):
        curriculum.record([0.0, bad])
    curriculum.update()
    assert curriculum.running_error == 1.0


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_level": 0},
        {"max_level": 2.0},
        {"max_level": 5, "level": 6},
        {"max_level": 5, "level": -1},
        {"max_level": 5, "threshold": 1.5},
        {"max_level": 5, "threshold": "low"},
        {"max_level": 5, "refractory": -1},
        {"max_level": 5, "decay": 1.1},
        {"max_level": 5, "p_any": -0.1},
        {"max_level": 5, "p_any": 0.8, "p_below": 0.3},
    ],
)
def test_impossible_arguments_are_named(arguments: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=list(arguments)[-1]):
        Curriculum(**arguments)


def test_an_environment_refuses_levels_that_it_does_not_have() -> None:
    with pytest.raises(ValueError, match=r"max_level is 11; allowed: integers from 1 to 10"):
        TapeEnv("Copy", max_length=10, curriculum=Curriculum(max_level=11))


@pytest.mark.parametrize("p_any", [0.1, 1.0])
def test_no_level_above_the_hardest_is_drawn(p_any: float) -> None:
    curriculum = Curriculum(max_level=3, level=3, p_any=p_any, p_below=0.0)
    env = TapeVectorEnv(10_000, "Copy", max_length=10, curriculum=curriculum)
    _, infos = env.reset(seed=0)
    assert set(infos["complexity"].tolist()) == {1, 2, 3}


@pytest.mark.parametrize(
    ("task", "longest", "sizes"),
    [
        ("RepeatCopy", 27, {level: -(-level // 3) for level in range(3, 28)}),
        ("Copy", 9, {level: level for level in range(1, 10)}),
        ("DuplicatedInput", 9, {level: level for level in range(1, 10)}),
        ("Addition", 10, {level: level - 1 for level in range(2, 11)}),
    ],
)
def test_levels_can_count_the_symbols_of_the_desired_output(
    task: str, longest: int, sizes: dict[int, int]
) -> None:
    env = TapeVectorEnv(5_000, task, max_length=9, complexity="output")
    _, infos = env.reset(seed=0)
    lengths = env.get_state().rows["length"]
    assert set(zip(infos["complexity"].tolist(), lengths.tolist(), strict=True)) == set(
        sizes.items()
    )
    desired = infos["target_size"] - 1
    assert desired.max() == longest
    if task != "RepeatCopy":  # where two copies or three are asked for
        np.testing.assert_array_equal(desired, infos["complexity"])


def test_a_curriculum_leads_through_levels_of_the_desired_output() -> None:
    curriculum = Curriculum(max_level=27, level=4, p_any=0.0, p_below=0.0)
    kwargs: dict[str, Any] = {"max_length": 9, "complexity": "output", "curriculum": curriculum}
    env = gym.make_vec("Tape-RepeatCopy-v0", num_envs=4_000, **kwargs)
    _, infos = env.reset(seed=0)
    expected = _exact(3, 27, 4, 0.0, 0.0) * 4_000
    counts = np.bincount(infos["complexity"], minlength=28)[3:]
    likely = expected > 5.0
    assert ((counts - expected)[likely] ** 2 / expected[likely]).sum() < 28.0
    scalar = gym.make("Tape-RepeatCopy-v0", **kwargs)
    for row in range(20):
        assert scalar.reset(seed=row)[1]["complexity"] == infos["complexity"][row]
    with pytest.raises(ValueError, match=r"curriculum.max_level is 28; allowed: .* from 3 to 27"):
        TapeEnv("RepeatCopy", max_length=9, complexity="output", curriculum=Curriculum(28))
    with pytest.raises(ValueError, match=r"complexity is 'both'; allowed: input, output"):
        TapeEnv("Copy", complexity="both")
    shrinking = replace(
        TASKS["Copy"], name="Shrinking", target=_nothing, target_cells=lambda length: 20 - length
    )
    TapeEnv(shrinking)
    with pytest.raises(ValueError, match=r"complexity is 'output'; allowed .* 'Shrinking', whose"):
        TapeEnv(shrinking, complexity="output")
