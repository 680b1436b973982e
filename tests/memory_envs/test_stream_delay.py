"""A question that is delayed, and distractors in the meantime."""

import dataclasses
import pickle
import zlib
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from memory_envs import ENVIRONMENTS, StreamTask, draw
from memory_envs.oracles import optimal_return, oracle
from memory_envs.stream import NO_ANSWER, TASKS, Parameter, StreamBatch, StreamEnv, StreamVectorEnv
from tests.memory_envs.conftest import fingerprint
from tests.memory_envs.test_stream import SHORT
from tests.memory_envs.test_stream_tasks import SOLVERS

DELAYED = [name for name, task in TASKS.items() if task.question is not None]
_FLAT = ("DoubleCopy", "DictionaryInference")

# Of two episodes of four rows, seeded from 7 on, before there was a delay: recorded results and
# trained models depend on them.
RECORDED = {
    "Stream-Copy-v0": 0xC20BF835,
    "Stream-RepeatCopy-v0": 0x58CC7374,
    "Stream-AssociativeRecall-v0": 0x69629FDF,
    "Stream-PrioritySort-v0": 0x08781B99,
    "Stream-DynamicNGrams-v0": 0x49C17920,
    "Stream-DoubleCopy-v0": 0x4FF956FE,
    "Stream-Logic-v0": 0xDEA65408,
    "Stream-Tagging-v0": 0x9D1C7FC4,
    "Stream-Sentences-v0": 0x1C89EC42,
    "Stream-bAbI-v0": 0x56A9C810,
    "Stream-bAbI-QA1-v0": 0xB0A26F08,
    "Stream-bAbI-QA20-v0": 0xBE2F44D6,
    "Stream-DictionaryInference-4x1-v0": 0xBDE5BB8C,
    "Stream-DictionaryInference-8x4-v0": 0x3234E07F,
    "Stream-DictionaryInference-12x8-v0": 0x2C282A5F,
    "Stream-DictionaryInference-16x12-v0": 0x47EBE9F3,
}


def _batch(task: Any, rows: int = 50, seed: int = 0, **arguments: Any) -> StreamBatch:
    env = StreamVectorEnv(rows, task, **arguments)
    env.reset(seed=seed)
    return env.batch()


@pytest.mark.parametrize("recorded", RECORDED)
def test_streams_without_a_delay_are_what_they_were(recorded: str) -> None:
    env_id = recorded
    env: Any = gym.make_vec(env_id, num_envs=4, delay=0, distractors=0).unwrapped
    env.reset(seed=7)
    env.reset()
    crc = 0
    for array in env.batch():
        crc = zlib.crc32(np.ascontiguousarray(array).tobytes(), crc)
    assert crc == RECORDED[env_id]
    assert env.single_observation_space == gym.make(env_id).observation_space


def test_every_id_but_twins_is_recorded() -> None:
    streams = [spec.id for spec in ENVIRONMENTS.values() if spec.family == "stream"]
    twins = {f"Stream-bAbI-QA{number}-v0" for number in range(2, 20)}
    assert list(RECORDED) == [env_id for env_id in streams if env_id not in twins]


def test_a_delayed_episode_by_hand() -> None:
    """DoubleCopy of two symbols of five: they, three blank steps, the end mark, the answers."""
    env = StreamEnv("DoubleCopy", min_length=2, max_length=2, symbols=5, delay=3)
    assert env.observation_space == spaces.Discrete(15)
    observation, info = env.reset(seed=0)
    first, second = info["target"][6:8].tolist()
    assert info["target"].tolist() == [NO_ANSWER] * 6 + [first, second] * 2
    assert info["complexity"] == 2
    seen, rewards, over = [observation], [], False
    for answer in (0, 0, 0, 0, 0, 0, first, second, first, (second + 1) % 5):
        assert not over
        observation, reward, over, truncated, info = env.step(answer)
        assert not truncated
        seen.append(observation)
        rewards.append(reward)
    assert over
    assert seen == [first, second, 7, 7, 7, 5, 6, 6, 6, 6, 6]
    assert rewards == [0] * 6 + [1, 1, 1, 0]
    assert (info["symbols_correct"], info["target_size"], info["success"]) == (3, 4, False)


def test_vectors_say_by_one_more_number_that_they_belong_to_the_delay() -> None:
    plain = StreamEnv("Copy", bits=3)
    env: Any = StreamEnv("Copy", min_length=2, max_length=2, bits=3, delay=4, distractors=2)
    assert env.observation_space.shape == (plain.observation_space.shape[0] + 1,)  # type: ignore[index]
    batch = _batch("Copy", min_length=2, max_length=2, bits=3, delay=4, distractors=2)
    assert batch.inputs.shape == (9, 50, 5)
    delayed = np.zeros(9)
    delayed[2:6] = 1
    np.testing.assert_array_equal(batch.inputs[..., 4], np.repeat(delayed[:, None], 50, axis=1))
    assert batch.inputs[6, :, 3].all(), "the flag stands behind the delay"
    assert not batch.inputs[2:6, :, 3].any()


def _strip(task: str, batch: StreamBatch, row: int, delay: int, symbols: int) -> Any:
    """The inputs and targets of a delayed row without the delay, and the delay."""
    size = int(batch.sizes[row])
    inputs, targets, mask = (array[:size, row] for array in batch[:3])
    if task in _FLAT:
        inside = inputs >= symbols
    else:
        inside, inputs = inputs[:, -1] == 1, inputs[:, :-1]
        symbols = 0
    places = np.flatnonzero(inside)
    assert places.tolist() == list(range(places[0], places[0] + delay))
    assert not mask[places].any()
    return inputs[~inside], targets[~inside], mask[~inside], inputs[inside]


def _symbols(task: str) -> int:
    space = StreamEnv(task, **SHORT[task]).observation_space
    return int(space.n) if isinstance(space, spaces.Discrete) else 0


@pytest.mark.parametrize("distractors", [0, 3, 7])
@pytest.mark.parametrize("task", DELAYED)
def test_all_else_is_as_without_a_delay(task: str, distractors: int) -> None:
    plain = StreamVectorEnv(30, task, **SHORT[task])
    env = StreamVectorEnv(30, task, delay=7, distractors=distractors, **SHORT[task])
    for number in range(3):
        for one in (plain, env):
            # Distractors are drawn after the stream, from the same generator.
            one.reset(seed=number if distractors or not number else None)
        without, batch = plain.batch(), env.batch()
        np.testing.assert_array_equal(batch.sizes, without.sizes + 7)
        np.testing.assert_array_equal(batch.lengths, without.lengths)
        for row, size in enumerate(without.sizes.tolist()):
            inputs, targets, mask, inside = _strip(task, batch, row, 7, _symbols(task))
            np.testing.assert_array_equal(inputs, without.inputs[:size, row])
            np.testing.assert_array_equal(targets, without.targets[:size, row])
            np.testing.assert_array_equal(mask, without.mask[:size, row])
            solved = SOLVERS[task](inputs, **_parameters(task))
            assert {t: targets[t].tolist() for t in np.flatnonzero(mask)} == solved
            if task == "DoubleCopy":
                assert (inside != _symbols(task)).sum() == distractors
            if task == "DictionaryInference":  # a symbol each, all of them of the task
                assert (inside > _symbols(task)).sum() == distractors
                assert inside.max() <= 2 * _symbols(task)


def _parameters(task: str) -> dict[str, int]:
    return {name: n for name, n in SHORT[task].items() if name not in ("min_length", "max_length")}


@pytest.mark.parametrize("task", DELAYED)
def test_the_delay_stands_before_the_mark_of_the_question(task: str) -> None:
    batch = _batch(task, delay=2, **SHORT[task])
    for row, size in enumerate(batch.sizes.tolist()):
        shown = batch.inputs[:size, row]
        inside = shown >= _symbols(task) if task in _FLAT else shown[:, -1] == 1
        after = shown[np.flatnonzero(inside)[-1] + 1]
        if task == "DoubleCopy":
            assert after == SHORT[task]["symbols"]
        elif task == "DictionaryInference":
            assert after == SHORT[task]["letters"] + 2
        else:
            flag = {"Copy": -2, "RepeatCopy": -3, "AssociativeRecall": -2, "PrioritySort": -2}[task]
            assert after[flag] == 1


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("task", ["Copy", "DoubleCopy"])
def test_a_row_of_a_vector_is_the_scalar_environment(task: str, mode: AutoresetMode) -> None:
    arguments = {**SHORT[task], "delay": 5, "distractors": 3}
    vector = StreamVectorEnv(3, task, autoreset_mode=mode, **arguments)
    scalars = [StreamEnv(task, **arguments) for _ in range(3)]
    seen = [env.reset(seed=4 + i)[0] for i, env in enumerate(scalars)]
    observations, _ = vector.reset(seed=4)
    np.testing.assert_array_equal(observations, seen)
    batch = vector.batch()
    for step in range(40):
        size = batch.sizes
        if mode is AutoresetMode.DISABLED and step >= size.min() - 1:
            break
        actions: Any = oracle(vector)
        observations, rewards, ends, *_ = vector.step(actions)
        for i, env in enumerate(scalars):
            if env.get_state().rows["running"][0]:
                seen[i], reward, over, *_ = env.step(actions[i])
                assert (reward, over) == (rewards[i], ends[i])
                if over and mode is AutoresetMode.SAME_STEP:
                    seen[i] = env.reset()[0]
            else:
                seen[i] = env.reset()[0]
        np.testing.assert_array_equal(observations, seen)


@pytest.mark.parametrize("task", DELAYED)
def test_the_oracle_gets_everything_and_gymnasium_finds_no_fault(task: str) -> None:
    env: Any = StreamEnv(task, delay=6, distractors=4, **SHORT[task])
    check_env(env, skip_render_check=True)
    for seed in range(5):
        env.reset(seed=seed)
        best, total, over, steps = optimal_return(env), 0.0, False, 0
        while not over:
            steps += 1
            if steps == 2:  # an episode goes on from its state
                other = pickle.loads(pickle.dumps(env))
                other.set_state(env.get_state())
                assert fingerprint(other.get_state()) == fingerprint(env.get_state())
            _, reward, over, _, info = env.step(oracle(env))
            total += reward
        assert total == best == info["target_size"]
        assert info["success"]


def test_no_answer_is_due_in_a_delay() -> None:
    env = StreamEnv("Copy", min_length=1, max_length=1, bits=2, delay=3)
    env.reset(seed=0)
    due = []
    for _ in range(6):
        due.append(bool(env.action_masks().all()))
        env.step(np.zeros(2, np.int64))
    assert due == [False] * 5 + [True]


def test_distractors_stand_anywhere_in_the_delay_and_look_like_data() -> None:
    strings = {"min_length": 2, "max_length": 4, "symbols": 3}
    batch = _batch("DoubleCopy", 20_000, delay=5, distractors=2, **strings)
    inside = np.stack(
        [batch.inputs[n : n + 5, row] for row, n in enumerate(batch.lengths.tolist())]
    )
    assert set(np.unique(inside)) == {5, 6, 7, 8}
    stand = inside > 5
    assert (stand.sum(axis=1) == 2).all()
    pairs = {tuple(np.flatnonzero(row).tolist()) for row in stand}
    assert len(pairs) == 10
    assert (abs(stand.mean(axis=0) - 0.4) < 0.02).all()
    shown = inside[stand].reshape(-1, 2) - 6
    for first in range(3):
        for second in range(3):
            assert abs(((shown == (first, second)).all(axis=1)).mean() - 1 / 9) < 0.01
    # They tell nothing of the string, nor of its length.
    told = batch.inputs[0]
    for length in (2, 3, 4):
        for symbol in range(3):
            some = shown[(batch.lengths == length) & (told == symbol)]
            assert (abs(np.bincount(some[:, 0], minlength=3) / len(some) - 1 / 3) < 0.05).all()


def test_distractors_are_whole_strings_of_the_task_one_after_the_other() -> None:
    items = {"min_length": 2, "max_length": 3, "bits": 2, "item_length": 1}
    batch = _batch("AssociativeRecall", delay=12, distractors=12, **items)
    for row, length in enumerate(batch.lengths.tolist()):
        inside = batch.inputs[2 * length : 2 * length + 12, row]
        assert inside[:, -1].all()
        assert inside[:, 2].tolist() == [1, 0] * 6, "the marks of the longest streams' items"
        shown = inside[1::2, :2].tolist()
        for k in (0, 3):
            assert len({tuple(item) for item in shown[k : k + 3]}) == 3


def test_numbers_that_are_not_bits_distract_too() -> None:
    vectors = {"min_length": 3, "max_length": 3, "bits": 2, "top": 1}
    batch = _batch("PrioritySort", 2000, delay=4, distractors=4, **vectors)
    priorities = batch.inputs[3:7, :, 2]
    assert priorities.min() < -0.99
    assert priorities.max() > 0.99
    assert len(np.unique(priorities)) > 7000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delay": -1}, "delay is -1; allowed: integers from 0 to 100000"),
        ({"delay": 1.5}, "delay is 1.5; allowed: integers"),
        ({"distractors": True, "delay": 3}, "distractors is True; allowed: integers"),
        ({"distractors": -1, "delay": 3}, "distractors is -1; allowed: integers from 0"),
        ({"distractors": 4, "delay": 3}, "distractors is 4; allowed: up to 3, the delay"),
        ({"distractors": 1}, "distractors is 1; allowed: up to 0, the delay"),
        ({"task": "DynamicNGrams", "delay": 1}, "delay is 1; allowed: 0, as task Dyn"),
        ({"task": "Logic", "delay": 2}, "delay is 2; allowed: 0, as task Logic has no question"),
        (
            {"bits": 64, "max_length": 100_000, "delay": 100_000},
            "delay is 100000; allowed: less, as streams of 300001 steps have",
        ),
        (
            {"task": "RepeatCopy", "max_length": 100_000, "repeats": 1000, "delay": 1},
            "max_length is 100000; allowed: less",
        ),
        ({"dealy": 3}, "argument 'dealy' of task Copy; allowed: .*did you mean 'delay'"),
    ],
)
def test_impossible_delays_are_named(arguments: dict[str, Any], message: str) -> None:
    for kind in (StreamEnv, StreamVectorEnv):
        with pytest.raises((TypeError, ValueError), match=message):
            kind(**arguments)


def test_a_longer_delay_is_another_state() -> None:
    env, longer = StreamEnv("Copy", delay=3), StreamEnv("Copy", delay=4)
    for one in (env, longer):
        one.reset(seed=0)
    with pytest.raises(ValueError, match="inputs"):
        env.set_state(longer.get_state())
    state = env.get_state()
    state.inputs[0, 0, -1] = 2.0
    with pytest.raises(ValueError, match=r"^state\.inputs is"):
        env.set_state(state)


def test_text_of_a_delay() -> None:
    env = StreamEnv("DoubleCopy", "ansi", min_length=2, max_length=2, symbols=3, delay=3)
    env.reset(seed=0)
    text = str(env.render())
    assert "~ ~ ~ |" in text
    env = StreamEnv("Copy", "ansi", min_length=1, max_length=1, bits=4, delay=9, distractors=9)
    env.reset(seed=1)
    words = str(env.render()).split("input")[1].split()[1:10]
    values = env.get_state().inputs[0, 1:10, :4] @ [1, 2, 4, 8]
    assert words == [f"~{int(n):x}" if n else "~" for n in values]


# Tasks of one's own.


def _sample_echo(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    for t in range(length):
        inputs[t] = 1 + draw(row, symbols - 1)
        targets[length + 1 + t] = inputs[t]
    return 2 * length + 1


ECHO = StreamTask(
    "Echo",
    _sample_echo,
    lambda length, symbols: 2 * length + 1,
    lambda symbols: spaces.Discrete(symbols),
    lambda symbols: spaces.Discrete(symbols),
    (Parameter("symbols", 5, 2),),
    max_length=4,
    question=lambda length, symbols: length,
)


def _sample_parts(row: Any, length: int, inputs: Any, targets: Any, *parameters: int) -> int:
    for t in range(length):
        inputs[t, 0] = 1 + draw(row, 2)
        inputs[t, 1] = draw(row, 4)
        targets[length + 1 + t] = inputs[t, 0]
    return 2 * length + 1


def _parts(space: Callable[[], spaces.Space[Any]]) -> StreamTask:
    return StreamTask(
        "Parts",
        _sample_parts,
        lambda length: 2 * length + 1,
        space,
        lambda: spaces.Discrete(3),
        max_length=4,
        question=lambda length: length,
    )


@pytest.mark.parametrize(
    ("task", "space"),
    [
        (ECHO, spaces.Discrete(11)),
        (_parts(lambda: spaces.MultiDiscrete([3, 4])), spaces.MultiDiscrete([3, 4, 2])),
        (
            _parts(lambda: spaces.Box(-3, 5, (2,), np.int8)),
            spaces.Box(np.array([-3, -3, 0]), np.array([5, 5, 1]), dtype=np.int8),
        ),
    ],
    ids=["symbols", "parts", "numbers"],
)
def test_a_task_of_ones_own_can_be_delayed(task: StreamTask, space: spaces.Space[Any]) -> None:
    env: Any = StreamVectorEnv(200, task, delay=6, distractors=4)
    assert env.single_observation_space == space
    env.reset(seed=0)
    batch = env.batch()
    assert batch.inputs.dtype == space.dtype
    assert all(space.contains(item) for row in batch.inputs for item in row)
    scalar: Any = StreamEnv(task, delay=6, distractors=4)
    check_env(scalar, skip_render_check=True)
    for row, length in enumerate(batch.lengths.tolist()):
        inside = batch.inputs[length : length + 6, row]
        if task is ECHO:
            assert (inside > 5).sum() == 4
        else:
            assert inside[:, 2].all()
            assert (inside[:, 0] > 0).sum() == 4
        assert batch.mask[:, row].sum() == length
        assert not batch.mask[: length + 7, row].any()


def _sample_of_some_size(row: Any, length: int, inputs: Any, targets: Any) -> int:
    size = 1 + draw(row, 4)
    for t in range(size):
        inputs[t] = 1
    targets[size - 1] = 1
    return int(size)


def test_a_stream_that_ends_before_its_question_is_delayed_at_its_end() -> None:
    two = lambda: spaces.Discrete(2)  # noqa: E731
    task = StreamTask(
        "Sizes", _sample_of_some_size, lambda length: 4, two, two, question=lambda length: 3
    )
    batch = _batch(task, delay=2)
    assert set(batch.sizes.tolist()) == {3, 4, 5, 6}
    for row, size in enumerate((batch.sizes - 2).tolist()):
        begin = min(3, size)
        shown = [1] * begin + [2, 2] + [1] * (size - begin)
        assert batch.inputs[: size + 2, row].tolist() == shown
        assert np.flatnonzero(batch.mask[:, row]).tolist() == [size - 1 if size < 4 else size + 1]


def _sample_sparse(row: Any, length: int, inputs: Any, targets: Any) -> int:
    for t in range(length):
        if draw(row, 2):
            inputs[t] = 1
    end = length + draw(row, 2)
    targets[end] = 1
    return int(end + 1)


def test_each_stream_of_distractors_is_drawn_into_blank_arrays() -> None:
    two = lambda: spaces.Discrete(2)  # noqa: E731
    task = StreamTask(
        "Sparse",
        _sample_sparse,
        lambda length: length + 2,
        two,
        two,
        min_length=2,
        max_length=2,
        question=lambda length: length,
    )
    batch = _batch(task, 4000, delay=8, distractors=8)
    shown = batch.inputs[2:10] - 3
    assert set(np.unique(shown)) == {0, 1}
    assert (abs(shown.mean(axis=1) - 0.5) < 0.05).all()


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (lambda length, symbols: 0, "task 'Echo': question's return value is 0; allowed: integers"),
        (lambda length, symbols: 10, "question's return value is 10; .* integers from 1 to 9"),
        (lambda length, symbols: "end", "question's return value is 'end'"),
        (lambda length: 1, "task 'Echo': question failed with TypeError"),
        (3, "task.question is 3; allowed: None, functions"),
    ],
)
def test_a_wrong_question_is_named(question: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        StreamEnv(dataclasses.replace(ECHO, question=question), delay=2)


def _sample_beyond(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    inputs[0] = symbols if draw(row, 1000) == 7 else 0  # which is a blank step of a delay
    targets[1] = 1
    return 2


def test_a_task_cannot_show_a_step_of_the_delay_itself() -> None:
    task = dataclasses.replace(ECHO, sample=_sample_beyond, max_length=1)
    env = StreamVectorEnv(20_000, task, delay=2)
    with pytest.raises(ValueError, match="impossible input"):
        env.reset(seed=0)


def test_a_data_set_can_be_delayed() -> None:
    starts = np.array([0, 2, 5])
    symbols = np.array([1, 2, 2, 1, 3])

    def sample(row: Any, length: int, inputs: Any, targets: Any, starts: Any, shown: Any) -> int:
        first = draw(row, len(starts) - 1)
        size = starts[first + 1] - starts[first]
        for t in range(size):
            inputs[t] = shown[starts[first] + t]
        targets[size - 1] = inputs[0]
        return int(size)

    task = StreamTask(
        "Two",
        sample,
        lambda length: 3,
        lambda: spaces.Discrete(4),
        lambda: spaces.Discrete(4),
        max_length=1,
        highest_length=1,
        data=(starts, symbols),
        is_data_set=True,
        question=lambda length: 1,
    )
    env = StreamVectorEnv(2, task, delay=1)
    (batch,) = env.every()
    assert batch.inputs[:, 0].tolist() == [1, 4, 2, 0]
    assert batch.inputs[:, 1].tolist() == [2, 4, 1, 3]
    assert batch.sizes.tolist() == [3, 4]
