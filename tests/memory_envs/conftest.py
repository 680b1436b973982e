"""What the environment tests share.

A test with an argument `env_id` runs over every registered id, one with `tape_id` over the tape's.
Of the bAbI tasks, which differ in their data alone, it runs over two and all together; what reads
the data is tested on each of them.
"""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest

from memory_envs import ENVIRONMENTS
from memory_envs.oracles import oracle

_TWINS = {f"Stream-bAbI-QA{number}-v0" for number in range(2, 20)}
DIFFERENT = [name for name in ENVIRONMENTS if name not in _TWINS]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    tape = [name for name, spec in ENVIRONMENTS.items() if spec.family == "tape"]
    for argument, ids in (("env_id", DIFFERENT), ("tape_id", tape)):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, ids)


def make(env_id: str, **kwargs: Any) -> Any:
    """The scalar environment without Gymnasium's wrappers."""
    return gym.make(env_id, disable_env_checker=True, **kwargs).unwrapped


def fingerprint(value: Any) -> Any:
    """Something that is equal for equal nested arrays of equal dtypes only."""
    if isinstance(value, dict):
        return {key: fingerprint(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [fingerprint(item) for item in value]
    array = np.asarray(value)
    # Records have padding between their fields, which means nothing.
    content = array.tolist() if array.dtype.names else array.tobytes()
    return (str(array.dtype), array.shape, content)


def random_actions(env: Any, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Random actions for all rows of a vector environment."""
    space = env.single_action_space
    actions: npt.NDArray[np.int64]
    if isinstance(space, gym.spaces.Discrete):
        actions = rng.integers(space.n, size=env.num_envs)
    else:
        actions = rng.integers(space.nvec, size=(env.num_envs, len(space.nvec)))
    return actions


def some_action(env: Any, rng: np.random.Generator, share: float = 0.8) -> npt.NDArray[np.int64]:
    """The oracle's action with probability `share`, else a random one; for a scalar environment.

    Random play alone would end most tape episodes at once.
    """
    if rng.random() < share:
        return np.asarray(oracle(env))
    space = env.action_space
    bound = space.n if isinstance(space, gym.spaces.Discrete) else space.nvec
    return np.asarray(rng.integers(bound))


def play(env: Any, rng: np.random.Generator, steps: int) -> list[Any]:
    """Fingerprints of all that a scalar environment returns, episode after episode."""
    seen = []
    for _ in range(steps):
        result = env.step(some_action(env, rng))
        seen.append(fingerprint(result))
        if result[2] or result[3]:
            seen.append(fingerprint(env.reset()))
    return seen
