"""A tape task of one's own: ten lines, full speed, and clear errors where it has a bug."""

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from numba import njit

from memory_envs import ENVIRONMENTS, TapeTask, draw, register_tape_task
from memory_envs.oracles import oracle
from memory_envs.tape import TASKS, TapeEnv, TapeVectorEnv

ROOT = Path(__file__).parents[2]


def _sample(row: Any, length: int, symbols: int, source: Any) -> int:
    for i in range(length):
        source[i] = draw(row, symbols)
    return length


def _successors(source: Any, size: int, symbols: int, out: Any) -> int:
    for i in range(size):
        out[i] = (source[i] + 1) % symbols
    return size


SUCCESSOR = TapeTask("Successor", _sample, _successors)


@pytest.fixture
def registry() -> Iterator[dict[str, Any]]:
    before = dict(gym.registry)
    yield gym.registry
    gym.registry.clear()
    gym.registry.update(before)


def test_a_task_can_be_passed_in() -> None:
    env = gym.make("Tape-Copy-Easy-v0", task=SUCCESSOR)
    env.reset(seed=0)
    steps, total, over = 0, 0.0, False
    while not over:
        _, reward, terminated, truncated, info = env.step(oracle(env))
        steps, total, over = steps + 1, total + float(reward), terminated or truncated
    state = env.unwrapped.get_state()  # type: ignore[attr-defined]
    size = int(state.rows["source_size"][0])
    given, wanted = state.source[0, : size - 1], state.target[0, : size - 1]
    np.testing.assert_array_equal(wanted, (given + 1) % 5)
    assert info["success"]
    assert (steps, total) == (2 * size, float(size))
    assert int(state.rows["limit"][0]) == 2 * (2 * size) + 10


def test_a_task_can_be_registered_in_three_tiers(registry: dict[str, Any]) -> None:
    ids = register_tape_task(SUCCESSOR)
    assert ids == ("Tape-Successor-Easy-v0", "Tape-Successor-v0", "Tape-Successor-Hard-v0")
    for name, symbols in zip(ids, (5, 10, 30), strict=True):
        scalar, vector = gym.make(name), gym.make_vec(name, num_envs=2)
        assert scalar.action_space == gym.spaces.MultiDiscrete([3, 2, symbols + 1])
        assert isinstance(vector.unwrapped, TapeVectorEnv)
        first, second = scalar.reset(seed=1)[0], vector.reset(seed=1)[0][0]
        np.testing.assert_array_equal(first, second)


def test_registering_is_all_or_nothing(registry: dict[str, Any]) -> None:
    before = set(registry)
    wrong: Any = "Successor"
    with pytest.raises(TypeError, match=r"task is .*; allowed: memory_envs\.TapeTask"):
        register_tape_task(wrong)
    gym.register("Tape-Successor-Hard-v0", entry_point="memory_envs.tape:TapeEnv")
    with pytest.raises(ValueError, match="'Tape-Successor-Hard-v0' is registered"):
        register_tape_task(SUCCESSOR)
    assert set(registry) == before | {"Tape-Successor-Hard-v0"}
    with pytest.raises(ValueError, match="is registered"):
        register_tape_task(TapeTask("Copy", _sample, _successors))


def test_the_registry_is_clean_again() -> None:
    assert not [name for name in gym.registry if "Successor" in name]
    assert set(ENVIRONMENTS) <= set(gym.registry)


def test_functions_of_ones_own_may_call_compiled_helpers_and_use_constants() -> None:
    from numba import njit

    shift = 3

    @njit
    def helper(symbol, symbols):  # type: ignore[no-untyped-def]
        return (symbol + shift) % symbols

    def target(source: Any, size: int, symbols: int, out: Any) -> int:
        for i in range(size):
            out[i] = helper(source[i], symbols)
        return size

    env = TapeVectorEnv(10, TapeTask("Shift", _sample, target), min_length=4, max_length=4)
    env.reset(seed=0)
    state = env.get_state()
    np.testing.assert_array_equal(state.target[:, :4], (state.source[:, :4] + 3) % 10)


def test_two_tasks_of_one_name_do_not_get_into_each_others_way() -> None:
    def backwards(source: Any, size: int, symbols: int, out: Any) -> int:
        for i in range(size):
            out[i] = source[size - 1 - i]
        return size

    for target, order in ((_successors, None), (backwards, -1)):
        env = TapeEnv(TapeTask("Mine", _sample, target), min_length=5, max_length=5)
        env.reset(seed=2)
        state = env.get_state()
        given = state.source[0, :5]
        wanted = (given + 1) % 10 if order is None else given[::-1]
        np.testing.assert_array_equal(state.target[0, :5], wanted)


def _raises(*arguments: Any) -> int:
    raise KeyError("broken")


def _returns_none(*arguments: Any) -> Any:
    return None


def _returns_half(row: Any, length: int, symbols: int, source: Any) -> Any:
    return length + 0.5


def _returns_too_many(row: Any, length: int, symbols: int, source: Any) -> int:
    return length + 1


def _returns_negative(row: Any, length: int, symbols: int, source: Any) -> int:
    return -1


def _writes_past_the_end(row: Any, length: int, symbols: int, source: Any) -> int:
    source[length] = 0
    return length


def _writes_the_end_mark(row: Any, length: int, symbols: int, source: Any) -> int:
    source[0] = symbols
    return length


def _writes_a_negative_symbol(row: Any, length: int, symbols: int, source: Any) -> int:
    source[0] = -1
    return length


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (_raises, "sample failed with KeyError"),
        (_returns_none, "sample's return value is None; allowed: integers"),
        (_returns_half, "sample's return value is 1.5; allowed: integers"),
        (_returns_too_many, "sample's return value is 2; allowed: integers from 0 to 1"),
        (_returns_negative, "sample's return value is -1; allowed: integers from 0 to 1"),
        (_writes_past_the_end, "sample failed with IndexError"),
        (_writes_the_end_mark, "sample wrote .*; allowed: content symbols, 0 to 9"),
        (_writes_a_negative_symbol, "sample wrote .*; allowed: content symbols, 0 to 9"),
    ],
)
def test_a_bug_in_sample_is_named(sample: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"task 'Buggy': {message}"):
        TapeEnv(TapeTask("Buggy", sample, _successors))


def _target_raises(source: Any, size: int, symbols: int, out: Any) -> int:
    raise RuntimeError("broken")


def _target_returns_too_many(source: Any, size: int, symbols: int, out: Any) -> int:
    return size + 1


def _target_writes_past_the_end(source: Any, size: int, symbols: int, out: Any) -> int:
    for i in range(size + 1):
        out[i] = 0
    return size


def _target_reads_past_the_end(source: Any, size: int, symbols: int, out: Any) -> int:
    for i in range(size):
        out[i] = source[i + 1]
    return size


def _target_writes_a_bad_symbol(source: Any, size: int, symbols: int, out: Any) -> int:
    for i in range(size):
        out[i] = source[i] + symbols
    return size


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (_target_raises, "target failed with RuntimeError"),
        (_target_returns_too_many, "target's return value is 2; allowed: integers from 0 to 1"),
        (_target_writes_past_the_end, "target failed with IndexError"),
        (_target_reads_past_the_end, "target failed with IndexError"),
        (_target_writes_a_bad_symbol, "target wrote .*; allowed: content symbols, 0 to 9"),
    ],
)
def test_a_bug_in_target_is_named(target: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"task 'Buggy': {message}"):
        TapeEnv(TapeTask("Buggy", _sample, target))


def _returns_text(source: Any, size: int, goal_size: int) -> Any:
    return "many"


def _returns_no_steps(source: Any, size: int, goal_size: int) -> int:
    return -5


@pytest.mark.parametrize("steps", [_raises, _returns_text, _returns_no_steps])
def test_a_bug_in_steps_is_named(steps: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="task 'Buggy': steps"):
        TapeEnv(TapeTask("Buggy", _sample, _successors, steps))


class _Settings:
    shift = 1


_SETTINGS = _Settings()


def _uses_what_numba_cannot_compile(source: Any, size: int, symbols: int, out: Any) -> int:
    for i in range(size):
        out[i] = (source[i] + _SETTINGS.shift) % symbols
    return size


def test_a_task_that_cannot_be_compiled_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"task 'Buggy'.*compile"):
        TapeEnv(TapeTask("Buggy", _sample, _uses_what_numba_cannot_compile))


def _writes_past_the_end_once_in_a_while(row: Any, length: int, symbols: int, source: Any) -> int:
    for i in range(length):
        source[i] = draw(row, symbols)
    if draw(row, 1000) == 7:
        source[length + 100_000] = 0
    return length


def _returns_too_many_once_in_a_while(row: Any, length: int, symbols: int, source: Any) -> int:
    for i in range(length):
        source[i] = draw(row, symbols)
    return length + 100_000 if draw(row, 1000) == 7 else length


def _ignores_the_input(source: Any, size: int, symbols: int, out: Any) -> int:
    out[0] = 0
    return 1


def _target_returns_too_many_once_in_a_while(source: Any, size: int, symbols: int, out: Any) -> int:
    rare = size > 8 and source[0] == 7 and source[1] == 7 and source[2] == 7
    return 100_000 if rare else 0


def _writes_a_bad_symbol_once_in_a_while(row: Any, length: int, symbols: int, source: Any) -> int:
    for i in range(length):
        source[i] = draw(row, symbols)
    if draw(row, 1000) == 7:
        source[0] = 30_000
    return length


@njit
def _sum(source: Any, size: int) -> int:  # compiled without bounds checks
    total = 0
    for i in range(size):
        total += source[i]
    return total


def _calls_a_compiled_function(source: Any, size: int, symbols: int, out: Any) -> int:
    out[0] = _sum(source, size) % symbols
    return 1


def _steps_below_0_once_in_a_while(source: Any, size: int, goal_size: int) -> int:
    return -1000 if size > 8 and source[0] == 7 and source[1] == 7 else size + goal_size


@pytest.mark.parametrize(
    "task",
    [
        TapeTask("Buggy", _writes_past_the_end_once_in_a_while, _successors),
        TapeTask("Buggy", _returns_too_many_once_in_a_while, _ignores_the_input),
        TapeTask("Buggy", _returns_too_many_once_in_a_while, _calls_a_compiled_function),
        TapeTask("Buggy", _sample, _target_returns_too_many_once_in_a_while),
        TapeTask("Buggy", _writes_a_bad_symbol_once_in_a_while, _ignores_the_input),
        TapeTask("Buggy", _sample, _ignores_the_input, _steps_below_0_once_in_a_while),
    ],
)
def test_a_rare_bug_is_an_error_too_and_no_crash(task: TapeTask) -> None:
    """The check before compiling cannot see it; the compiled code must."""
    env = TapeVectorEnv(20_000, task)
    with pytest.raises((IndexError, ValueError)):
        env.reset(seed=0)
    with pytest.raises(ResetNeeded):
        env.step(np.zeros((20_000, 3), np.int64))


def test_our_functions_with_sizes_of_ones_own_are_watched_too() -> None:
    """RepeatCopy's longest target has three copies; room for two is missed by the check before."""
    task = replace(TASKS["RepeatCopy"], name="Short", target_cells=lambda n: 4 if n == 2 else 3 * n)
    with pytest.raises(IndexError):
        TapeVectorEnv(200, task, max_length=2).reset(seed=0)


def test_our_own_tasks_are_compiled_once_per_disk(tmp_path: Path) -> None:
    code = "import gymnasium, memory_envs; gymnasium.make('Tape-Sort-v0').reset(seed=0)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    kept = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
        kept.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")})
    assert any("advance" in path.name for path in kept[0])
    assert kept[0] == kept[1]


_TARGETS = """
import sys
import gymnasium, memory_envs
for task in sys.argv[1:]:
    print(task, gymnasium.make(f"Tape-{task}-v0").reset(seed=0)[1]["target"])
"""


def test_what_several_processes_compiled_one_process_can_load(tmp_path: Path) -> None:
    """Machine code of two tasks must not have one name; see `memory_envs.tape.kernels._named`."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def targets(*tasks: str) -> str:
        command = [sys.executable, "-c", _TARGETS, *tasks]
        return subprocess.run(
            command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        ).stdout

    tasks = ("RepeatCopy", "Copy", "Reverse")  # the first leaves the others' common helpers
    alone = [targets(task) for task in tasks]
    assert targets(*tasks) == "".join(alone)
    assert targets(*reversed(tasks)) == "".join(reversed(alone))


_LIMIT = """
import dataclasses, sys
import gymnasium, memory_envs
from memory_envs.tape import tasks
code = f"def _steps_copy(source, size, goal_size): return {sys.argv[1]}"
exec(code, vars(tasks))
tasks.TASKS["Copy"] = dataclasses.replace(tasks.TASKS["Copy"], steps=tasks._steps_copy)
env = gymnasium.make("Tape-Copy-v0").unwrapped
env.reset(seed=0)
print(env.view().limits[0])
"""


def test_a_task_of_ours_that_was_changed_is_compiled_anew(tmp_path: Path) -> None:
    """A function of a task is no part of the file that Numba watches."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for steps in ("7", "8", "7"):
        run = subprocess.run(
            [sys.executable, "-c", _LIMIT, steps],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        assert int(run.stdout) == 2 * int(steps) + 10


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample", None),
        ("sample", njit(_sample)),
        ("steps", functools.partial(_steps_below_0_once_in_a_while, size=1)),
        ("target", 3),
        ("steps", "fast"),
        ("source_cells", 4),
        ("name", 5),
        ("min_symbols", 0),
        ("memory", "yes"),
    ],
)
def test_a_task_of_wrong_types_is_refused(field: str, value: Any) -> None:
    fields: dict[str, Any] = {"name": "Buggy", "sample": _sample, "target": _successors}
    with pytest.raises((TypeError, ValueError), match=field):
        TapeEnv(TapeTask(**{**fields, field: value}))
