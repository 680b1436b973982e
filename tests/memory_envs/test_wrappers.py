"""The wrappers, by themselves and on one another."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import InvalidAction
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from memory_envs import ENVIRONMENTS
from memory_envs.core.vector import MemoryVectorEnv
from memory_envs.oracles import oracle
from memory_envs.wrappers import (
    FlatActions,
    FullObservability,
    OneHotObservations,
    PreviousActionAndReward,
    VectorFlatActions,
    VectorOneHotObservations,
)
from tests.memory_envs.conftest import fingerprint, make, some_action

WITH_SUB_ACTIONS = [
    name
    for name, spec in ENVIRONMENTS.items()
    if isinstance(make(name).action_space, spaces.MultiDiscrete)
]
IDS = ("Tape-Reverse-Easy-v0", "Tape-Sort-Easy-v0", "Algorithmic/Copy-v0")
MAZE = "Maze-InvisibleGoal-9x9-v0"
SCALAR = (PreviousActionAndReward, FullObservability, FlatActions, OneHotObservations)


@pytest.mark.parametrize("wrapper", SCALAR)
@pytest.mark.parametrize("one_id", [*IDS, MAZE])
def test_both_checkers_find_no_fault(one_id: str, wrapper: Any) -> None:
    from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

    if wrapper in (FlatActions, OneHotObservations) and one_id == MAZE:
        return
    wrapped = wrapper(gym.make(one_id, disable_env_checker=True).unwrapped)
    wrapped.unwrapped.spec = None  # Gymnasium would complain that this is not what the id makes
    check_env_of_sb3(wrapped)
    with pytest.warns(UserWarning, match="different from the unwrapped version"):
        check_env(wrapped, skip_render_check=True)


@pytest.mark.parametrize("wrapper", SCALAR)
def test_the_spec_makes_the_wrapped_environment_again(wrapper: Any) -> None:
    env = wrapper(gym.make("Tape-Sort-Easy-v0", max_length=3))
    assert env.spec is not None
    again = gym.make(env.spec)
    assert isinstance(again, wrapper)
    assert again.action_space == env.action_space
    assert again.observation_space == env.observation_space
    assert fingerprint(again.reset(seed=1)) == fingerprint(env.reset(seed=1))


@pytest.mark.parametrize("wrapper", SCALAR)
def test_wrappers_go_into_the_sync_vectorization(wrapper: Any) -> None:
    vector = gym.make_vec(
        "Tape-Sort-Easy-v0", num_envs=2, vectorization_mode="sync", wrappers=[wrapper]
    )
    observations, _ = vector.reset(seed=0)
    assert vector.observation_space.contains(observations)
    vector.step(vector.action_space.sample())


def test_the_previous_action_and_reward_are_shown() -> None:
    env = PreviousActionAndReward(make("Tape-Copy-Easy-v0"))
    observation, _ = env.reset(seed=0)
    assert list(observation) == ["observation", "previous_action", "previous_reward"]
    assert observation["previous_action"].tolist() == [0.0] * (3 + 2 + 6)
    assert observation["previous_reward"].tolist() == [0.0]
    first = int(observation["observation"][0])
    observation, *_ = env.step(np.array([2, 1, first]))
    assert np.flatnonzero(observation["previous_action"]).tolist() == [2, 3 + 1, 3 + 2 + first]
    assert observation["previous_reward"].tolist() == [1.0]
    observation, *_ = env.step(np.array([0, 0, 0]))
    assert np.flatnonzero(observation["previous_action"]).tolist() == [0, 3, 5]
    assert observation["previous_reward"].tolist() == [0.0]
    observation, _ = env.reset()
    assert not observation["previous_action"].any()
    assert env.observation_space.contains(observation)


def test_the_previous_action_of_a_discrete_space() -> None:
    env = PreviousActionAndReward(make(MAZE))
    env.reset(seed=0)
    assert env.step(2)[0]["previous_action"].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert env.step(np.int64(3))[0]["previous_action"].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_the_previous_reward_may_be_anything() -> None:
    env = PreviousActionAndReward(make(MAZE, size=5))
    env.reset(seed=0)
    seen = {float(env.step(action)[0]["previous_reward"][0]) for action in [0, 0, 1, 1, 2, 2] * 40}
    assert {float(np.float32(-0.1)), 0.0, 10.0} <= seen
    for reward in (-1e30, 10.0, 1e30):
        assert env.observation_space["previous_reward"].contains(np.array([reward], np.float32))  # type: ignore[index]  # a Dict


def test_a_previous_action_may_start_anywhere() -> None:
    env = PreviousActionAndReward(_Parts(spaces.MultiDiscrete([2, 3], start=[5, -1])))
    env.reset()
    observation, *_ = env.step(np.array([6, -1]))
    assert observation["previous_action"].tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]


def test_what_was_shown_before_stays() -> None:
    env = PreviousActionAndReward(make("Tape-Copy-Easy-v0"))
    first, _ = env.reset(seed=0)
    kept = fingerprint(first)
    env.step(np.array([2, 0, 0]))
    assert fingerprint(first) == kept


def test_the_full_state_is_shown() -> None:
    env = FullObservability(make("Tape-Sort-Easy-v0", max_steps=30))
    observation, _ = env.reset(seed=0)
    state = env.unwrapped.get_state()  # type: ignore[attr-defined]
    shown = dict(zip(env.names, observation.tolist(), strict=True))
    for name in ("limit", "source_size", "target_size", "input_head", "memory_head", "emitted"):
        assert shown[name] == state.rows[name][0]
    for name in ("source", "target", "output", "memory"):
        tape = getattr(state, name)[0].tolist()
        assert [shown[f"{name}[{i}]"] for i in range(len(tape))] == tape
    assert not {"rng_key", "rng_counter", "running"} & set(env.names)
    assert len(env.names) == len(set(env.names)) == env.observation_space.shape[0]  # type: ignore[index]
    observation, *_ = env.step(np.array([2, 2, 3, 0, 0]))
    shown = dict(zip(env.names, observation.tolist(), strict=True))
    assert (shown["steps"], shown["input_head"], shown["memory_head"]) == (1.0, 1.0, 1.0)
    assert shown["memory[0]"] == 3.0


def test_what_is_left_out_does_not_decide_what_comes_next(env_id: str) -> None:
    env = FullObservability(make(env_id))
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    inner: Any = env.unwrapped
    for _ in range(5):
        *_, terminated, truncated, _ = inner.step(some_action(inner, rng, 1.0))
        if terminated or truncated:
            inner.reset()
    state, other = inner.get_state(), inner.get_state()
    action = np.asarray(oracle(env))
    other.rows["rng_counter"] += np.uint64(1000)
    results = []
    for each in (state, other):
        inner.set_state(each)
        observation, reward, *flags, _ = env.step(action)
        results.append((reward, *flags))
    assert results[0] == results[1]
    assert env.observation_space.contains(observation)


@pytest.mark.parametrize("one_id", IDS)
def test_flat_actions_are_all_the_combinations(one_id: str) -> None:
    env = FlatActions(make(one_id))
    sizes = make(one_id).action_space.nvec
    assert env.action_space == spaces.Discrete(int(np.prod(sizes)))
    digits = np.array([env.action(number) for number in range(int(env.action_space.n))])  # type: ignore[attr-defined]
    assert len(np.unique(digits, axis=0)) == len(digits)
    assert (digits >= 0).all()
    assert (digits < sizes).all()
    assert [env.flatten(each) for each in digits] == list(range(len(digits)))
    assert digits[0].tolist() == [0] * len(sizes)
    assert digits[1].tolist() == [0] * (len(sizes) - 1) + [1]  # the last digit turns fastest


def test_flat_actions_do_what_their_sub_actions_do() -> None:
    plain, flat = make("Tape-Sort-Easy-v0"), FlatActions(make("Tape-Sort-Easy-v0"))
    rng = np.random.default_rng(0)
    plain.reset(seed=3)
    flat.reset(seed=3)
    for _ in range(60):
        action = some_action(plain, rng)
        mine, theirs = plain.step(action), flat.step(flat.flatten(action))
        assert fingerprint(mine) == fingerprint(theirs)
        if mine[2] or mine[3]:
            plain.reset()
            flat.reset()


@pytest.mark.parametrize("bad", [-1, 36, 1.0, None, "0", [0], True, float("nan")])
def test_a_flat_action_outside_the_space_is_refused(bad: Any) -> None:
    env = FlatActions(make("Tape-Copy-Easy-v0"))
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match="action"):
        env.step(bad)
    vector = VectorFlatActions(gym.make_vec("Tape-Copy-Easy-v0", num_envs=1))
    vector.reset(seed=0)
    with pytest.raises(InvalidAction, match="action"):
        vector.step([bad])


def test_a_flat_mask_is_the_conjunction_of_the_sub_masks() -> None:
    inner = make("Tape-Reverse-Easy-v0", forced_emission=True, max_steps=1)
    env = FlatActions(inner)
    env.reset(seed=0)
    masks, sub = env.action_masks(), inner.action_masks()
    assert masks.shape == (36,)
    assert not sub.all()
    for number in range(36):
        move, emit, symbol = env.action(number)
        assert masks[number] == (sub[move] and sub[3 + emit] and sub[5 + symbol])
    assert masks.sum() == 18


@pytest.mark.parametrize("vectorization", ["vector_entry_point", "sync"])
def test_flat_masks_of_a_vector_are_those_of_its_rows(vectorization: str) -> None:
    kwargs: dict[str, Any] = {"forced_emission": True, "max_steps": 1}
    one_id = "Tape-Reverse-Easy-v0"
    inner = gym.make_vec(one_id, num_envs=2, vectorization_mode=vectorization, **kwargs)
    vector = VectorFlatActions(inner)
    vector.reset(seed=0)
    row = FlatActions(make(one_id, **kwargs))
    row.reset(seed=0)
    assert not row.action_masks().all()
    np.testing.assert_array_equal(vector.action_masks(), [row.action_masks()] * 2)


@pytest.mark.parametrize("one_id", IDS)
def test_the_vector_wrapper_is_the_scalar_one_row_by_row(one_id: str) -> None:
    vector = VectorFlatActions(gym.make_vec(one_id, num_envs=3))
    scalars = [FlatActions(make(one_id)) for _ in range(3)]
    assert vector.single_action_space == scalars[0].action_space
    vector.reset(seed=0)
    for i, env in enumerate(scalars):
        env.reset(seed=i)
    masks = vector.action_masks()
    for row, env in zip(masks, scalars, strict=True):
        np.testing.assert_array_equal(row, env.action_masks())
    numbers = vector.flatten(oracle(vector))
    assert vector.action_space.contains(numbers)
    _, rewards, terminated, *_ = vector.step(numbers)
    for i, env in enumerate(scalars):
        assert env.step(int(numbers[i]))[1:3] == (rewards[i], terminated[i])
    assert isinstance(vector.unwrapped, MemoryVectorEnv)


@pytest.mark.parametrize("one_id", WITH_SUB_ACTIONS)
def test_flat_actions_fit_every_id(one_id: str) -> None:
    env = FlatActions(gym.make(one_id))
    env.reset(seed=0)
    assert env.action_masks().shape == (env.action_space.n,)  # type: ignore[attr-defined]
    assert float(env.step(env.flatten(oracle(env)))[1]) >= 0.0


def test_wrappers_lie_on_one_another() -> None:
    env = FlatActions(PreviousActionAndReward(FullObservability(make("Tape-Copy-Easy-v0"))))
    env.reset(seed=0)
    observation, reward, *_ = env.step(env.flatten(oracle(env)))
    assert env.observation_space.contains(observation)
    assert float(reward) == 1.0
    assert observation["previous_action"].sum() == 3.0


class _Continuous(gym.Env[Any, Any]):
    observation_space = spaces.Discrete(2)
    action_space = spaces.Box(-1.0, 1.0, (2,))


class _TooMany(gym.Env[Any, Any]):
    observation_space = spaces.Discrete(2)
    action_space = spaces.MultiDiscrete([1000] * 4)


def test_other_environments_are_refused_by_name() -> None:
    for wrapper in (PreviousActionAndReward, FlatActions):
        with pytest.raises(TypeError, match=r"actions Box.*; allowed: .*MultiDiscrete"):
            wrapper(_Continuous())
    with pytest.raises(TypeError, match=r"(?s)observations Box.*; allowed: Discrete"):
        OneHotObservations(make(MAZE))
    with pytest.raises(TypeError, match=r"(?s)observations Box.*; allowed: Discrete"):
        VectorOneHotObservations(gym.make_vec(MAZE, num_envs=2))
    with pytest.raises(TypeError, match=r"actions Discrete.*; allowed: flat MultiDiscrete"):
        FlatActions(make(MAZE))
    with pytest.raises(TypeError, match=r"actions Discrete.*; allowed: flat MultiDiscrete"):
        VectorFlatActions(gym.make_vec(MAZE, num_envs=2))
    with pytest.raises(TypeError, match=r"env is .*; allowed: environments of memory_envs"):
        FullObservability(gym.make("CartPole-v1"))
    with pytest.raises(ValueError, match="1000000000000 actions; allowed: at most 2147483647"):
        FlatActions(_TooMany())


def test_actions_that_do_not_start_at_zero() -> None:
    class Shifted(_Continuous):
        action_space = spaces.MultiDiscrete([2, 3], start=[5, -1])  # type: ignore[assignment]

    env = FlatActions(Shifted())
    assert env.action(0).tolist() == [5, -1]
    assert env.action(5).tolist() == [6, 1]
    assert env.flatten([6, 1]) == 5


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("vectorization", ["vector_entry_point", "sync"])
@pytest.mark.parametrize("one_id", IDS)
def test_rows_of_wrapped_vectors_are_wrapped_scalars_in_every_autoreset_mode(
    one_id: str, vectorization: str, mode: AutoresetMode
) -> None:
    where = {"vector_kwargs": {"autoreset_mode": mode}} if vectorization == "sync" else {}
    native = {"autoreset_mode": mode} if vectorization != "sync" else {}
    kwargs: dict[str, Any] = {"vectorization_mode": vectorization, **where, **native}
    vector = VectorFlatActions(VectorOneHotObservations(gym.make_vec(one_id, num_envs=3, **kwargs)))
    rows = [FlatActions(OneHotObservations(gym.make(one_id))) for _ in range(3)]
    assert vector.single_observation_space == rows[0].observation_space
    assert vector.single_action_space == rows[0].action_space
    observations, _ = vector.reset(seed=5)
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(observations[i], row.reset(seed=5 + i)[0])
    generator = np.random.default_rng(0)
    over = np.zeros(3, np.bool_)
    expected: Any
    reward: Any
    ends = 0
    for _ in range(150):
        assert observations.dtype == np.float32
        assert vector.observation_space.contains(observations)
        actions = generator.integers(vector.single_action_space.n, size=3)  # type: ignore[attr-defined]  # Discrete
        observations, rewards, terminated, truncated, infos = vector.step(actions)
        for i, row in enumerate(rows):
            if over[i] and mode is AutoresetMode.NEXT_STEP:
                expected, reward, ended = row.reset()[0], 0.0, (False, False)
            else:
                expected, reward, *flags, _ = row.step(int(actions[i]))
                ended = (flags[0], flags[1])
            if any(ended) and mode is AutoresetMode.SAME_STEP:
                np.testing.assert_array_equal(infos["final_obs"][i], expected)
                assert infos["final_obs"][i].dtype == np.float32
                expected = row.reset()[0]
            np.testing.assert_array_equal(observations[i], expected)
            assert (rewards[i], terminated[i], truncated[i]) == (reward, *ended)
        over = terminated | truncated
        ends += int(over.sum())
        if over.any() and mode is AutoresetMode.DISABLED:
            observations, _ = vector.reset(options={"reset_mask": over})
            for i in np.flatnonzero(over).tolist():
                np.testing.assert_array_equal(observations[i], rows[i].reset()[0])
    assert ends > 10
    np.testing.assert_array_equal(vector.action_masks(), [row.action_masks() for row in rows])


def test_one_hot_observations_are_those_of_gymnasium_s_flattening() -> None:
    env = OneHotObservations(make("Tape-Sort-Easy-v0", input_radius=1))
    plain = gym.wrappers.FlattenObservation(make("Tape-Sort-Easy-v0", input_radius=1))
    np.testing.assert_array_equal(env.reset(seed=0)[0], plain.reset(seed=0)[0])
    assert env.observation_space.dtype == np.float32


class _Parts(gym.Env[Any, Any]):
    """Takes actions of a space, and remembers the last one."""

    observation_space = spaces.Discrete(3, start=1)

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.action_space = action_space
        self.last: Any = None

    def reset(self, **_: Any) -> tuple[int, dict[str, Any]]:
        return 1, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.last = action
        return 3, 0.0, False, False, {}


@pytest.mark.parametrize(
    "space",
    [
        spaces.Tuple((spaces.Discrete(3), spaces.MultiDiscrete([2, 2]))),
        spaces.Dict(a=spaces.MultiDiscrete([2, 2], start=[5, 0]), b=spaces.Discrete(3, start=-1)),
    ],
    ids=["tuple", "dict"],
)
def test_flat_actions_join_the_parts_of_tuples_and_dicts(space: spaces.Space[Any]) -> None:
    inner = _Parts(space)
    env = FlatActions(OneHotObservations(inner))
    assert env.reset()[0].tolist() == [1.0, 0.0, 0.0]
    assert env.action_space == spaces.Discrete(12)
    taken = []
    for number in range(12):
        assert env.step(number)[0].tolist() == [0.0, 0.0, 1.0]
        taken.append(str(inner.last))
        assert env.flatten(inner.last) == number
    assert len(set(taken)) == 12
    base = gym.vector.SyncVectorEnv([lambda: _Parts(space)] * 2)
    vector = VectorFlatActions(base)
    vector.reset()
    vector.step(np.array([3, 11]))
    assert [env.flatten(row.last) for row in base.envs] == [3, 11]  # type: ignore[attr-defined]  # ours
    assert vector.action_masks().tolist() == [[True] * 12] * 2  # nobody forbids anything
    np.testing.assert_array_equal(vector.flatten(vector.actions(np.array([3, 11]))), [3, 11])
    for nested in (spaces.Tuple(()), spaces.Tuple((spaces.Box(0.0, 1.0),))):
        with pytest.raises(TypeError, match="allowed: flat MultiDiscrete, Tuple and Dict of"):
            FlatActions(_Parts(nested))


@pytest.mark.parametrize("one_id", [*IDS, MAZE])
def test_an_unknown_argument_is_refused_in_python_s_own_words(one_id: str) -> None:
    """TorchRL's `GymEnv(id)` offers `frameskip`, and leaves it out at these words."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'frameskip'"):
        gym.make(one_id, frameskip=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'frameskip'"):
        gym.make_vec(one_id, num_envs=2, frameskip=1)
