"""A stream task of one's own: ten lines, full speed, and clear errors where it has a bug."""

import dataclasses
import functools
import pickle
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numba import njit

from memory_envs import ENVIRONMENTS, StreamTask, draw, family_of, register_stream_task
from memory_envs.oracles import optimal_return, oracle
from memory_envs.stream import NO_ANSWER, TASKS, Parameter, StreamEnv, StreamVectorEnv


def _sample(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    for t in range(length):
        inputs[t] = draw(row, symbols)
        if t > 0:
            targets[t] = inputs[t - 1]
    return length


def _steps(length: int, *parameters: int) -> int:
    return length


def _symbols(symbols: int) -> spaces.Discrete:
    return spaces.Discrete(symbols)


# "What was shown one step before?"
PREVIOUS = StreamTask(
    "Previous", _sample, _steps, _symbols, _symbols, (Parameter("symbols", 5, 2),), min_length=2
)


@pytest.fixture
def registry() -> Iterator[dict[str, Any]]:
    before = dict(gym.registry)
    yield gym.registry
    gym.registry.clear()
    gym.registry.update(before)


def _play_out(env: Any, seed: int = 0) -> tuple[list[Any], float, Any]:
    observation, info = env.reset(seed=seed)
    seen, total, over = [observation], 0.0, False
    claimed = optimal_return(env)
    while not over:
        observation, reward, over, _, info = env.step(oracle(env))
        seen.append(observation)
        total += float(reward)
    assert info["success"]
    assert total == claimed == info["target_size"]
    return seen, total, info


def test_a_task_of_symbols() -> None:
    env = StreamEnv(PREVIOUS, symbols=7)
    assert (env.observation_space, env.action_space) == (spaces.Discrete(7), spaces.Discrete(7))
    seen, total, info = _play_out(env)
    assert total == len(seen) - 2
    assert info["target"][1 : len(seen) - 1].tolist() == seen[: len(seen) - 2]
    batch_env = StreamVectorEnv(50, PREVIOUS)
    batch_env.reset(seed=0)
    batch = batch_env.batch()
    np.testing.assert_array_equal(batch.targets[1:], np.where(batch.mask[1:], batch.inputs[:-1], 0))


def _sample_vectors(row: Any, length: int, inputs: Any, targets: Any) -> int:
    for t in range(length):
        inputs[t, 0] = (draw(row, 5) - 2) / 4  # a real number
        inputs[t, 1] = draw(row, 2)
        targets[t, 0] = inputs[t, 0] > 0
        targets[t, 1] = 2 - inputs[t, 1]
    return length


def test_a_task_of_real_numbers() -> None:
    task = StreamTask(
        "Reals",
        _sample_vectors,
        _steps,
        lambda: spaces.Box(-0.5, 1.0, (2,), np.float32),
        lambda: spaces.MultiDiscrete([2, 3]),
    )
    env = StreamEnv(task)
    seen, *_ = _play_out(env)
    assert all(env.observation_space.contains(item) for item in seen)
    vector = StreamVectorEnv(3, task)
    vector.reset(seed=0)
    batch = vector.batch()
    assert batch.inputs.dtype == np.float32
    expected = np.stack([batch.inputs[..., 0] > 0, 2 - batch.inputs[..., 1]], axis=-1)
    assert (batch.targets == expected)[batch.mask].all()


def test_a_box_whose_end_float32_does_not_have() -> None:
    def sample(row: Any, length: int, inputs: Any, targets: Any) -> int:
        inputs[0, 0] = 0.1
        targets[0] = 1
        return 1

    answers = lambda: spaces.Discrete(2)  # noqa: E731
    box = lambda: spaces.Box(0, 0.1, (1,), np.float64)  # noqa: E731
    env = StreamEnv(StreamTask("Tenth", sample, _steps, box, answers))
    observation, _ = env.reset(seed=0)
    assert observation.tolist() == [0.1]


def _sample_too_much(row: Any, length: int, inputs: Any, targets: Any) -> int:
    inputs[:] = 1
    targets[0] = 1
    return length


def test_what_is_written_behind_the_end_is_in_no_batch() -> None:
    two = lambda: spaces.Discrete(2)  # noqa: E731
    env = StreamVectorEnv(20, StreamTask("TooMuch", _sample_too_much, _steps, two, two))
    env.reset(seed=0)
    inputs, _, _, sizes, _ = env.batch()
    assert len(set(sizes.tolist())) > 1
    np.testing.assert_array_equal(inputs, np.arange(len(inputs))[:, None] < sizes)


def _sample_parts(row: Any, length: int, inputs: Any, targets: Any, kinds: int) -> int:
    for t in range(length):
        inputs[t, 0], inputs[t, 1] = draw(row, kinds), draw(row, 2)
    targets[length] = inputs[length - 1, 0]
    return length + 1


def test_a_task_of_symbols_in_parts() -> None:
    task = StreamTask(
        "Parts",
        _sample_parts,
        lambda length, kinds: length + 1,
        lambda kinds: spaces.MultiDiscrete([kinds, 2]),
        spaces.Discrete,
        (Parameter("kinds", 4),),
    )
    env = StreamEnv(task, "ansi", kinds=3)
    seen, total, _ = _play_out(env)
    assert total == 1
    assert all(env.observation_space.contains(item) for item in seen)
    assert "status   success" in env.render()


def test_small_whole_numbers_may_be_shown_negative_ones_too() -> None:
    def sample(row: Any, length: int, inputs: Any, targets: Any) -> int:
        inputs[0, 0], inputs[0, 1] = -1, 100
        targets[0, 0] = 1
        return 1

    task = StreamTask(
        "Bytes",
        sample,
        _steps,
        lambda: spaces.Box(-1, 100, (2,), np.int8),
        lambda: spaces.MultiDiscrete([2]),
        max_length=1,
    )
    env = StreamEnv(task, "ansi")
    observation, _ = env.reset(seed=0)
    assert (observation.tolist(), observation.dtype) == ([-1, 100], np.int8)
    assert env.render().splitlines()[1].split() == ["input", "-1,100"]


def test_answers_in_parts_have_the_words_that_they_are_given() -> None:
    def sample(row: Any, length: int, inputs: Any, targets: Any) -> int:
        inputs[0] = 1
        targets[0, 0], targets[0, 1] = 1, 0
        return 1

    task = StreamTask(
        "Pairs",
        sample,
        _steps,
        lambda: spaces.Discrete(2),
        lambda: spaces.MultiDiscrete([2, 2]),
        words=lambda symbol: "ab"[symbol],
        answer_words=lambda pair: "".join("xy"[number] for number in pair),
        max_length=1,
    )
    env: Any = StreamEnv(task, "ansi")
    env.reset(seed=0)
    env.step([0, 1])
    view = env.view()
    words = {word for word in view.names[0] if word}
    assert {"b", "yx", "xy"} < words


def test_a_task_can_be_registered(registry: dict[str, Any]) -> None:
    name = register_stream_task(PREVIOUS)
    assert name == "Stream-Previous-v0"
    assert family_of(name) == "stream"
    assert family_of("Stream-Copy-v0") == "stream"
    assert family_of("CartPole-v1") == family_of("Stream-Nothing-v0") == ""
    scalar, vector = gym.make(name, symbols=3), gym.make_vec(name, num_envs=2, symbols=3)
    assert isinstance(vector.unwrapped, StreamVectorEnv)
    assert scalar.action_space == spaces.Discrete(3)
    assert scalar.reset(seed=1)[0] == vector.reset(seed=1)[0][0]
    with pytest.raises(ValueError, match=r"task.name is 'Previous'; .*'Stream-Previous-v0' is reg"):
        register_stream_task(PREVIOUS)
    with pytest.raises(ValueError, match="is registered"):
        register_stream_task(dataclasses.replace(PREVIOUS, name="Copy"))
    wrong: Any = "Previous"
    with pytest.raises(TypeError, match=r"task is 'Previous'; allowed: memory_envs\.StreamTask"):
        register_stream_task(wrong)


def test_the_registry_is_clean_again() -> None:
    assert not [name for name in gym.registry if name.startswith("Stream-Previous")]
    assert set(ENVIRONMENTS) <= set(gym.registry)


def test_an_environment_of_ones_own_can_be_pickled() -> None:
    env = StreamEnv(PREVIOUS)
    env.reset(seed=3)
    env.step(0)
    twin = pickle.loads(pickle.dumps(env))
    assert twin.step(1)[:4] == env.step(1)[:4]


def test_functions_of_ones_own_may_call_compiled_helpers_and_use_constants() -> None:
    shift = 3

    @njit
    def helper(symbol, symbols):  # type: ignore[no-untyped-def]
        return (symbol + shift) % symbols

    def sample(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
        for t in range(length):
            inputs[t] = draw(row, symbols)
            targets[t] = helper(inputs[t], symbols)
        return length

    env = StreamVectorEnv(10, dataclasses.replace(PREVIOUS, sample=sample), symbols=10)
    env.reset(seed=0)
    batch = env.batch()
    assert (batch.targets == (batch.inputs + 3) % 10)[batch.mask].all()


def test_two_tasks_of_one_name_do_not_get_into_each_others_way() -> None:
    def task(constant: int) -> StreamTask:
        def sample(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
            targets[0] = constant
            return 1

        return dataclasses.replace(PREVIOUS, sample=sample)

    for constant in (1, 2):
        assert StreamEnv(task(constant)).reset(seed=0)[1]["target"][0] == constant


def test_our_sample_with_fewer_steps_is_an_error_and_no_crash() -> None:
    """Steps for nine copies, which the check before compiling happens to draw, not for ten."""
    steps = lambda length, bits, repeats: length + 2 + 9 * length  # noqa: E731
    task = dataclasses.replace(TASKS["RepeatCopy"], steps=steps)
    with pytest.raises((IndexError, ValueError)):
        StreamVectorEnv(500, task, min_length=3, max_length=3).reset(seed=0)


def _raises(*arguments: Any) -> Any:
    raise KeyError("broken")


def _returns_none(*arguments: Any) -> Any:
    return None


def _returns_half(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> Any:
    targets[0] = 1
    return length + 0.5


def _returns_nothing_at_all(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    targets[0] = 1
    return 0


def _returns_too_many(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    targets[0] = 1
    return length + 100


def _writes_past_the_end(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    inputs[10] = 1
    return length


def _wants_nothing(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    return length


def _wants_more_behind_the_end(
    row: Any, length: int, inputs: Any, targets: Any, symbols: int
) -> int:
    targets[0], targets[1] = 1, 1
    return 1


def _shows_too_much(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    inputs[0], targets[0] = symbols, 1
    return length


def _shows_too_little(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    inputs[0], targets[0] = -1, 1
    return length


def _wants_too_much(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    targets[0] = symbols
    return length


def _wants_too_little(row: Any, length: int, inputs: Any, targets: Any, symbols: int) -> int:
    targets[0] = -2
    return length


def _takes_too_few(row: Any, length: int, inputs: Any) -> int:
    return length


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (_raises, "sample failed with KeyError"),
        (_takes_too_few, "sample failed with TypeError"),
        (_returns_none, "sample's return value is None; allowed: integers"),
        (_returns_half, "sample's return value is 2.5; allowed: integers"),
        (_returns_nothing_at_all, "sample's return value is 0; allowed: integers from 1 to 10"),
        (_returns_too_many, "sample's return value is 102; allowed: integers from 1 to 10"),
        (_writes_past_the_end, "sample failed with IndexError"),
        (_wants_nothing, r"sample wrote targets at the steps \[\] of 2; allowed: one at least"),
        (_wants_more_behind_the_end, r"sample wrote targets at the steps \[0, 1\] of 1; allowed"),
        (_shows_too_much, r"sample wrote inputs .*; allowed: Discrete\(5\)"),
        (_shows_too_little, r"sample wrote inputs .*; allowed: Discrete\(5\)"),
        (_wants_too_much, r"sample wrote targets .*; allowed: Discrete\(5\)"),
        (_wants_too_little, r"sample wrote targets .*; allowed: Discrete\(5\)"),
    ],
)
def test_a_bug_in_sample_is_named(sample: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"task 'Buggy': {message}"):
        StreamEnv(dataclasses.replace(PREVIOUS, name="Buggy", sample=sample))


def test_a_part_of_a_target_is_named() -> None:
    def sample(row: Any, length: int, inputs: Any, targets: Any) -> int:
        targets[0, 0] = 1
        return length

    bits = lambda: spaces.MultiDiscrete([2, 2])  # noqa: E731
    with pytest.raises(ValueError, match=r"task 'Buggy': sample wrote targets array\(\[ ?1, -1\]"):
        StreamEnv(StreamTask("Buggy", sample, _steps, bits, bits))


@pytest.mark.parametrize(
    ("field", "function", "message"),
    [
        ("steps", _raises, "task 'Buggy': steps failed with KeyError"),
        ("steps", lambda length: length, "task 'Buggy': steps failed with TypeError"),
        ("steps", lambda *lengths: "many", "steps' return value is 'many'; allowed: integers"),
        ("steps", lambda *lengths: 0, "steps' return value is 0; allowed: integers from 1"),
        ("steps", lambda *lengths: -5, "steps' return value is -5; allowed: integers from 1"),
        ("steps", lambda *lengths: 2.5, "steps' return value is 2.5; allowed: integers"),
        ("steps", lambda *lengths: 10**9, "max_length is 10; allowed: less"),
        ("inputs", _raises, "task 'Buggy': inputs failed with KeyError"),
        ("answers", _raises, "task 'Buggy': answers failed with KeyError"),
        ("check", _raises, "task 'Buggy': check failed with KeyError"),
        ("words", lambda symbol, symbols: 3, "task 'Buggy': words' return value is 3"),
        ("words", _raises, "task 'Buggy': words failed with KeyError"),
        ("answer_words", lambda symbol, symbols: 3, "'Buggy': answer_words' return value is 3"),
        ("answer_words", _raises, "task 'Buggy': answer_words failed with KeyError"),
        ("answer_words", 3, "task.answer_words is 3; allowed: None, functions"),
    ],
)
def test_a_bug_in_another_function_is_named(field: str, function: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        StreamEnv(dataclasses.replace(PREVIOUS, name="Buggy", **{field: function}))


def test_what_a_check_says_is_what_is_said() -> None:
    def check(shortest: int, longest: int, symbols: int) -> None:
        if longest > symbols:
            raise ValueError(f"max_length is {longest}; allowed: up to {symbols}")

    task = dataclasses.replace(PREVIOUS, check=check)
    with pytest.raises(ValueError, match=r"^max_length is 10; allowed: up to 5$"):
        StreamEnv(task)
    StreamEnv(task, max_length=5)


@pytest.mark.parametrize(
    ("field", "space"),
    [
        ("inputs", None),
        ("inputs", spaces.Dict({})),
        ("inputs", spaces.MultiBinary(3)),
        ("inputs", spaces.Discrete(3, start=1)),
        ("inputs", spaces.MultiDiscrete([2, 2], start=[0, 1])),
        ("inputs", spaces.MultiDiscrete(np.array([[2, 2]]))),
        ("inputs", spaces.Box(0, 1, ())),
        ("inputs", spaces.Box(0, 1, (0,))),
        ("inputs", spaces.Box(0, 1, (2, 2))),
        ("inputs", spaces.Box(1, 2, (2,))),
        ("inputs", spaces.Box(0, 1, (2,), np.float16)),
        ("answers", None),
        ("answers", spaces.Box(0, 1, (2,))),
        ("answers", spaces.MultiBinary(3)),
        ("answers", spaces.Discrete(3, start=1)),
        ("answers", spaces.MultiDiscrete(np.array([[2, 2]]))),
    ],
)
def test_a_space_of_the_wrong_kind_is_named(field: str, space: Any) -> None:
    functions: dict[str, Any] = {field: lambda symbols: space}
    with pytest.raises((TypeError, ValueError), match=rf"task\.{field}'s return value is .*; all"):
        StreamEnv(dataclasses.replace(PREVIOUS, **functions))


@pytest.mark.parametrize("data", [(), (np.zeros(3),), (np.zeros(1, np.int64),)])
def test_a_data_set_says_where_its_sequences_begin(data: tuple[Any, ...]) -> None:
    task = dataclasses.replace(PREVIOUS, is_data_set=True, data=data)
    with pytest.raises(ValueError, match=r"task\.data is .*; allowed with is_data_set: first an"):
        StreamEnv(task)


class _Settings:
    shift = 1


_SETTINGS = _Settings()


def _uses_what_numba_cannot_compile(
    row: Any, length: int, inputs: Any, targets: Any, symbols: int
) -> int:
    targets[0] = _SETTINGS.shift
    return length


def test_a_task_that_cannot_be_compiled_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="task 'Buggy' cannot be compiled by Numba"):
        StreamEnv(
            dataclasses.replace(PREVIOUS, name="Buggy", sample=_uses_what_numba_cannot_compile)
        )


def _has_a_rare_bug(
    row: Any, length: int, inputs: Any, targets: Any, symbols: int, bug: int
) -> int:
    targets[0] = targets[1] = 1
    if draw(row, 1000) != 7:
        return length
    if bug == 0:
        inputs[100_000] = 1
    if bug == 1:
        return 100_000
    if bug == 2:
        targets[0] = symbols
    if bug == 3:
        inputs[0] = symbols
    if bug == 4:
        targets[0] = targets[1] = NO_ANSWER
    return 1  # with a target behind the end


BUGGY = dataclasses.replace(
    PREVIOUS,
    sample=_has_a_rare_bug,
    inputs=lambda symbols, bug: spaces.Discrete(symbols),
    answers=lambda symbols, bug: spaces.Discrete(symbols),
    parameters=(Parameter("symbols", 5, 2), Parameter("bug", 0, 0)),
)


@pytest.mark.parametrize("bug", range(6))
def test_a_rare_bug_is_an_error_too_and_no_crash(bug: int) -> None:
    """The check before compiling cannot see it; the compiled code must."""
    env = StreamVectorEnv(20_000, BUGGY, bug=bug)
    with pytest.raises((IndexError, ValueError)):
        env.reset(seed=0)
    with pytest.raises(ResetNeeded):
        env.step(np.zeros(20_000, np.int64))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 5),
        ("sample", None),
        ("sample", njit(_sample)),
        ("sample", functools.partial(_sample, symbols=1)),
        ("steps", 4),
        ("inputs", spaces.Discrete(2)),
        ("answers", spaces.Discrete(2)),
        ("check", None),
        ("words", "letters"),
        ("answer_words", "letters"),
        ("data", [np.zeros(2)]),
        ("data", ("letters",)),
        ("is_data_set", 1),
        ("parameters", None),
        ("parameters", [Parameter("symbols", 5)]),
        ("parameters", ("symbols",)),
        ("parameters", (Parameter("symbols", 0),)),
        ("parameters", (Parameter("symbols", 5), Parameter("symbols", 5))),
        ("parameters", (Parameter("max_length", 5),)),
        ("parameters", (Parameter("num_envs", 5),)),
        ("parameters", (Parameter("two words", 5),)),
        ("parameters", (Parameter(3, 5),)),  # type: ignore[arg-type]
        ("lowest_length", 0),
        ("min_length", 0),
        ("min_length", 11),
        ("min_length", "1"),
        ("max_length", 2.5),
        ("max_length", 10**6),
    ],
)
def test_a_task_of_wrong_types_is_refused(field: str, value: Any) -> None:
    task = dataclasses.replace(PREVIOUS, name="Buggy", **{field: value} if field != "name" else {})
    if field == "name":
        task = dataclasses.replace(PREVIOUS, name=value)
    message = "symbols" if value == (Parameter("symbols", 0),) else field
    if field == "min_length" and value == 11:
        message = "task.max_length is 10; allowed: integers from 11"
    with pytest.raises((TypeError, ValueError), match=message):
        StreamEnv(task)
