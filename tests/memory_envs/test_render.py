"""Pictures and text of the tape environments show what happened."""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest

from memory_envs.oracles import oracle
from memory_envs.tape import TapeEnv, TapeVectorEnv
from tests.memory_envs.conftest import some_action

Image = npt.NDArray[np.uint8]


def _episode(mode: str, **arguments: Any) -> TapeEnv:
    """Sort with input 3 1, which is target 1 3."""
    env = TapeEnv("Sort", mode, symbols=5, max_length=3, max_steps=20, **arguments)
    env.reset(seed=0)
    state = env.get_state()
    state.source[0], state.target[0] = [3, 1, 5, 6], [1, 3, 5, 6]
    state.rows["source_size"] = state.rows["target_size"] = 3
    env.set_state(state)
    return env


def test_text_of_the_beginning() -> None:
    assert _episode("ansi").render() == "\n".join(
        [
            "Sort   step 0 / 20",
            "input     3 1 ■",
            "          ▲",
            "memory    · · · ·",
            "          ▲",
            "output    · · ·",
            "          ▲",
            "target    1 3 ■",
            "          ▲",
            "action   none yet",
            "status   running",
        ]
    )


def test_text_of_the_middle() -> None:
    env = _episode("ansi", on_error="continue")
    env.step(np.array([2, 0, 4, 1, 2]))  # right, memory left, write 4, emit 2, which is wrong
    assert env.render() == "\n".join(
        [
            "Sort   step 1 / 20",
            "input     3 1 ■",
            "            ▲",
            "memory    4 · · ·",
            "                ▲",
            "output    2 · ·",
            "          ✗ ▲",
            "target    1 3 ■",
            "            ▲",
            "action   input right, memory left, memory write 4, emit, symbol 2",
            "status   running",
        ]
    )


def test_text_of_a_head_beyond_either_end() -> None:
    env = _episode("ansi")
    env.step(np.array([0, 1, 6, 0, 0]))
    assert env.render().splitlines()[1:3] == ["input     3 1 ■", "        ▲"]
    for _ in range(4):
        env.step(np.array([2, 1, 6, 0, 0]))
    assert env.render().splitlines()[1:3] == ["input     3 1 ■", "                ▲"]


@pytest.mark.parametrize(
    ("arguments", "symbols", "status"),
    [
        ({}, [1, 3, 5], "success"),
        ({}, [1, 2], "wrong symbol"),
        ({"on_error": "continue"}, [1, 2, 5], "ended with mistakes"),
        ({"on_error": "continue"}, [2], "running"),
    ],
)
def test_text_says_how_it_ended(arguments: dict[str, Any], symbols: list[int], status: str) -> None:
    env = _episode("ansi", **arguments)
    for symbol in symbols:
        env.step(np.array([1, 1, 6, 1, symbol]))
    assert env.render().splitlines()[-1] == f"status   {status}"


def test_text_says_when_time_ran_out() -> None:
    env = _episode("ansi")
    for _ in range(20):
        env.step(np.array([1, 1, 6, 0, 0]))
    assert env.render().splitlines()[-1] == "status   time limit"


def test_a_reset_and_a_restored_state_have_no_last_action() -> None:
    env = _episode("ansi")
    env.step(np.array([1, 1, 6, 0, 0]))
    assert "action   input stay, memory stay, memory write keep, silent, symbol 0" in env.render()
    env.set_state(env.get_state())
    assert "action   none yet" in env.render()


def test_two_digit_symbols_stay_in_their_columns() -> None:
    env = TapeEnv("Copy", "ansi", symbols=30, min_length=8, max_length=8)
    env.reset(seed=0)
    env.step(np.array([2, 0, 0]))
    given, heads = env.render().splitlines()[1:3]
    source = env.get_state().source[0, :8].tolist()
    assert given.split()[1:] == [*map(str, source), "■"]
    assert given[heads.index("▲") + 1 - len(str(source[1])) : heads.index("▲") + 1] == str(
        source[1]
    )


def test_a_long_tape_scrolls_with_its_head() -> None:
    env = TapeEnv("Copy", "ansi", min_length=60, max_length=60)
    env.reset(seed=0)
    source = [*map(str, env.get_state().source[0, :60].tolist()), "■"]
    for step in range(61):
        given, heads = env.render().splitlines()[1:3]
        assert given[heads.index("▲")] == source[step]
        assert len(given) < 80
        assert given.endswith("…") == (step < 45)
        assert given.startswith("input   …") == (step > 15)
        env.step(oracle(env))


def test_mistakes_scroll_with_their_symbols() -> None:
    env = TapeEnv("Copy", "ansi", min_length=60, max_length=60, on_error="continue", symbols=9)
    env.reset(seed=0)
    for target in env.get_state().target[0, :40].tolist():
        env.step(np.array([1, 1, (target + 1) % 9]))
    shown, marks = env.render().splitlines()[3:5]
    found = [shown[k] for k, mark in enumerate(marks) if mark == "✗"]
    assert found == [cell for cell in shown.split()[1:] if cell.isdigit()]
    assert len(found) > 10


def test_an_image_has_one_size_for_all_states(tape_id: str) -> None:
    env = gym.make(tape_id, render_mode="rgb_array", on_error="continue")
    rng = np.random.default_rng(0)
    shapes = set()
    for seed in range(4):
        env.reset(seed=seed)
        over = False
        while not over:
            image: Any = env.render()
            assert image.dtype == np.uint8
            shapes.add(image.shape)
            for _ in range(9):
                if not over:
                    action = some_action(env.unwrapped, rng, 0.9)
                    _, _, terminated, truncated, _ = env.step(action)
                    over = terminated or truncated
    (shape,) = shapes
    assert shape[2] == 3
    assert 290 <= shape[0] <= 400
    assert 500 <= shape[1] <= 1400


def _image(env: TapeEnv, action: list[int] | None = None) -> Image:
    if action is not None:
        env.step(np.array(action))
    image: Image = env.render()
    return image


def _changed(first: Image, second: Image) -> set[str]:
    """Which of the four strips differ; each is 62 pixels high, below 48 of the title."""
    lines = np.flatnonzero((first != second).any(axis=(1, 2)))
    names = ["input", "memory", "output", "target", "action"]
    return {names[min((line - 48) // 62, 4)] for line in lines.tolist() if line >= 48}


def test_an_image_changes_where_something_happened() -> None:
    stay = [1, 1, 6, 0, 0]
    env = _episode("rgb_array")
    before = _image(env, stay)
    assert _changed(before, _image(env, stay)) == set()
    assert _changed(before, _image(env, [2, 1, 6, 0, 0])) == {"input", "action"}
    assert _changed(before, _image(env, [0, 2, 6, 0, 0])) == {"memory", "action"}
    env = _episode("rgb_array")
    assert _changed(before, _image(env, [1, 1, 2, 0, 0])) == {"memory", "action"}
    env = _episode("rgb_array")
    assert _changed(before, _image(env, [1, 1, 6, 1, 1])) == {"output", "target", "action"}


def test_a_mistake_is_red_and_success_green() -> None:
    red, green = (200, 40, 45), (30, 132, 73)

    def has(image: Image, colour: tuple[int, int, int]) -> bool:
        return bool((image == np.array(colour)).all(axis=2).any())

    env = _episode("rgb_array")
    assert not has(_image(env), red)
    assert has(_image(env, [1, 1, 6, 1, 4]), red)
    env = _episode("rgb_array")
    for symbol in (1, 3, 5):
        assert not has(_image(env), green)
        env.step(np.array([1, 1, 6, 1, symbol]))
    assert has(_image(env), green)
    assert not has(_image(env), red)


def test_symbols_look_different() -> None:
    pictures = set()
    for symbol in range(7):  # the last two are the end mark and blank
        env = _episode("rgb_array")
        state = env.get_state()
        state.memory[0, 2] = symbol
        env.set_state(state)
        pictures.add(_image(env).tobytes())
    assert len(pictures) == 7


def test_an_end_mark_is_a_block_and_a_blank_is_empty() -> None:
    image = _image(_episode("rgb_array"))
    ink, white = (44, 46, 54), (255, 255, 255)
    left, middle = 94 + 16, 16 + 16  # of a cell in its strip; the first column is a gap
    assert tuple(image[48 + middle, left + 36 * 3]) == ink, "the input's third cell"
    assert tuple(image[48 + 62 + middle, left + 36 * 3]) == white, "the memory's third cell"


def test_the_window_around_a_head_is_shown() -> None:
    narrow, wide = _episode("rgb_array"), _episode("rgb_array", input_radius=1)
    images = [_image(env, [2, 1, 6, 0, 0]) for env in (narrow, wide)]
    assert _changed(*images) == {"input"}
    pale = np.array((214, 228, 250))
    columns = [(image[48:110] == pale).all(axis=2).any(axis=0).nonzero()[0] for image in images]
    assert columns[1].min() == columns[0].min() - 36, "a cell more to the left"
    assert columns[1].max() == columns[0].max() + 36, "and to the right"


def test_a_vector_environment_draws_every_row() -> None:
    env = TapeVectorEnv(3, "Reverse", render_mode="rgb_array")
    env.reset(seed=0)
    actions = oracle(env)
    actions[0, 1:] = 1, env.get_state().target[0, 0] ^ 1  # emits a wrong symbol
    env.step(actions)
    images = env.render()
    assert images is not None
    for i, image in enumerate(images):
        scalar = TapeEnv("Reverse", "rgb_array")
        scalar.reset(seed=i)
        scalar.step(actions[i])
        assert (scalar.view().statuses[0] == "running") == (i > 0)
        np.testing.assert_array_equal(image, scalar.render())


def test_a_task_of_any_name_can_be_drawn() -> None:
    from memory_envs.tape import TASKS, TapeTask

    known = TASKS["Copy"]
    env = TapeEnv(TapeTask("Größe ✓ (2)", known.sample, known.target, known.steps), "rgb_array")
    env.reset(seed=0)
    assert env.render().shape[2] == 3
