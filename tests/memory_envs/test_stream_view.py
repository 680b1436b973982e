"""Texts and pictures of streams: words for what is shown and for what is answered."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from memory_envs.oracles import oracle
from memory_envs.stream import NO_ANSWER, TASKS, StreamEnv, StreamTask, StreamVectorEnv
from memory_envs.stream.settings import StreamSettings
from memory_envs.stream.words import answer_names


def _double(mode: str) -> StreamEnv:
    """DoubleCopy of 3 1, which is due twice."""
    env = StreamEnv("DoubleCopy", mode, min_length=2, max_length=2, symbols=5)
    env.reset(seed=0)
    state = env.get_state()
    state.inputs[0, :2, 0], state.targets[0, 3:, 0] = [3, 1], [3, 1, 3, 1]
    env.set_state(state)
    return env


def test_text_of_a_stream_of_symbols() -> None:
    env = _double("ansi")
    for answer in (0, 0, 0, 3, 4):
        env.step(answer)
    assert env.render() == "\n".join(
        [
            "DoubleCopy   step 5 / 7",
            "input     3 1 | _ _ _ _",
            "                    ▲",
            "output    3 4",
            "            ✗ ▲",
            "target    3 1 3 1",
            "              ▲",
            "action   answer 4",
            "status   running",
        ]
    )
    output = env.view().output
    assert output is not None
    assert (output.sizes.tolist(), output.target_sizes.tolist()) == ([2], [4])
    env.step(3)
    env.step(1)
    assert env.render().splitlines()[-1] == "status   ended with mistakes"


def test_text_of_a_stream_of_bits() -> None:
    env: Any = StreamEnv("Copy", "ansi", min_length=2, max_length=2, bits=5)
    env.reset(seed=0)
    state = env.get_state()
    state.inputs[0, :2, :5] = [[1, 0, 0, 0, 1], [0, 1, 1, 1, 1]]  # 17 and 30, the lowest bit first
    state.targets[0, 3:] = state.inputs[0, :2, :5]
    env.set_state(state)
    for _ in range(4):
        env.step(oracle(env))
    assert env.render() == "\n".join(
        [
            "Copy   step 4 / 5",
            "input      11 1e  | 00 00",
            "                        ▲",
            "output     11",
            "               ▲",
            "target     11 1e",
            "               ▲",
            "action   answer 10001",
            "status   running",
        ]
    )
    env.step(oracle(env))
    assert env.render().splitlines()[-1] == "status   success"


def test_words_of_the_tasks() -> None:
    env = StreamEnv("RepeatCopy", "ansi", min_length=1, max_length=1, bits=1, repeats=4)
    seen = set()
    for seed in range(40):
        env.reset(seed=seed)
        shown = env.render().splitlines()[1].split()
        times = int(shown[2].removeprefix("x"))
        seen.add(times)
        assert len(shown) == 1 + 1 + 1 + times + 1
    assert seen == {1, 2, 3, 4}
    letters = StreamEnv("DictionaryInference", "ansi")
    letters.reset(seed=0)
    shown = letters.render().splitlines()[1].split()[1:]
    assert shown[1::4] == ["|"] * 5
    assert shown[3::4] == [";", ";", ";", "?"]
    assert shown[-1] == "_"
    meaning = dict(zip(shown[0:16:4], shown[2:16:4], strict=True))
    assert letters.render().splitlines()[5].split() == ["target", meaning[shown[-3]]]
    letters.step(25)
    assert "action   answer z" in letters.render()


@pytest.mark.parametrize("task", list(TASKS))
def test_lines_of_a_text_fit_a_page(task: str) -> None:
    env = StreamEnv(task, "ansi")
    for seed in range(3):
        env.reset(seed=seed)
        step, running = 0, True
        while running:
            if step % 7 == 0:
                assert max(map(len, env.render().splitlines())) <= 112
            step, running = step + 1, not env.step(oracle(env))[2]


@pytest.mark.parametrize("task", list(TASKS))
def test_an_image_has_one_size_for_all_states(task: str) -> None:
    env = StreamEnv(task, "rgb_array", max_length=8)
    shapes = set()
    for seed in range(3):
        env.reset(seed=seed)
        step, running = 0, True
        while running:
            if step % 7 == 0:
                shapes.add(env.render().shape)
            step, running = step + 1, not env.step(oracle(env))[2]
        shapes.add(env.render().shape)
    ((height, width, depth),) = shapes
    assert (depth, height) == (3, 298)
    assert 500 <= width <= 1400


def test_a_mistake_is_red_and_success_green() -> None:
    red, green = (200, 40, 45), (30, 132, 73)

    def colours(env: StreamEnv) -> list[bool]:
        image = env.render()
        return [bool((image == np.array(colour)).all(axis=2).any()) for colour in (red, green)]

    env = _double("rgb_array")
    for answer in (0, 0, 0, 3, 1, 3):
        env.step(answer)
    assert colours(env) == [False, False]
    env.step(1)
    assert colours(env) == [False, True]
    env = _double("rgb_array")
    for answer in (0, 0, 0, 4):
        env.step(answer)
    assert colours(env) == [True, False]


def test_words_keep_their_numbers_during_an_episode() -> None:
    """What is answered may be new; what a trace has numbered before must not change."""
    env: Any = StreamEnv("Copy", min_length=4, max_length=4)
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    known: tuple[str, ...] = ()
    running = True
    while running:
        names = env.view().names[0]
        assert names[: len(known)] == known
        known = names
        running = not env.step(rng.integers(env.action_space.nvec))[2]
    assert len(set(known)) == len(known)


def test_large_numbers_are_told_apart() -> None:
    def sample(row: Any, length: int, inputs: Any, targets: Any) -> int:
        inputs[0], inputs[1], targets[0] = 12_341, 12_342, 12_343
        return 2

    space = lambda: spaces.Discrete(20_000)  # noqa: E731
    task = StreamTask("Large", sample, lambda length: 2 * length, space, space)
    env = StreamEnv(task, "ansi", max_length=1)
    env.reset(seed=0)
    lines = env.render().splitlines()
    assert lines[1].split() == ["input", "12341", "12342"]
    assert lines[5].split() == ["target", "12343"]


def test_answers_have_words_only_if_these_tell_them_apart() -> None:
    task = TASKS["DictionaryInference"]
    for word in (lambda s, *_: "same", lambda s, *_: f"two words {s}", lambda s, *_: ""):
        settings = StreamSettings(dataclasses.replace(task, words=word), None, None, None, {})
        assert answer_names(settings) == (tuple(map(str, range(26))),)
    assert StreamEnv(task).rules.action_values == (tuple("abcdefghijklmnopqrstuvwxyz"),)
    assert StreamEnv("Copy", bits=2).rules.action_values == (("0", "1"), ("0", "1"))


def test_parts_that_are_no_bits_are_shown_as_numbers() -> None:
    def sample(row: Any, length: int, inputs: Any, targets: Any) -> int:
        targets[0, 0], targets[0, 1] = 11, 2
        return 1

    task = StreamTask(
        "Parts",
        sample,
        lambda length: length,
        lambda: spaces.Discrete(2),
        lambda: spaces.MultiDiscrete([12, 3]),
        max_length=1,
    )
    env = StreamEnv(task, "ansi")
    _, info = env.reset(seed=0)
    assert info["target"].tolist() == [[11, 2]] != [[NO_ANSWER] * 2]
    env.step(np.array([11, 0]))
    lines = env.render().splitlines()
    assert lines[3].split() == ["output", "11,0"]
    assert lines[5].split() == ["target", "11,2"]
    assert lines[-2] == "action   answer 11 0"


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_a_vector_environment_draws_every_row(mode: str) -> None:
    vector: Any = StreamVectorEnv(3, "PrioritySort", render_mode=mode)
    vector.reset(seed=0)
    vector.step(oracle(vector))
    for i, drawn in enumerate(vector.render()):
        scalar: Any = StreamEnv("PrioritySort", mode)
        scalar.reset(seed=i)
        scalar.step(oracle(scalar))
        np.testing.assert_array_equal(drawn, scalar.render())
