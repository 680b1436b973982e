"""100,000 calls with garbage: an error of a documented type, and nothing has changed.

What is accepted must be legal by a second definition, and what is legal must be accepted.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode

from memory_envs import Curriculum
from memory_envs.algorithmic import AlgorithmicEnv, AlgorithmicVectorEnv
from memory_envs.maze import InvisibleGoalEnv, InvisibleGoalVectorEnv
from memory_envs.stream import StreamEnv, StreamVectorEnv
from memory_envs.tape import TASKS, TapeEnv, TapeVectorEnv
from tests.memory_envs.conftest import make, random_actions, some_action

IDS = (
    "Tape-Reverse-v0",
    "Tape-Sort-Easy-v0",
    "Algorithmic/Copy-v0",
    "Maze-InvisibleGoal-9x9-v0",
    "Stream-RepeatCopy-v0",
    "Stream-DictionaryInference-4x1-v0",
)
ROWS = 3


class _Broken:
    """Raises from whatever it is asked."""

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        raise RuntimeError("no array")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __repr__(self) -> str:
        raise RuntimeError("no text")


PLAIN: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    3,
    7,
    10**3,
    2**31,
    2**63,
    2**64,
    -(2**63) - 1,
    10**400,
    0.0,
    1.0,
    -0.5,
    float("nan"),
    float("inf"),
    1j,
    "",
    "1",
    "left",
    b"\x01\x00\x00",
    [],
    (),
    {},
    set(),
    {1: 2},
    {"reset_mask": None},
    {"reset_mask": [True] * ROWS},
    {"reset_mask": np.zeros(ROWS, np.bool_)},
    {"reset_mask": np.ones(ROWS + 1, np.bool_)},
    {"reset_mask": np.ones((ROWS, 1), np.bool_)},
    {"reset_mask": np.ones(ROWS)},
    {"reset_masks": np.ones(ROWS, np.bool_)},
    {"seed": 1},
    [[]],
    [0, [0, 0]],
    [0, 0, None],
    [0, "0", 0],
    [0, 0, 0],
    (1, 1, 1),
    [0.0, 0.0, 0.0],
    [[0, 0, 0]] * ROWS,
    [[0, 0, 0]] * (ROWS - 1),
    [None] * ROWS,
    [1, None, 2],
    [1, None, -2],
    [1, 2, "3"],
    range(3),
    object(),
    object,
    len,
    Ellipsis,
    np.float64(1.0),
    np.int64(1),
    np.uint64(2**64 - 1),
    np.bool_(True),
    np.str_("emit"),
    np.array(2),
    np.array([]),
    np.array(float("nan")),
    np.zeros(3),
    np.zeros(3, np.bool_),
    np.zeros(3, np.complex128),
    np.zeros(3, "S2"),
    np.zeros(3, "M8[s]"),
    np.zeros(3, [("a", "i4")]),
    np.zeros(3, object),
    np.zeros(3, np.uint8),
    np.zeros((ROWS, 3), np.int16),
    np.zeros((ROWS, 5), np.int64),
    np.zeros((3, 3, 3), np.int64),
    np.zeros((0, 3), np.int64),
    np.ma.masked_array([0, 0, 0], [True, False, True]),
    _Broken(),
    [_Broken()] * 3,
)


def _bend(action: Any, sizes: list[int], rng: np.random.Generator) -> Any:
    """A legal action, bent in one of several ways (some of which leave it legal)."""
    array = np.array(action)
    kind = rng.integers(9)
    if kind == 0:
        return array.astype(rng.choice(["f8", "f2", "?", "c8", "O", "U3"]))
    if kind == 1:
        return array[..., None]
    if kind == 2:
        return array.tolist()
    if kind == 3:
        return np.stack([array, array])
    if kind == 4:
        return array.astype(rng.choice(["i1", "u1", "i2", "u4", ">i4", "u8"]))
    if kind == 5:
        return array.ravel()[:-1]
    flat = array.ravel().astype(np.int64)  # a copy
    place = int(rng.integers(flat.size))
    size = sizes[place % len(sizes)]
    flat[place] = rng.choice([-1, -(2**63), 2**63 - 1, 255, size - 1, size, size + 1])
    bent = flat.reshape(array.shape)
    return bent.astype(np.uint64) if kind == 6 else bent


def _legal(value: Any, sizes: list[int], shape: tuple[int, ...]) -> bool:
    """Whether `value` is an action of sub-actions below `sizes`, in Python's own integers."""
    try:
        array = np.asarray(value)
    except Exception:
        return False
    if array.dtype.kind not in "iu" or array.shape != shape:
        return False
    rows = array.reshape(-1, len(sizes)).tolist()
    return all(0 <= v < n for row in rows for v, n in zip(row, sizes, strict=True))


def _bytes(env: Any) -> list[Any]:
    state = env.get_state()
    return [state.rows.tolist(), *(array.tobytes() for array in state[1:])]


def _sizes(space: Any) -> list[int]:
    sizes: list[int] = [int(space.n)] if hasattr(space, "n") else space.nvec.tolist()
    return sizes


def _stream(
    rng: np.random.Generator, calls: int, sizes: list[int], action: Callable[[], Any]
) -> Iterator[Any]:
    for _ in range(calls):
        garbage = PLAIN[rng.integers(len(PLAIN))]
        yield _bend(action(), sizes, rng) if rng.random() < 0.5 else garbage


@pytest.mark.parametrize("one_id", IDS)
def test_12000_actions_of_a_scalar_environment(one_id: str) -> None:
    env, rng = make(one_id), np.random.default_rng(0)
    env.reset(seed=0)
    sizes, shape = _sizes(env.action_space), env.action_space.shape
    accepted, before = 0, _bytes(env)
    for value in _stream(rng, 12_000, sizes, lambda: some_action(env, rng)):
        legal = _legal(value, sizes, shape)
        try:
            _, _, terminated, truncated, _ = env.step(value)
        except InvalidAction:
            assert not legal
            assert _bytes(env) == before
            continue
        assert legal
        accepted += 1
        if terminated or truncated:
            env.reset()
        before = _bytes(env)
    assert 1000 < accepted < 8000


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("one_id", IDS)
def test_4000_actions_of_a_vector_environment(one_id: str, mode: str) -> None:
    env: Any = gym.make_vec(one_id, num_envs=ROWS, autoreset_mode=mode).unwrapped
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    sizes, shape = _sizes(env.single_action_space), env.action_space.shape
    accepted, before = 0, _bytes(env)
    for value in _stream(rng, 4_000, sizes, lambda: random_actions(env, rng)):
        legal = _legal(value, sizes, shape)
        try:
            env.step(value)
        except InvalidAction:
            assert not legal
            assert _bytes(env) == before
            continue
        assert legal
        accepted += 1
        before = _bytes(env)
    assert 300 < accepted < 3000


@pytest.mark.parametrize("one_id", IDS)
@pytest.mark.parametrize("rows", [None, ROWS])
def test_1500_resets(one_id: str, rows: int | None) -> None:
    env: Any = make(one_id)
    if rows is not None:
        env = gym.make_vec(one_id, num_envs=rows, autoreset_mode="Disabled").unwrapped
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    before, refused = _bytes(env), 0
    for _ in range(1_500):
        name = str(rng.choice(["seed", "options"]))
        value = PLAIN[rng.integers(len(PLAIN))]
        try:
            env.reset(**{name: value})
        except (TypeError, ValueError):
            refused += 1
            assert _bytes(env) == before, (name, type(value))
            continue
        before = _bytes(env)
    assert refused > 500


@pytest.mark.parametrize("one_id", IDS)
def test_1000_states(one_id: str) -> None:
    env, rng = make(one_id), np.random.default_rng(0)
    env.reset(seed=0)
    good = env.get_state()
    for _ in range(1_000):
        value: Any = PLAIN[rng.integers(len(PLAIN))]
        if rng.random() < 0.7:
            value = good._replace(**{str(rng.choice(good._fields)): value})
        with pytest.raises((TypeError, ValueError), match="state"):
            env.set_state(value)
    assert _bytes(env) == [good.rows.tolist(), *(array.tobytes() for array in good[1:])]


@pytest.mark.parametrize("one_id", IDS)
def test_500_steps_without_an_episode(one_id: str) -> None:
    rng = np.random.default_rng(0)
    fresh, over = make(one_id), make(one_id)
    over.reset(seed=0)
    ended = False
    while not ended:
        *_, terminated, truncated, _ = over.step(some_action(over, rng, 0.0))
        ended = terminated or truncated
    for env in (fresh, over):
        before = _bytes(env)
        for _ in range(250):
            with pytest.raises(ResetNeeded, match="reset"):
                env.step(env.action_space.sample())
        assert _bytes(env) == before


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("one_id", IDS)
def test_steps_of_rows_without_an_episode(one_id: str, mode: str) -> None:
    env: Any = gym.make_vec(one_id, num_envs=ROWS, autoreset_mode=mode).unwrapped
    rng = np.random.default_rng(0)
    before = _bytes(env)
    with pytest.raises(ResetNeeded, match="row 0"):
        env.step(random_actions(env, rng))
    assert _bytes(env) == before
    env.reset(options={"reset_mask": np.array([True, False, True])})
    before = _bytes(env)
    with pytest.raises(ResetNeeded, match="row 1"):
        env.step(random_actions(env, rng))
    assert _bytes(env) == before
    env.reset()
    if mode == "Disabled":
        over = np.zeros(ROWS, np.bool_)
        while not over.any():
            _, _, terminated, truncated, _ = env.step(random_actions(env, rng))
            over = terminated | truncated
        before = _bytes(env)
        with pytest.raises(ResetNeeded, match=f"row {np.flatnonzero(over)[0]}"):
            env.step(random_actions(env, rng))
        assert _bytes(env) == before


TAPE_ARGUMENTS = (
    "task",
    "symbols",
    "min_length",
    "max_length",
    "memory_size",
    "input_radius",
    "memory_radius",
    "wrong_reward",
    "timeout_reward",
    "on_error",
    "forced_emission",
    "max_steps",
    "curriculum",
    "render_mode",
)


STREAM_ARGUMENTS = ("task", "min_length", "max_length", "curriculum", "render_mode")

# What may be named in the place of another argument, because the two do not go together.
PARTNERS = {"min_length": "max_length", "max_length": "min_length", "p_any": "p_below"}


def _build(what: Callable[..., Any], arguments: dict[str, Any]) -> bool:
    """Whether `arguments` were taken; the error must name one of them."""
    names = {*arguments, *(PARTNERS[name] for name in arguments if name in PARTNERS)}
    try:
        what(**arguments)
    except (TypeError, ValueError) as error:
        message = str(error)
    else:
        return True
    assert any(name in message for name in names), (list(arguments), message)
    return False


def test_3000_constructions_of_tape_environments() -> None:
    rng = np.random.default_rng(0)
    taken = 0
    for _ in range(3_000):
        count = int(rng.integers(1, 4))
        names = ["task", *rng.choice(TAPE_ARGUMENTS[1:], count, replace=False).tolist()]
        values = [PLAIN[i] for i in rng.integers(len(PLAIN), size=len(names))]
        arguments = dict(zip(names, values, strict=True))
        arguments["task"] = str(rng.choice(list(TASKS))) if rng.random() < 0.8 else values[0]
        what = TapeEnv if rng.random() < 0.5 else TapeVectorEnv
        taken += _build(what, arguments)
    assert 50 < taken < 1000


@pytest.mark.parametrize("one_id", IDS)
def test_1500_constructions_by_id(one_id: str) -> None:
    names = {
        "Algorithmic/Copy-v0": ("task", "base", "starting_min_length", "level_up", "render_mode"),
        "Maze-InvisibleGoal-9x9-v0": (
            "size",
            "max_steps",
            "observe_previous_action",
            "render_mode",
        ),
        "Stream-RepeatCopy-v0": (*STREAM_ARGUMENTS, "bits", "repeats"),
        "Stream-DictionaryInference-4x1-v0": (*STREAM_ARGUMENTS, "letters", "support"),
    }.get(one_id, TAPE_ARGUMENTS)
    rng = np.random.default_rng(0)
    for _ in range(1_500):
        name = str(rng.choice(names))
        value = PLAIN[rng.integers(len(PLAIN))]
        if name == "render_mode" or value is PLAIN[-1] or value is PLAIN[-2]:
            continue  # Gymnasium itself looks at this one, and prints every argument

        def construct(**arguments: Any) -> Any:
            return gym.make(one_id, disable_env_checker=True, **arguments)

        _build(construct, {name: value})


def test_1500_constructions_of_curricula() -> None:
    rng = np.random.default_rng(0)
    names = ("level", "threshold", "refractory", "decay", "p_any", "p_below")
    for _ in range(1_500):
        value = PLAIN[rng.integers(len(PLAIN))]
        _build(lambda **more: Curriculum(max_level=10, **more), {str(rng.choice(names)): value})


@pytest.mark.parametrize("task", list(TASKS))
def test_a_misspelt_task_is_answered_with_the_nearest_one(task: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        cut = int(rng.integers(1, len(task) - 1))
        misspelt = task[:cut] + str(rng.choice(list("xqz_ "))) + task[cut + 1 :]
        with pytest.raises(ValueError, match=f"task is .*; allowed: .*did you mean '{task}'"):
            TapeEnv(misspelt)


@pytest.mark.parametrize(
    ("one_id", "scalar", "vector"),
    [
        ("Tape-Copy-v0", "TapeEnv", "TapeVectorEnv"),
        ("Algorithmic/Copy-v0", "AlgorithmicEnv", "AlgorithmicVectorEnv"),
        ("Maze-InvisibleGoal-9x9-v0", "InvisibleGoalEnv", "InvisibleGoalVectorEnv"),
    ],
)
def test_an_unknown_argument_is_named_with_its_class(one_id: str, scalar: str, vector: str) -> None:
    with pytest.raises(TypeError, match=rf"^{scalar}\.__init__\(\) got .* 'colour'"):
        gym.make(one_id, colour="red")
    with pytest.raises(TypeError, match=rf"^{vector}\.__init__\(\) got .* 'colour'"):
        gym.make_vec(one_id, num_envs=2, colour="red")


@pytest.mark.parametrize(
    ("scalar", "vector"),
    [
        (TapeEnv, TapeVectorEnv),
        (AlgorithmicEnv, AlgorithmicVectorEnv),
        (InvisibleGoalEnv, InvisibleGoalVectorEnv),
    ],
)
def test_a_vector_environment_has_the_arguments_of_the_scalar_one(scalar: Any, vector: Any) -> None:
    """Both say so in their signatures, with the same defaults."""
    arguments = dict(inspect.signature(scalar).parameters)
    own = dict(inspect.signature(vector).parameters)
    assert own.pop("num_envs").default == 1
    assert own.pop("autoreset_mode").default is AutoresetMode.NEXT_STEP
    assert own == arguments
    assert all(one.kind is not one.VAR_KEYWORD for one in arguments.values())


def test_a_vector_of_streams_has_the_arguments_of_the_scalar_one() -> None:
    """And takes what its task depends on, which only the task knows."""
    arguments = dict(inspect.signature(StreamEnv).parameters)
    own = dict(inspect.signature(StreamVectorEnv).parameters)
    assert own.pop("num_envs").default == 1
    assert own.pop("autoreset_mode").default is AutoresetMode.NEXT_STEP
    assert own == arguments
    assert [name for name, one in arguments.items() if one.kind is one.VAR_KEYWORD] == [
        "parameters"
    ]


@pytest.mark.parametrize("num_envs", [0, -1, 2**40, 1.5, "2", None, True])
def test_an_impossible_number_of_rows_is_named(num_envs: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="num_envs"):
        TapeVectorEnv(num_envs)


def test_an_unknown_autoreset_mode_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"autoreset_mode.*did you mean 'SameStep'"):
        TapeVectorEnv(2, autoreset_mode="samestep")


@pytest.mark.parametrize("seed", [np.int64(5), np.uint8(5), np.array(5)])
def test_a_seed_may_be_any_integer(seed: Any) -> None:
    plain, numpys = TapeEnv("Copy"), TapeEnv("Copy")
    plain.reset(seed=5)
    numpys.reset(seed=seed)
    assert _bytes(plain) == _bytes(numpys)
    assert plain.np_random_seed == numpys.np_random_seed
