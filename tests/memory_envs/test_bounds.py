"""No state that `set_state` takes makes compiled code reach beyond an array.

Numba does not look, so the calls run in a process of their own in which it does: that is
`python -m tests.memory_envs.test_bounds` with NUMBA_BOUNDSCHECK=1.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from memory_envs.rendering import render_text
from memory_envs.view import NOTHING
from tests.memory_envs.conftest import DIFFERENT, fingerprint, make, random_actions, some_action

ROOT = Path(__file__).parents[2]
IDS = (
    "Tape-Reverse-Easy-v0",
    "Tape-RepeatCopyForward-Easy-v0",
    "Algorithmic/Copy-v0",
    "Algorithmic/ReversedAddition3-v0",
    "Maze-InvisibleGoal-9x9-v0",
    "Stream-AssociativeRecall-v0",
    "Stream-DictionaryInference-4x1-v0",
)


def test_compiled_code_stays_within_its_arrays(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    kept = getattr(request.config, "cache", None)
    environment = {
        **os.environ,
        "NUMBA_BOUNDSCHECK": "1",
        # Numba does not tell code with checks from code without, so they need a cache of their own.
        "NUMBA_CACHE_DIR": str(kept.mkdir("numba-boundscheck") if kept else tmp_path),
    }
    command = [sys.executable, "-W", "error", "-m", "tests.memory_envs.test_bounds"]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-4000:]
    for line in result.stdout.splitlines():
        name, taken, refused = line.split()
        assert int(taken) > 80, name
        assert int(refused) > 100, name
    assert len(result.stdout.splitlines()) == len(IDS)


def _values(array: np.ndarray[Any, Any], rng: np.random.Generator) -> list[Any]:
    """What to write in place of one number."""
    if array.dtype == np.bool_:
        return [False, True]
    if array.dtype.kind == "f":
        return [-1.0, np.nan, np.inf, float(np.finfo(array.dtype).max)]
    limits = np.iinfo(array.dtype)
    near = [int(array.flat[0]) + step for step in (-1, 1)] if array.size else []
    some = [limits.min, limits.max, -2, -1, 0, 1, 100, int(rng.integers(-5, 40)), *near]
    return [value for value in some if limits.min <= value <= limits.max]


def _corrupted(env: Any, rng: np.random.Generator) -> Iterator[Any]:
    """States in which one number, and states in which several, are wrong."""
    places: list[tuple[str, str | None]] = []
    state = env.get_state()
    places += [("rows", name) for name in state.rows.dtype.names if not name.startswith("rng")]
    places += [(name, None) for name in state._fields[1:] if getattr(state, name).size]
    for place in places:
        for value in _values(_array(state, place), rng):
            state = env.get_state()
            _spoil(_array(state, place), value, rng)
            yield state
    for _ in range(450):
        state = env.get_state()
        for index in rng.integers(len(places), size=rng.integers(2, 5)):
            array = _array(state, places[index])
            values = _values(array, rng)
            _spoil(array, values[rng.integers(len(values))], rng)
        yield state


def _array(state: Any, place: tuple[str, str | None]) -> Any:
    array = getattr(state, place[0])
    return array if place[1] is None else array[place[1]]


def _spoil(array: Any, value: Any, rng: np.random.Generator) -> None:
    index = tuple(int(rng.integers(size)) for size in array.shape)
    array[index] = value


def _prepared(one_id: str, stage: int, rng: np.random.Generator) -> Any:
    """An environment before its first reset, within an episode, or after one."""
    env = make(one_id)
    if stage > 0:
        env.reset(seed=stage)
        over = False
        for _ in range(3 if stage == 1 else 10_000):
            if not over:
                *_, terminated, truncated, _ = env.step(some_action(env, rng))
                over = terminated or truncated
    return env


def _play(env: Any, vector: Any, state: Any, rng: np.random.Generator) -> None:
    """Everything that may be asked of a state that was taken."""
    vector.set_state(state)
    env.action_masks()
    nothing = np.full((1, len(env.action_names)), NOTHING)
    render_text(env.rules.view(state, nothing), 0)
    if not state.rows["running"][0]:
        env.reset(seed=1)
    for _ in range(12):
        *_, terminated, truncated, _ = env.step(some_action(env, rng, 0.0))
        if terminated or truncated:
            env.reset()
    if state.rows["rng_key"][0] == 0:  # never reset
        vector.reset(seed=1)
    for _ in range(12):
        vector.step(random_actions(vector, rng))


def _main() -> None:
    rng = np.random.default_rng(0)
    for one_id in IDS:
        taken = refused = 0
        vector: Any = gym.make_vec(one_id, num_envs=1).unwrapped
        for stage in range(3):
            env = _prepared(one_id, stage, rng)
            good = env.get_state()
            for state in _corrupted(env, rng):
                before = fingerprint(env.get_state())
                try:
                    env.set_state(state)
                except ValueError:
                    refused += 1
                    assert fingerprint(env.get_state()) == before
                    continue
                taken += 1
                _play(env, vector, state, rng)
                env.set_state(good)
        print(one_id, taken, refused)
    for env_id in DIFFERENT:  # and no new episode does
        vector = gym.make_vec(env_id, num_envs=50)
        vector.reset(seed=0)
        for _ in range(20):
            vector.step(random_actions(vector.unwrapped, rng))


if __name__ == "__main__":
    _main()
