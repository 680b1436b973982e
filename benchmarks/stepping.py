"""Who takes part in measuring environments, and how each is stepped.

Actions are random, valid and drawn beforehand. Resets are part of the time: a scalar environment is
reset when its episode ends, a vector environment resets its own rows.
"""

import importlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from benchmarks.results import Measurement
from benchmarks.timing import Advance, calls_per_second

VECTOR = "vector, one thread"
SCALAR = "scalar, through gym.make"

_OURS = ("Tape-Reverse-v0", "Tape-ForwardReverse-v0", "Algorithmic/Copy-v0")
_MAZE = "Maze-InvisibleGoal-9x9-v0"
_ROWS = 4096
_CARTPOLE_ROWS = (256, 1024, 4096, 16384, 65536)
_CATCH_ROWS = (256, 4096)
_SCALAR_PEERS = (
    ("popgym", "popgym-RepeatPreviousEasy-v0"),
    ("popgym", "popgym-AutoencodeEasy-v0"),
    ("minigrid", "MiniGrid-MemoryS7-v0"),
    ("gymnasium", "CartPole-v1"),
)
_TARGET = 2.0


@dataclass(frozen=True)
class Contestant:
    """An environment that is measured.

    Attributes:
        section: of the table; contestants of one section are compared.
        name: of the environment.
        variant: how many rows, and when they are reset.
        rows: environment steps in a call.
        module: what has to be installed.
        make: builds the environment, warms nothing up, and gives the function that steps it.
        is_reference: whether its section is compared with it, if it is the fastest of these.
        target: how many times as fast as the reference it has to be, or None.
    """

    section: str
    name: str
    variant: str
    rows: int
    module: str
    make: Callable[[], Advance]
    is_reference: bool = False
    target: float | None = None


def contestants() -> list[Contestant]:
    """Everybody who takes part, in the order of the table."""
    same, following = AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP
    reverse = _OURS[0]
    found = [_vector(reverse, following, _TARGET), _vector(reverse, same)]
    found += [_vector(env_id, same) for env_id in (*_OURS[1:], _MAZE)]
    found += [_cartpole(rows) for rows in _CARTPOLE_ROWS]
    found += [_catch(rows) for rows in _CATCH_ROWS]
    found += [
        _scalar("memory_envs", env_id, target=_TARGET if env_id == reverse else None)
        for env_id in (*_OURS, _MAZE)
    ]
    found += [
        _scalar(module, env_id, is_reference="RepeatPrevious" in env_id)
        for module, env_id in _SCALAR_PEERS
    ]
    return found


def measure(
    taking_part: Iterable[Contestant], repeats: int, seconds: float
) -> tuple[list[Measurement], list[str]]:
    """Measure the contestants in turns.

    Args:
        taking_part: whom to measure.
        repeats: measurements of each.
        seconds: the approximate length of one measurement.

    Returns:
        The measurements, and a note for each contestant that is left out as not installed.
    """
    ready: list[Contestant] = []
    advances: list[Advance] = []
    notes = []
    for contestant in taking_part:
        try:
            importlib.import_module(contestant.module)
        except ImportError as error:
            notes.append(f"{contestant.name} ({contestant.variant}) is left out: {error}")
            continue
        ready.append(contestant)
        advances.append(contestant.make())
    rates = calls_per_second(advances, repeats, seconds)
    return [
        Measurement(
            section=contestant.section,
            name=contestant.name,
            variant=contestant.variant,
            steps_per_second=[contestant.rows * rate for rate in found],
            is_reference=contestant.is_reference,
            target=contestant.target,
        )
        for contestant, found in zip(ready, rates, strict=True)
    ], notes


def vector_advance(step: Callable[[Any], object], actions: list[Any]) -> Advance:
    """Steps a vector environment that resets its own rows, with `actions` over and over."""
    supply = itertools.cycle(actions)

    def advance(calls: int) -> None:
        for action in itertools.islice(supply, calls):
            step(action)

    return advance


def scalar_advance(env: gym.Env[Any, Any], actions: list[Any]) -> Advance:
    """Steps a scalar environment with `actions` over and over, and resets it when it has to be."""
    supply = itertools.cycle(actions)
    step, reset = env.step, env.reset

    def advance(calls: int) -> None:
        for action in itertools.islice(supply, calls):
            _, _, terminated, truncated, _ = step(action)
            if terminated or truncated:
                reset()

    return advance


def _drawn(space: gym.Space[Any], count: int) -> list[Any]:
    space.seed(0)
    return [space.sample() for _ in range(count)]


def _vector(env_id: str, mode: AutoresetMode, target: float | None = None) -> Contestant:
    def make() -> Advance:
        env = gym.make_vec(env_id, num_envs=_ROWS, autoreset_mode=mode)
        env.reset(seed=0)
        return vector_advance(env.step, _drawn(env.action_space, 64))

    variant = f"{_ROWS:,} rows, {mode.name}"
    return Contestant(VECTOR, env_id, variant, _ROWS, "memory_envs", make, target=target)


def _cartpole(rows: int) -> Contestant:
    def make() -> Advance:
        env = gym.make_vec("CartPole-v1", num_envs=rows, vectorization_mode="vector_entry_point")
        env.reset(seed=0)
        return vector_advance(env.step, _drawn(env.action_space, 64))

    variant = f"{rows:,} rows, NEXT_STEP"
    return Contestant(VECTOR, "CartPole-v1", variant, rows, "gymnasium", make, is_reference=True)


def _catch(rows: int) -> Contestant:
    def make() -> Advance:
        envpool = importlib.import_module("envpool")
        env = envpool.make("Catch-v0", env_type="gymnasium", num_envs=rows, num_threads=1)
        env.reset()
        choices = np.random.default_rng(0).integers(env.action_space.n, size=(64, rows))
        return vector_advance(env.step, list(choices.astype(np.int32)))

    variant = f"{rows:,} rows, NEXT_STEP"
    return Contestant(VECTOR, "envpool Catch-v0", variant, rows, "envpool", make)


def _scalar(
    module: str, env_id: str, *, is_reference: bool = False, target: float | None = None
) -> Contestant:
    def make() -> Advance:
        env = gym.make(env_id)
        env.reset(seed=0)
        return scalar_advance(env, _drawn(env.action_space, 4096))

    return Contestant(SCALAR, env_id, "", 1, module, make, is_reference, target)
