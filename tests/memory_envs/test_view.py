"""The typed view: what pictures and texts are drawn from, for any family."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from memory_envs import ENVIRONMENTS
from memory_envs.rendering import render_text
from memory_envs.view import NOTHING, View
from tests.memory_envs.conftest import make, random_actions, some_action
from tests.memory_envs.whisper import WhisperEnv, WhisperVectorEnv


def _scalar(one_id: str) -> Any:
    return WhisperEnv() if one_id == "Whisper" else make(one_id)


def _arrays(part: Any) -> list[np.ndarray[Any, Any]]:
    """All arrays of a view, or of a part of one, that have an entry for each row."""
    if isinstance(part, np.ndarray):
        return [part]
    if not isinstance(part, tuple):
        return []
    fields = part._asdict() if hasattr(part, "_asdict") else dict(enumerate(part))
    return [array for name, value in fields.items() if name != "walls" for array in _arrays(value)]


def test_a_family_with_fields_of_its_own_is_drawn() -> None:
    env = WhisperEnv("ansi")
    env.reset(seed=1)
    first, second, _ = env.get_state().heard[0].tolist()
    env.step([1, 1, first])
    wrong = (second + 1) % 3
    env.step([0, 1, wrong])
    assert env.render().splitlines() == [
        "Whisper   step 2 / 8",
        f"strip     {first} {second} ■",
        "            ▲",
        f"output    {first} {wrong} ·",
        "            ✗ ▲",
        f"target    {first} {second} ■",
        "              ▲",
        f"action   walk wait, speak, word {wrong}",
        "status   running",
    ]
    env.render_mode = "rgb_array"
    before = env.render()
    env.step([1, 0, 0])
    after = env.render()
    assert before.shape == after.shape
    changed = np.flatnonzero((before != after).any(axis=(1, 2)))
    strip = range(48, 48 + 62)
    assert any(line in strip for line in changed.tolist()), "the ear moved"


@pytest.mark.parametrize("one_id", [*ENVIRONMENTS, "Whisper"])
def test_a_vector_environment_shows_each_row_as_a_scalar_one_does(one_id: str) -> None:
    rows, rng = 3, np.random.default_rng(0)
    vector: Any = WhisperVectorEnv(rows)
    if one_id != "Whisper":
        vector = gym.make_vec(one_id, num_envs=rows).unwrapped
    scalars = [_scalar(one_id) for _ in range(rows)]
    for row, env in enumerate(scalars):
        env.reset(seed=row)
    vector.reset(seed=0)
    _check_rows(vector.view(), [env.view() for env in scalars])
    actions = random_actions(vector, rng)
    vector.step(actions)
    for env, action in zip(scalars, actions, strict=True):
        env.step(action)
    _check_rows(vector.view(), [env.view() for env in scalars])


def _check_rows(view: View, singles: list[View]) -> None:
    for row, single in enumerate(singles):
        for whole, part in zip(_arrays(view), _arrays(single), strict=True):
            np.testing.assert_array_equal(whole[row], part[0])
        assert render_text(view, row) == render_text(single, 0)


@pytest.mark.parametrize("one_id", [*ENVIRONMENTS, "Whisper"])
def test_a_view_is_a_copy(one_id: str) -> None:
    env = _scalar(one_id)
    env.reset(seed=0)
    view = env.view()
    before = [array.copy() for array in _arrays(view)]
    rng = np.random.default_rng(0)
    env.step(some_action(env, rng, 0.0))
    env.reset()
    for array, copy in zip(_arrays(view), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("one_id", [*ENVIRONMENTS, "Whisper"])
def test_there_is_a_view_before_the_first_reset(one_id: str) -> None:
    env = _scalar(one_id)
    view = env.view()
    assert view.steps.tolist() == [0]
    assert (view.actions == NOTHING).all()
