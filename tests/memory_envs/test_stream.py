"""The rules of the stream family: what is shown when, what is paid, and whole streams at once.

The tests of the tasks are in `test_stream_tasks`, those of a task of one's own in
`test_stream_own`.
"""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from memory_envs import ENVIRONMENTS, Curriculum
from memory_envs.oracles import optimal_return, oracle
from memory_envs.stream import NO_ANSWER, TASKS, StreamEnv, StreamVectorEnv
from memory_envs.stream.text.texts import TEXTS

# Streams of a few steps, of every task.
SHORT: dict[str, dict[str, Any]] = {
    "Copy": {"max_length": 3, "bits": 3},
    "RepeatCopy": {"max_length": 2, "bits": 2, "repeats": 3},
    "AssociativeRecall": {"max_length": 4, "bits": 3, "item_length": 2},
    "PrioritySort": {"min_length": 2, "max_length": 5, "bits": 3, "top": 3},
    "DynamicNGrams": {"min_length": 4, "max_length": 9, "context": 2},
    "DoubleCopy": {"min_length": 1, "max_length": 4, "symbols": 4},
    "DictionaryInference": {"max_length": 3, "letters": 8, "support": 2},
}


def _nothing(env: Any) -> Any:
    return np.zeros(env.action_space.shape, np.int64)


def test_there_is_a_short_form_of_every_task() -> None:
    assert list(SHORT) == list(TASKS)
    tasks = {spec.task for spec in ENVIRONMENTS.values() if spec.family == "stream"}
    assert tasks == {*TASKS, *TEXTS}


def test_an_episode_by_hand() -> None:
    """DoubleCopy of two symbols: they, the end mark, a blank for each of the four answers."""
    env = StreamEnv("DoubleCopy", min_length=2, max_length=2, symbols=5)
    observation, info = env.reset(seed=0)
    state = env.get_state()
    state.inputs[0, :2, 0] = [3, 1]
    state.targets[0, 3:, 0] = [3, 1, 3, 1]
    env.set_state(state)
    assert info["target"][:3].tolist() == [NO_ANSWER] * 3
    assert info["complexity"] == 2
    assert (info["target_size"], info["symbols_correct"], info["success"]) == (4, 0, False)
    seen, rewards, ends = [], [], []
    for answer in (4, 4, 4, 3, 0, 3, 1):
        observation, reward, terminated, truncated, info = env.step(answer)
        seen.append(observation)
        rewards.append(reward)
        ends.append((terminated, truncated))
    assert seen == [1, 5, 6, 6, 6, 6, 6]
    assert rewards == [0, 0, 0, 1, 0, 1, 1]
    assert ends == [(False, False)] * 6 + [(True, False)]
    assert info["target"].tolist() == [NO_ANSWER] * 3 + [3, 1, 3, 1]
    assert (info["symbols_correct"], info["success"]) == (3, False)
    with pytest.raises(ResetNeeded):
        env.step(0)


def test_an_answer_in_bits_pays_the_share_that_is_right() -> None:
    env = StreamEnv("Copy", min_length=3, max_length=3, bits=4)
    _, info = env.reset(seed=0)
    target = info["target"]
    assert target.shape == (7, 4)
    wrong = [[0, 0, 0, 0], [1, 0, 1, 1], [1, 1, 1, 1]]  # none, three and all four bits wrong
    total = 0.0
    for step in range(7):
        action = np.zeros(4, np.int64) if step < 4 else target[step] ^ np.array(wrong[step - 4])
        _, reward, _, _, info = env.step(action)
        assert reward == (0, 0, 0, 0, 1, 0.25, 0)[step]
        total += float(reward)
    assert info["symbols_correct"] == 1
    assert not info["success"]
    assert total == 1.25


@pytest.mark.parametrize("task", list(TASKS))
def test_what_is_done_changes_nothing_but_the_pay(task: str) -> None:
    plain: Any = StreamEnv(task, **SHORT[task])
    other: Any = StreamEnv(task, **SHORT[task])
    rng = np.random.default_rng(0)
    for seed in range(10):
        first, second = plain.reset(seed=seed)[0], other.reset(seed=seed)[0]
        over, claimed, paid = False, optimal_return(plain), 0.0
        while not over:
            np.testing.assert_array_equal(first, second)
            due = bool(plain.action_masks().all())
            first, best, over, *_ = plain.step(oracle(plain))
            random = rng.integers(
                plain.action_space.n if task in _FLAT else plain.action_space.nvec
            )
            second, reward, also, *_ = other.step(random)
            assert over == also
            assert float(best) == float(due) >= float(reward) >= 0
            paid += float(best)
        assert claimed == paid
        np.testing.assert_array_equal(first, second)


_FLAT = ("DynamicNGrams", "DoubleCopy", "DictionaryInference")


@pytest.mark.parametrize("task", list(TASKS))
def test_masks_leave_one_choice_where_nothing_is_due(task: str) -> None:
    env: Any = StreamEnv(task, **SHORT[task])
    for seed in range(5):
        _, info = env.reset(seed=seed)
        sizes = [int(env.action_space.n)] if task in _FLAT else env.action_space.nvec.tolist()
        target = info["target"].reshape(len(info["target"]), -1)
        first = np.cumsum([0, *sizes[:-1]])
        over, step = False, 0
        while not over:
            masks = env.action_masks()
            if target[step, 0] == NO_ANSWER:
                assert np.flatnonzero(masks).tolist() == first.tolist()
                np.testing.assert_array_equal(oracle(env), _nothing(env))
            else:
                assert masks.all()
            over, step = env.step(oracle(env))[2], step + 1
        assert np.flatnonzero(env.action_masks()).tolist() == first.tolist()


@pytest.mark.parametrize("task", list(TASKS))
def test_a_batch_is_what_scalar_environments_show_and_want(task: str) -> None:
    rows = 12
    vector = StreamVectorEnv(rows, task, autoreset_mode=AutoresetMode.DISABLED, **SHORT[task])
    scalars = [StreamEnv(task, **SHORT[task]) for _ in range(rows)]
    infos = [env.reset(seed=5 + i)[1] for i, env in enumerate(scalars)]
    vector.reset(seed=5)
    rng = np.random.default_rng(0)
    for _ in range(5):
        batch = vector.batch()
        steps = max(_check_row(batch, i, env, infos[i]) for i, env in enumerate(scalars))
        assert batch.mask.shape == (steps, rows)
        again = rng.random(rows) < 0.5
        again[rng.integers(rows)] = True
        vector.reset(options={"reset_mask": again})
        for i in np.flatnonzero(again).tolist():
            infos[i] = scalars[i].reset()[1]


def _check_row(batch: Any, row: int, env: Any, info: Any) -> int:
    """Plays a copy of a scalar environment to its end; returns its number of steps."""
    twin: Any = StreamEnv(env.rules.settings.task, **_arguments(env))
    twin.set_state(env.get_state())
    size = int(batch.sizes[row])
    shape, target = twin.action_space.shape, info["target"]
    assert batch.lengths[row] == info["complexity"]
    assert batch.mask[:, row].sum() == info["target_size"]
    observation = _present(env)
    for step in range(size):
        np.testing.assert_array_equal(batch.inputs[step, row], observation)
        assert batch.mask[step, row] == twin.action_masks().all() == np.all(target[step] >= 0)
        expected = target[step] if batch.mask[step, row] else np.zeros(shape, np.int64)
        np.testing.assert_array_equal(batch.targets[step, row], expected)
        observation, _, over, *_ = twin.step(_nothing(twin))
        assert over == (step == size - 1)
    np.testing.assert_array_equal(observation, batch.inputs[size - 1, row])
    assert not batch.inputs[size:, row].any()
    assert not batch.targets[size:, row].any()
    assert not batch.mask[size:, row].any()
    return size


def _arguments(env: Any) -> dict[str, Any]:
    settings = env.rules.settings
    names = [parameter.name for parameter in settings.task.parameters]
    ends = {"min_length": settings.min_length, "max_length": settings.max_length}
    return {**ends, **dict(zip(names, settings.parameters, strict=True))}


def _present(env: Any) -> Any:
    state = env.get_state()
    numbers = state.inputs[0, state.rows["steps"][0]]
    return numbers if env.observation_space.shape else numbers[0]


@pytest.mark.parametrize("task", list(TASKS))
def test_a_batch_is_in_the_spaces_and_needs_no_first_step(task: str) -> None:
    env: Any = StreamVectorEnv(4, task, **SHORT[task])
    with pytest.raises(ResetNeeded, match="reset"):
        env.batch()
    env.reset(seed=0)
    first = env.batch()
    inputs, answers = env.single_observation_space, env.single_action_space
    assert (first.inputs.dtype, first.targets.dtype) == (inputs.dtype, answers.dtype)
    assert first.inputs.shape[2:] == inputs.shape
    assert first.targets.shape[2:] == answers.shape
    assert all(inputs.contains(item) for item in first.inputs.reshape(-1, *inputs.shape or ()))
    assert all(answers.contains(item) for item in first.targets.reshape(-1, *answers.shape or ()))
    env.step(oracle(env))
    for before, after in zip(first, env.batch(), strict=True):
        np.testing.assert_array_equal(before, after)
    first.inputs[:] = 0  # a copy: nobody's stream changes
    first.targets[:] = 0
    assert env.batch().mask.any()
    assert env.batch().inputs.any()


def test_a_trial_is_the_batch_of_other_episodes_and_leaves_those_that_are_there() -> None:
    env: Any = StreamVectorEnv(3, "DictionaryInference", min_length=1, max_length=2)
    before = env.trial()
    env.reset(seed=5)
    there = env.batch()
    trial = env.trial()
    for mine, theirs in zip(there, env.batch(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    env.reset(seed=0)
    for first, second, expected in zip(before, trial, env.batch(), strict=True):
        np.testing.assert_array_equal(first, expected)
        np.testing.assert_array_equal(second, expected)


def test_a_batch_has_as_many_steps_as_its_longest_stream() -> None:
    env = StreamVectorEnv(1, "Copy", min_length=2, max_length=9)
    sizes = set()
    for seed in range(10):
        env.reset(seed=seed)
        batch = env.batch()
        assert batch.inputs.shape[:2] == batch.targets.shape[:2] == (batch.sizes[0], 1)
        assert batch.mask.shape == (batch.sizes[0], 1)
        sizes.add(int(batch.sizes[0]))
    assert len(sizes) > 3


def test_masks_are_those_of_each_row() -> None:
    env = StreamVectorEnv(8, "DoubleCopy", min_length=1, max_length=4, symbols=3)
    env.reset(seed=0)
    batch = env.batch()
    for step in range(3):
        due = batch.mask[step]
        assert due.any() == (step > 1)
        np.testing.assert_array_equal(env.action_masks()[:, 1:], np.stack([due, due], axis=1))
        env.step(np.zeros(8, np.int64))
    assert not due.all()


def test_an_episode_keeps_nothing_of_the_one_before() -> None:
    env: Any = StreamEnv("DoubleCopy", min_length=1, max_length=4, symbols=3)
    env.reset(seed=0)
    for _ in range(5):
        over = False
        while not over:
            over = env.step(oracle(env))[2]
        _, info = env.reset()
        assert info["symbols_correct"] == 0
        assert not info["success"]
        state = env.get_state()
        assert (state.answers == NO_ANSWER).all()
        assert (state.rows["steps"], state.rows["correct"]) == (0, 0)


def test_a_batch_of_rows_that_were_reset_in_part_is_refused() -> None:
    env = StreamVectorEnv(2, "Copy")
    env.reset(seed=0, options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded, match="batch"):
        env.batch()


def test_batches_go_on_from_reset_to_reset() -> None:
    env, again = StreamVectorEnv(3, "DoubleCopy"), StreamVectorEnv(3, "DoubleCopy")
    env.reset(seed=1)
    again.reset(seed=1)
    first = env.batch().inputs
    np.testing.assert_array_equal(first, again.batch().inputs)
    env.reset()
    assert (env.batch().inputs != first).any()
    again.reset()
    np.testing.assert_array_equal(env.batch().inputs, again.batch().inputs)


def test_lengths_come_from_the_curriculum() -> None:
    curriculum = Curriculum(max_level=20, level=4, p_any=0.0, p_below=0.0)
    env = StreamVectorEnv(20_000, "Copy", bits=1, curriculum=curriculum)
    env.reset(seed=0)
    counts = np.bincount(env.batch().lengths, minlength=21)
    assert counts[:5].sum() == 0
    assert abs(counts[5] - 10_000) < 400
    assert abs(counts[6] - 5_000) < 300
    short = Curriculum(max_level=3)
    env = StreamVectorEnv(100, "Copy", curriculum=short)
    env.reset(seed=0)
    assert set(env.batch().lengths.tolist()) == {1, 2, 3}


def test_a_length_that_is_not_given_follows_the_other() -> None:
    def ends(task: str, **arguments: Any) -> tuple[int, int]:
        env: Any = StreamEnv(task, **arguments)
        settings = env.rules.settings
        return settings.min_length, settings.max_length

    assert ends("Copy") == (1, 20)
    assert ends("Copy", min_length=30) == (30, 30)
    assert ends("PrioritySort", max_length=4) == (4, 4)
    assert ends("PrioritySort", min_length=3) == (3, 20)
    assert ends("DictionaryInference", max_length=5) == (1, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "Coppy"}, "task is 'Coppy'; allowed: .*did you mean 'Copy'"),
        ({"min_length": 0}, "min_length is 0; allowed: integers from 1 to"),
        ({"min_length": 4, "max_length": 3}, "min_length is 4; allowed: integers from 1 to 3"),
        ({"max_length": 0}, "max_length is 0; allowed: integers from 1 to"),
        ({"max_length": 100_001}, "max_length is 100001; allowed: integers from 1 to 100000"),
        (
            {"task": "RepeatCopy", "max_length": 100_000, "repeats": 1000},
            "max_length is 100000; allowed: less",
        ),
        ({"bits": 0}, "bits is 0; allowed: integers from 1 to 64"),
        ({"bits": 65}, "bits is 65; allowed: integers from 1 to 64"),
        ({"task": "RepeatCopy", "repeats": 0}, "repeats is 0; allowed: integers from 1 to 1000"),
        ({"task": "AssociativeRecall", "max_length": 1}, "max_length is 1; allowed: .* from 2"),
        ({"task": "AssociativeRecall", "item_length": 0}, "item_length is 0"),
        (
            {"task": "AssociativeRecall", "bits": 2, "item_length": 1},
            "max_length is 6; allowed with items of 1 vectors of 2 bits.*: up to 4",
        ),
        ({"task": "PrioritySort", "top": 0}, "top is 0"),
        ({"task": "DynamicNGrams", "context": 17}, "context is 17; allowed: integers from 1 to 16"),
        (
            {"task": "DynamicNGrams", "max_length": 5},
            "min_length is 5; allowed with context=5: from 6 on",
        ),
        ({"task": "DoubleCopy", "symbols": 0}, "symbols is 0; allowed: integers from 1 to 1000"),
        ({"task": "DictionaryInference", "letters": 1}, "letters is 1; allowed: integers from 2"),
        ({"task": "DictionaryInference", "support": 0}, "support is 0"),
        ({"curriculum": Curriculum(max_level=21)}, r"curriculum\.max_level is 21"),
        ({"render_mode": "png"}, "render_mode is 'png'; allowed: ansi"),
    ],
)
def test_impossible_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    for kind in (StreamEnv, StreamVectorEnv):
        if "render_mode" not in arguments or kind is StreamEnv:
            with pytest.raises(ValueError, match=message):
                kind(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": 3}, "task is 3"),
        ({"min_length": 1.5}, "min_length is 1.5; allowed: integers"),
        ({"max_length": "10"}, "max_length is '10'; allowed: integers"),
        ({"bits": True}, "bits is True; allowed: integers"),
        ({"bits": None}, "bits is None; allowed: integers"),
        ({"curriculum": 3}, "curriculum is 3; allowed: None, a memory_envs.Curriculum"),
        ({"bit": 8}, r"argument 'bit' of task Copy; allowed: .*did you mean 'bits'"),
        ({"symbols": 8}, "argument 'symbols' of task Copy; allowed: task, min_length, .*, bits"),
    ],
)
def test_arguments_of_another_type_are_named(arguments: dict[str, Any], message: str) -> None:
    for kind in (StreamEnv, StreamVectorEnv):
        with pytest.raises((TypeError, ValueError), match=message):
            kind(**arguments)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("length", 0, "1 to 20"),
        ("length", 21, "1 to 20"),
        ("size", 0, "1 to 41"),
        ("size", 42, "1 to 41"),
        ("due", 0, "1 to"),
        ("correct", 21, "0 to"),
        ("correct", -1, "0 to"),
        ("steps", -1, "0 to"),
        ("steps", 42, "0 to"),
    ],
)
def test_a_corrupted_row_is_refused(field: str, value: int, allowed: str) -> None:
    env = StreamEnv("Copy")
    env.reset(seed=0)
    state, kept = env.get_state(), env.get_state()
    state.rows[field] = value
    with pytest.raises(
        ValueError, match=rf"^state\.rows\.{field} is {value} in row 0; .*{allowed}"
    ):
        env.set_state(state)
    assert env.get_state().rows.tolist() == kept.rows.tolist()


def test_a_corrupted_stream_is_refused() -> None:
    env = StreamEnv("Copy", min_length=2, max_length=2, bits=2)
    env.reset(seed=0)
    for field, place, value in (
        ("inputs", (0, 0, 0), 2.0),
        ("inputs", (0, 0, 0), np.nan),
        ("targets", (0, 3, 0), 2),
        ("targets", (0, 3, 0), NO_ANSWER),  # one of two bits
        ("targets", (0, 3, 1), NO_ANSWER),
        ("targets", (0, 0), 1),  # one more than are due
        ("answers", (0, 0, 0), -2),
    ):
        state = env.get_state()
        getattr(state, field)[place] = value
        with pytest.raises(ValueError, match=rf"^state\.({field}|rows\.due) is"):
            env.set_state(state)
    state = env.get_state()
    state.rows["steps"] = state.rows["size"]
    with pytest.raises(ValueError, match="below size in an episode"):
        env.set_state(state)
    state = env.get_state()
    state.rows["rng_key"] = 0
    with pytest.raises(ValueError, match="before the first reset"):
        env.set_state(state)


def test_a_copy_of_a_task_is_the_task() -> None:
    import copy

    env = StreamEnv("RepeatCopy")
    env.reset(seed=0)
    twin = copy.deepcopy(env)
    for _ in range(5):
        np.testing.assert_array_equal(env.step(oracle(env))[0], twin.step(oracle(twin))[0])


@pytest.mark.parametrize(("support", "length"), [(4, 1), (8, 4), (12, 8), (16, 12)])
def test_the_papers_dictionaries_are_registered(support: int, length: int) -> None:
    env: Any = gym.make(f"Stream-DictionaryInference-{support}x{length}-v0").unwrapped
    env.reset(seed=0)
    size = env.get_state().rows["size"][0]
    assert size == support * (2 * length + 2) + 2 * length + 1
    assert env.observation_space.n == 30
    assert env.action_space.n == 26
