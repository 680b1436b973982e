"""Contracts that every registered environment keeps; a new row of the table needs no new test."""

import inspect
import re
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from memory_envs import ENVIRONMENTS
from memory_envs.core.env import MemoryEnv
from memory_envs.core.vector import MemoryVectorEnv
from memory_envs.oracles import oracle
from tests.memory_envs.conftest import fingerprint, make, play, random_actions, some_action

ONE_PER_FAMILY = list({spec.family: spec.id for spec in ENVIRONMENTS.values()}.values())


def test_gymnasium_finds_no_fault(env_id: str) -> None:
    check_env(make(env_id), skip_render_check=True)


@pytest.mark.parametrize("one_id", ONE_PER_FAMILY)
def test_gymnasium_finds_no_fault_in_rendering(
    one_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setitem(MemoryEnv.metadata, "render_fps", 1000)
    check_env(make(one_id, render_mode="rgb_array"))


def test_stable_baselines3_finds_no_fault(env_id: str) -> None:
    from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

    check_env_of_sb3(make(env_id))


def test_ids_work_with_the_module_prefix_and_in_every_vectorization(env_id: str) -> None:
    env = gym.make(f"memory_envs:{env_id}")
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    native = gym.make_vec(env_id, num_envs=2)
    assert isinstance(native.unwrapped, MemoryVectorEnv)
    sync = gym.make_vec(env_id, num_envs=2, vectorization_mode="sync")
    observations = [vector.reset(seed=0)[0] for vector in (native, sync)]
    np.testing.assert_array_equal(*observations)
    assert native.observation_space == sync.observation_space
    assert native.action_space == sync.action_space


def test_the_async_vectorization_works() -> None:
    """In other processes, which rebuild the environment from its id."""
    native = gym.make_vec("Tape-Reverse-Easy-v0", num_envs=2)
    kwargs: dict[str, Any] = {"vectorization_mode": "async", "vector_kwargs": {"context": "spawn"}}
    others = gym.make_vec("memory_envs:Tape-Reverse-Easy-v0", num_envs=2, **kwargs)
    try:
        for vector in (native, others):
            vector.reset(seed=5)
        actions = np.array([[2, 0, 0], [2, 0, 0]])
        for mine, theirs in zip(native.step(actions)[:4], others.step(actions)[:4], strict=True):
            np.testing.assert_array_equal(mine, theirs)
    finally:
        others.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_row_of_the_vector_is_the_scalar_environment(env_id: str, mode: AutoresetMode) -> None:
    num_envs = 3
    vector = gym.make_vec(env_id, num_envs=num_envs, autoreset_mode=mode)
    scalars = [make(env_id) for _ in range(num_envs)]
    rng = np.random.default_rng(1)
    observations, infos = vector.reset(seed=7)
    for i, env in enumerate(scalars):
        _same_row(i, observations, infos, *env.reset(seed=7 + i))
    over = np.zeros(num_envs, np.bool_)
    finished = np.zeros(num_envs, np.int64)
    while finished.min() < 2:
        if mode is AutoresetMode.DISABLED and over.any():
            before = observations
            observations, infos = vector.reset(options={"reset_mask": over.copy()})
            np.testing.assert_array_equal(observations[~over], before[~over])
            np.testing.assert_array_equal(infos["_success"], over)
            for i in np.flatnonzero(over).tolist():
                _same_row(i, observations, infos, *scalars[i].reset())
            over[:] = False
        actions = random_actions(vector, rng)
        for i in np.flatnonzero(~over).tolist():
            actions[i] = some_action(scalars[i], rng)
        observations, rewards, terminated, truncated, infos = vector.step(actions)
        assert observations.dtype == vector.single_observation_space.dtype
        assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, bool, bool)
        for i, env in enumerate(scalars):
            if over[i]:  # NEXT_STEP: this step began an episode
                _same_row(i, observations, infos, *env.reset())
                assert (rewards[i], terminated[i], truncated[i]) == (0.0, False, False)
                over[i] = False
                continue
            observation, *outcome, info = env.step(actions[i])
            assert [rewards[i], terminated[i], truncated[i]] == outcome
            over[i] = terminated[i] or truncated[i]
            if mode is AutoresetMode.SAME_STEP:
                assert infos.get("_final_obs", over * False)[i] == over[i]
                assert infos.get("_final_info", over * False)[i] == over[i]
                if over[i]:
                    _same_row(i, infos["final_obs"], infos["final_info"], observation, info)
                    observation, info = env.reset()
            _same_row(i, observations, infos, observation, info)
        finished += over
        if mode is AutoresetMode.SAME_STEP:
            assert ("final_obs" in infos) == over.any()
            over[:] = False


def _same_row(i: int, observations: Any, infos: Any, observation: Any, info: Any) -> None:
    assert fingerprint(observations[i]) == fingerprint(observation)
    shown = {name for name in infos if not name.startswith(("_", "final_"))}
    assert shown == set(info)
    for name, value in info.items():
        expected = infos[name][i]
        # A scalar environment's numbers are Python's.
        assert type(value) is (np.ndarray if expected.ndim else type(expected.item())), name
        np.testing.assert_array_equal(value, expected)
        assert infos[f"_{name}"][i]


def test_a_row_does_not_depend_on_how_many_there_are(env_id: str) -> None:
    vectors = [gym.make_vec(env_id, num_envs=num_envs) for num_envs in (1, 2, 9)]
    rng = np.random.default_rng(0)
    first = [vector.reset(seed=3)[0] for vector in vectors]
    for few in first[:-1]:
        np.testing.assert_array_equal(few, first[-1][: len(few)])
    for _ in range(40):
        actions = random_actions(vectors[-1], rng)
        results = [vector.step(actions[: vector.num_envs]) for vector in vectors]
        for result in results[:-1]:
            for mine, all_rows in zip(result[:4], results[-1][:4], strict=True):
                np.testing.assert_array_equal(mine, all_rows[: len(mine)])


def test_a_seed_decides_everything(env_id: str) -> None:
    used, fresh = make(env_id), make(env_id)
    used.reset(seed=1)
    play(used, np.random.default_rng(2), 60)
    assert fingerprint(used.reset(seed=3)) == fingerprint(fresh.reset(seed=3))
    assert fingerprint(used.get_state()) == fingerprint(fresh.get_state())
    runs = [play(env, np.random.default_rng(4), 60) for env in (used, fresh)]
    assert runs[0] == runs[1]


def test_seeds_differ_and_an_unseeded_reset_goes_on(env_id: str) -> None:
    env = make(env_id)
    states = []
    for seed in range(20):
        env.reset(seed=seed)
        states.append(_without_generator(env))
    assert len(set(states)) > 3
    env.reset(seed=0)
    following = []
    for _ in range(20):
        env.reset()
        following.append(_without_generator(env))
    assert len(set(following)) > 3


def _without_generator(env: Any) -> str:
    state = env.get_state()
    state.rows["rng_key"] = state.rows["rng_counter"] = 0
    return repr(fingerprint(state))


def test_a_first_reset_without_a_seed_is_random(env_id: str) -> None:
    keys = set()
    for _ in range(3):
        env = make(env_id)
        env.reset()
        keys.add(int(env.get_state().rows["rng_key"][0]))
    assert len(keys) == 3


def test_set_state_restores_a_scalar_environment(env_id: str) -> None:
    env, fresh = make(env_id), make(env_id)
    env.reset(seed=11)
    play(env, np.random.default_rng(0), 7)
    saved = env.get_state()
    before = fingerprint(saved)
    first = play(env, np.random.default_rng(1), 80)
    assert fingerprint(saved) == before  # a copy, not a view
    for other in (env, fresh):
        other.set_state(saved)
        assert fingerprint(other.get_state()) == before
        assert play(other, np.random.default_rng(1), 80) == first


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_set_state_restores_a_vector_environment(env_id: str, mode: AutoresetMode) -> None:
    kwargs: dict[str, Any] = {"num_envs": 4, "autoreset_mode": mode}
    env: Any = gym.make_vec(env_id, **kwargs).unwrapped
    fresh: Any = gym.make_vec(env_id, **kwargs).unwrapped
    env.reset(seed=11)
    rng = np.random.default_rng(0)
    actions = [random_actions(env, rng) for _ in range(40)]
    for action in actions[:10]:
        env.step(action)
    saved = env.get_state()
    first = [fingerprint(env.step(action)) for action in actions]
    for other in (env, fresh):
        other.set_state(saved)
        assert [fingerprint(other.step(action)) for action in actions] == first


def test_set_state_refuses_what_is_no_state_of_its_own(env_id: str) -> None:
    env = make(env_id)
    env.reset(seed=1)
    good = env.get_state()
    name = good._fields[-1]
    array = getattr(good, name)
    bad: list[Any] = [
        None,
        {},
        tuple(good),
        env,
        good._replace(**{name: None}),
        good._replace(**{name: array.tolist()}),
        good._replace(**{name: np.concatenate([array, array])}),
        good._replace(**{name: array[:0]}),
        good._replace(rows=good.rows["steps"]),
    ]
    for other in ENVIRONMENTS.values():
        if other.family != ENVIRONMENTS[env_id].family:
            foreign = make(other.id)
            foreign.reset(seed=1)
            bad.append(foreign.get_state())
            break
    for state in bad:
        with pytest.raises((TypeError, ValueError), match="state"):
            env.set_state(state)
        assert fingerprint(env.get_state()) == fingerprint(good)


def test_action_masks_fit_the_action_space(env_id: str) -> None:
    vector: Any = gym.make_vec(env_id, num_envs=3).unwrapped
    scalars = [make(env_id) for _ in range(3)]
    vector.reset(seed=0)
    for i, env in enumerate(scalars):
        env.reset(seed=i)
    space = scalars[0].action_space
    sizes = space.nvec if isinstance(space, gym.spaces.MultiDiscrete) else np.array([space.n])
    masks = vector.action_masks()
    assert (masks.shape, masks.dtype) == ((3, sizes.sum()), np.bool_)
    for i, env in enumerate(scalars):
        np.testing.assert_array_equal(env.action_masks(), masks[i])
        assert all(part.any() for part in np.split(masks[i], np.cumsum(sizes)[:-1]))


def test_maskable_agents_read_the_masks(env_id: str) -> None:
    from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
    from stable_baselines3.common.vec_env import DummyVecEnv

    env = DummyVecEnv([lambda: gym.make(env_id)] * 2)
    assert is_masking_supported(env)
    env.reset()
    inner = make(env_id)
    assert get_action_masks(env).shape == (2, *inner.action_masks().shape)


def test_infos_keep_their_keys_shapes_and_types(env_id: str) -> None:
    env = make(env_id)
    _, info = env.reset(seed=0)
    assert {"success", "complexity"} <= set(info)
    rng = np.random.default_rng(0)
    for _ in range(60):
        *_, terminated, truncated, later = env.step(some_action(env, rng))
        for name, value in later.items():
            assert np.asarray(value).dtype == np.asarray(info[name]).dtype, name
            assert np.shape(value) == np.shape(info[name]), name
        assert set(later) == set(info)
        if terminated or truncated:
            env.reset()


@pytest.mark.parametrize("mode", [None, *AutoresetMode])
def test_what_is_returned_is_the_users_own(env_id: str, mode: AutoresetMode | None) -> None:
    """Scribbling over every array that came back changes nothing that comes later."""

    def build() -> Any:
        if mode is None:
            return make(env_id)
        kwargs: dict[str, Any] = {"autoreset_mode": mode}
        return gym.make_vec(env_id, num_envs=3, **kwargs).unwrapped

    env, twin = build(), build()
    rng = np.random.default_rng(0)
    _scribble(env.reset(seed=4))
    twin.reset(seed=4)
    for _ in range(15):
        _scribble(env.get_state())
        _scribble(env.action_masks())
        running = twin.get_state().rows["running"]
        if not running.all() and mode in (None, AutoresetMode.DISABLED):
            options = None if mode is None else {"reset_mask": ~running}
            mine, theirs = env.reset(options=options), twin.reset(options=options)
        else:
            if mode is None:
                actions = some_action(twin, rng)
            else:
                actions = oracle(twin) if rng.random() < 0.8 else random_actions(env, rng)
            mine, theirs = env.step(actions), twin.step(actions)
        assert fingerprint(mine) == fingerprint(theirs)
        assert fingerprint(env.get_state()) == fingerprint(twin.get_state())
        _scribble(mine)


def _scribble(value: Any) -> None:
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for item in value:
            _scribble(item)
    elif isinstance(value, np.ndarray) and value.flags.writeable:
        # A second time flips a mask that two keys share back, so set rather than invert.
        value[...] = (
            np.zeros((), value.dtype) if value.dtype == np.bool_ else np.ones((), value.dtype)
        )


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_state_after_an_end_is_stepped_only_where_the_next_step_resets(
    mode: AutoresetMode,
) -> None:
    env = make("Tape-Copy-v0", max_steps=1)
    env.reset(seed=0)
    env.step(oracle(env))
    vector: Any = gym.make_vec("Tape-Copy-v0", num_envs=1, autoreset_mode=mode, max_steps=1)
    vector.unwrapped.set_state(env.get_state())
    actions = np.zeros((1, 3), np.int64)
    if mode is AutoresetMode.NEXT_STEP:
        vector.step(actions)
        assert vector.unwrapped.get_state().rows["running"].all()
    else:
        with pytest.raises(ResetNeeded):
            vector.step(actions)


def test_the_caller_keeps_the_actions(env_id: str) -> None:
    vector: Any = gym.make_vec(env_id, num_envs=2, render_mode="ansi")
    vector.reset(seed=0)
    actions = oracle(vector)
    vector.step(actions)
    before = vector.render()
    actions[:] = 77
    assert vector.render() == before


def test_a_row_shows_no_action_of_the_episode_before(env_id: str) -> None:
    vector: Any = gym.make_vec(env_id, num_envs=2, render_mode="ansi")
    vector.reset(seed=0)
    vector.step(oracle(vector))
    acted = vector.render()[1]
    vector.reset(options={"reset_mask": np.array([True, False])})
    fresh = make(env_id, render_mode="ansi")
    fresh.set_state(type(vector.get_state())(*(array[:1] for array in vector.get_state())))
    assert vector.render()[0] == fresh.render()
    assert vector.render()[1] == acted


def test_observations_lie_in_the_space(env_id: str) -> None:
    env = make(env_id)
    observation, _ = env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(100):
        assert env.observation_space.contains(observation)
        observation, _, terminated, truncated, _ = env.step(some_action(env, rng, 0.5))
        if terminated or truncated:
            assert env.observation_space.contains(observation)
            observation, _ = env.reset()


def test_reward_is_a_python_float_and_flags_are_bools(env_id: str) -> None:
    env = make(env_id)
    env.reset(seed=0)
    _, reward, terminated, truncated, _ = env.step(oracle(env))
    assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)


@pytest.mark.parametrize("one_id", ENVIRONMENTS)
def test_the_docstring_lists_the_info(one_id: str) -> None:
    env = make(one_id)
    section = (inspect.getdoc(env) or "").partition("## Info\n")[2].partition("\n## ")[0]
    _, first = env.reset(seed=0)
    *_, later = env.step(env.action_space.sample())
    assert set(re.findall(r"`(\w+)`", section)) == first.keys() == later.keys()
    assert {"success", "complexity"} <= first.keys()
