from __future__ import annotations

from typing import Any, cast

import gymnasium as gym
import minigrid  # noqa: F401  # registers its environments
import numpy as np
import popgym  # noqa: F401  # the same
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from stable_baselines3.common.env_util import make_vec_env as sb3_make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from agents import MemoryA2C
from agents.environments.make_env import make_vec_env
from agents.environments.vec_env import GymnasiumVecEnv
from memory_envs.wrappers import FlatActions
from tests.agents.toy_envs import MaskedEnv, RandomEnv, RecallVectorEnv, sync


def _cart_poles(mode: AutoresetMode, n_envs: int = 3) -> GymnasiumVecEnv:
    def make() -> gym.Env[Any, Any]:
        return gym.make("CartPole-v1", max_episode_steps=15)

    return GymnasiumVecEnv(SyncVectorEnv([make] * n_envs, autoreset_mode=mode))


@pytest.mark.parametrize("mode", AutoresetMode)
def test_it_is_what_sb3_makes_of_the_same_environments(mode: AutoresetMode) -> None:
    ours = _cart_poles(mode)
    theirs = sb3_make_vec_env("CartPole-v1", 3, env_kwargs={"max_episode_steps": 15})
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    for env in (ours, theirs):
        env.seed(3)
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    rng = np.random.default_rng(0)
    ends = set()
    for _ in range(200):
        actions = rng.integers(2, size=3)
        obs, rewards, dones, infos = ours.step(actions)
        other_obs, other_rewards, other_dones, other_infos = theirs.step(actions)
        np.testing.assert_array_equal(obs, other_obs)
        np.testing.assert_array_equal(rewards, other_rewards)
        assert rewards.dtype == other_rewards.dtype
        np.testing.assert_array_equal(dones, other_dones)
        for info, other in zip(infos, other_infos, strict=True):
            if "episode" not in other:
                assert info == {}
                continue
            last = info["terminal_observation"]
            np.testing.assert_array_equal(last, other["terminal_observation"])
            assert info["TimeLimit.truncated"] == other["TimeLimit.truncated"]
            for key in ("r", "l"):
                assert info["episode"][key] == other["episode"][key]
            assert info["episode"]["t"] >= 0
            ends.add(info["TimeLimit.truncated"])
    assert ends == {False, True}


# Gymnasium forks by default; Python 3.12 and later warn, as NumPy has threads.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("how", ["vector_entry_point", "sync", "async"])
def test_rows_that_would_reset_themselves_later_are_reset_at_once(how: Any) -> None:
    env_id = "Tape-Copy-Easy-v0"
    expected = make_vec_env(env_id, 4, seed=3)
    env = GymnasiumVecEnv(gym.make_vec(env_id, num_envs=4, vectorization_mode=how))
    try:
        assert env.env.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
        env.seed(3)
        np.testing.assert_array_equal(env.reset(), expected.reset())
        expected.action_space.seed(0)
        ends = 0
        for _ in range(60):
            actions = np.stack([expected.action_space.sample() for _ in range(4)])
            ours, theirs = env.step(actions), expected.step(actions)
            for mine, other in zip(ours[:3], theirs[:3], strict=True):
                np.testing.assert_array_equal(mine, other)
            for info, other_info in zip(ours[3], theirs[3], strict=True):
                assert ("episode" in info) is ("episode" in other_info)
                if info:
                    last = info["terminal_observation"]
                    np.testing.assert_array_equal(last, other_info["terminal_observation"])
                    ends += 1
        assert ends > 10
    finally:
        env.close()


def test_next_step_is_refused_with_advice() -> None:
    native = gym.make_vec("CartPole-v1", num_envs=2)
    inner = gym.make_vec("Tape-Copy-Easy-v0", num_envs=2)
    for env in (native, gym.wrappers.vector.RecordEpisodeStatistics(inner)):
        with pytest.raises(ValueError, match=r"NEXT_STEP.*allowed: SAME_STEP, DISABLED.*make_vec"):
            GymnasiumVecEnv(env)


def test_dense_infos_of_a_native_environment() -> None:
    env = GymnasiumVecEnv(RecallVectorEnv(4, length=3))
    env.seed(0)
    bits: Any = env.reset()
    obs: Any
    answers = np.array([0, 0, 1, 1])
    for _ in range(2):
        _, _, dones, infos = env.step(answers)
        assert not dones.any()
        assert infos == [{}, {}, {}, {}]
    obs, rewards, dones, infos = env.step(answers)
    assert dones.all()
    assert set(obs.tolist()) <= {0, 1}
    for row, info in enumerate(infos):
        right = bool(answers[row] == bits[row])
        assert rewards[row] == right
        assert info["is_success"] is right
        assert info["success"] is right
        assert info["terminal_observation"] == 2
        assert info["TimeLimit.truncated"] is False
        assert info["episode"]["r"] == right
        assert info["episode"]["l"] == 3


def test_final_infos_are_kept_key_by_key_and_row_by_row() -> None:
    class Env(gym.Env[Any, Any]):
        observation_space = spaces.Dict({"a": spaces.Discrete(9), "b": spaces.Box(0, 9, (2,))})
        action_space = spaces.Discrete(9)

        def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
            return {"a": 0, "b": np.zeros(2, np.float32)}, {}

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            obs = {"a": int(action), "b": np.full(2, action, np.float32)}
            info: dict[str, Any] = {"id": int(action), "nested": {"v": np.full(2, action)}}
            if action == 2:
                info["only"] = "two"
            return obs, 1.0, action >= 2, action == 3, info

    env = sync(Env, 4)
    env.reset()
    _, _, dones, infos = env.step(np.array([1, 2, 3, 4]))
    assert dones.tolist() == [False, True, True, True]
    assert infos[0] == {}
    assert [info.get("only") for info in infos] == [None, "two", None, None]
    for row in (1, 2, 3):
        info = infos[row]
        assert info["id"] == row + 1
        np.testing.assert_array_equal(info["nested"]["v"], [row + 1, row + 1])
        assert info["terminal_observation"]["a"] == row + 1
        np.testing.assert_array_equal(info["terminal_observation"]["b"], [row + 1, row + 1])
        # Terminated and truncated at once is terminated.
        assert info["TimeLimit.truncated"] is False


def test_observations_are_copies() -> None:
    base = RecallVectorEnv(2)
    shared = np.array([7, 7])
    base._observe = lambda: shared  # type: ignore[method-assign]
    env = GymnasiumVecEnv(base)
    first: Any = env.reset()
    second: Any = env.step(np.zeros(2, int))[0]
    shared[:] = 0
    assert first.tolist() == second.tolist() == [7, 7]


def test_seeds_and_options_reach_the_rows_once() -> None:
    received = []

    class Env(RandomEnv):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            received.append((seed, options))
            return super().reset(seed=seed)

    env = sync(lambda: Env(spaces.Discrete(2), spaces.Discrete(2)), 2)
    env.seed(5)
    env.set_options({"level": 3})
    env.reset()
    env.reset()
    env._seeds = [9, 4]
    env.reset()
    first = {"level": 3}
    assert received == [(5, first), (6, first), (None, None), (None, None), (9, None), (4, None)]
    env.set_options([{"level": 3}, {"level": 4}])
    with pytest.raises(ValueError, match="options differ between rows"):
        env.reset()


def test_attributes_and_methods_of_scalar_environments() -> None:
    env = sync(lambda: MaskedEnv(spaces.Discrete(2), spaces.Discrete(3)), 3)
    env.seed(0)
    env.reset()
    assert env.has_attr("end")
    assert not env.has_attr("no_such_thing")
    with pytest.raises(AttributeError):
        env.get_attr("no_such_thing")
    env.set_attr("end", 0.5, indices=[0, 2])
    assert env.get_attr("end") == [0.5, 0.15, 0.5]
    assert env.get_attr("end", indices=1) == [0.15]
    masks = env.env_method("action_masks")
    assert [mask.shape for mask in masks] == [(3,)] * 3
    np.testing.assert_array_equal(env.action_masks(), np.stack(masks))
    np.testing.assert_array_equal(env.env_method("action_masks", indices=2)[0], masks[2])


def test_attributes_and_methods_of_a_native_environment() -> None:
    class Env(RecallVectorEnv):
        calls = 0

        def action_masks(self) -> Any:
            self.calls += 1
            return np.arange(self.num_envs * 2).reshape(-1, 2) > 0

        def shift(self, by: int, also: int = 0) -> int:
            return by + also

    env = GymnasiumVecEnv(Env(3))
    assert env.has_attr("length")
    assert env.get_attr("length", indices=[0, 2]) == [8, 8]
    env.set_attr("length", 4)
    assert env.get_attr("length") == [4, 4, 4]
    with pytest.raises(ValueError, match=r"indices is \[0\]; allowed .*: None"):
        env.set_attr("length", 4, indices=[0])
    np.testing.assert_array_equal(env.env_method("action_masks", indices=[2, 0])[1], [False, True])
    assert env.get_attr("calls", indices=0) == [1]
    assert env.action_masks().shape == (3, 2)
    assert env.env_method("shift", 2, also=3) == [5, 5, 5]


def test_rows_in_other_processes() -> None:
    def make() -> gym.Env[Any, Any]:
        return MaskedEnv(spaces.Discrete(2), spaces.Discrete(3))

    env = GymnasiumVecEnv(AsyncVectorEnv([make] * 2, autoreset_mode=AutoresetMode.SAME_STEP))
    env.seed(0)
    env.reset()
    masks = env.action_masks()
    assert masks.shape == (2, 3)
    np.testing.assert_array_equal(env.env_method("action_masks", indices=1)[0], masks[1])
    env.set_attr("end", 0.5)
    assert env.get_attr("end") == [0.5, 0.5]
    with pytest.raises(ValueError, match="indices is 0; allowed"):
        env.set_attr("end", 0.5, indices=0)
    env.close()


def test_nested_observations_are_refused_and_not_dropped() -> None:
    nested = spaces.Dict({"x": spaces.Discrete(3), "y": spaces.Dict({"z": spaces.Discrete(2)})})
    with pytest.raises(NotImplementedError, match="Nested observation spaces are not supported"):
        MemoryA2C("MemoryPolicy", sync(lambda: RandomEnv(nested, spaces.Discrete(3)), 2))


def test_an_info_may_be_one_value_for_all_rows() -> None:
    class Env(RecallVectorEnv):
        def reset(self, **kwargs: Any) -> Any:
            return super().reset(**kwargs)[0], {"step": 5}

    env = GymnasiumVecEnv(Env(2))
    env.reset()
    assert env.reset_infos == [{"step": 5}, {"step": 5}]


def test_it_counts_as_monitored_and_knows_wrappers() -> None:
    env = make_vec_env("CartPole-v1", n_envs=2)
    assert env.env_is_wrapped(Monitor) == [True, True]
    assert env.env_is_wrapped(gym.wrappers.TimeLimit) == [True, True]
    assert env.env_is_wrapped(gym.wrappers.ClipAction, indices=1) == [False]
    native = GymnasiumVecEnv(RecallVectorEnv(2))
    assert native.env_is_wrapped(Monitor, indices=0) == [True]
    assert native.env_is_wrapped(gym.wrappers.TimeLimit) == [False, False]


def test_images_are_tiled_by_sb3() -> None:
    env = make_vec_env("MiniGrid-MemoryS7-v0", n_envs=2, render_mode="rgb_array")
    env.reset()
    images = env.get_images()
    assert len(images) == 2
    picture = env.render()
    assert picture is not None
    assert picture.ndim == 3
    env.close()


def test_texts_are_dropped() -> None:
    env = make_vec_env("MiniGrid-MemoryS7-v0", n_envs=2, seed=0)
    assert isinstance(env.observation_space, spaces.Dict)
    assert set(env.observation_space) == {"direction", "image"}
    obs: Any = env.reset()
    assert set(obs) == {"direction", "image"}
    for _ in range(300):
        obs, _, dones, infos = env.step(np.array([env.action_space.sample(), 2]))
        assert set(obs) == {"direction", "image"}
        if dones.any():
            row = int(dones.argmax())
            assert set(infos[row]["terminal_observation"]) == {"direction", "image"}
            break
    else:
        pytest.fail("no episode ended")


@pytest.mark.parametrize(
    "env_id",
    ["CartPole-v1", "Pendulum-v1", "MiniGrid-MemoryS7-v0", "popgym-RepeatPreviousEasy-v0"],
)
def test_ids_of_others_are_seeded_row_by_row(env_id: str) -> None:
    env = make_vec_env(env_id, n_envs=3, seed=11)
    obs: Any = env.reset()
    for row in range(3):
        alone, _ = gym.make(env_id).reset(seed=11 + row)
        parts = obs if isinstance(obs, dict) else {"": obs}
        expected: Any = alone if isinstance(alone, dict) else {"": alone}
        for key, value in parts.items():
            np.testing.assert_array_equal(value[row], expected[key])


def test_the_native_version_is_used_where_it_resets_in_the_same_step() -> None:
    def make(num_envs: int, *, autoreset_mode: Any, length: int) -> RecallVectorEnv:
        assert autoreset_mode == AutoresetMode.SAME_STEP
        return RecallVectorEnv(num_envs, length)

    gym.register("ToyRecall-v0", entry_point=None, vector_entry_point=cast(Any, make))
    try:
        env = make_vec_env("ToyRecall-v0", n_envs=5, seed=0, length=4)
        assert isinstance(env.env.unwrapped, RecallVectorEnv)
        assert env.get_attr("length", indices=0) == [4]
        with pytest.raises(TypeError, match="no_such_argument"):
            make_vec_env("ToyRecall-v0", length=4, no_such_argument=1)
    finally:
        gym.registry.pop("ToyRecall-v0")
    # CartPole's own vector version cannot.
    assert isinstance(make_vec_env("CartPole-v1", n_envs=2).env.unwrapped, SyncVectorEnv)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="n_envs is 0; allowed: integers from 1 on"):
        make_vec_env("CartPole-v1", n_envs=0)
    with pytest.raises(gym.error.Error, match="CartPol"):
        make_vec_env("CartPol-v1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed is -1; allowed: None, integers from 0 on"),
        ({"env_kwargs": {"max_length": 5}}, "env_kwargs is {.*}; allowed: the environment's"),
        ({"wrapper_class": FlatActions}, r"wrapper_class is .*; allowed: wrappers=\["),
        ({"monitor_dir": "here"}, "monitor_dir is 'here'; allowed: SB3's VecMonitor"),
        ({"vec_env_cls": DummyVecEnv}, "vec_env_cls is .*; allowed: gym.make_vec"),
    ],
)
def test_arguments_of_sb3s_function_are_translated(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make_vec_env("Tape-Copy-Easy-v0", 2, **arguments)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_a_tuple_observation_is_shown_as_a_dict(mode: AutoresetMode) -> None:
    """POPGym's Autoencode: two decks of cards."""

    def make() -> gym.Env[Any, Any]:
        return gym.make("popgym:popgym-AutoencodeEasy-v0", max_episode_steps=12)

    env = GymnasiumVecEnv(SyncVectorEnv([make] * 3, autoreset_mode=mode))
    row = make()
    parts: Any = row.observation_space
    assert env.observation_space == spaces.Dict({"0": parts[0], "1": parts[1]})
    env.seed(0)
    obs = cast(dict[str, Any], env.reset())
    expected = row.reset(seed=0)[0]
    ended = 0
    for step in range(30):
        assert (obs["0"][0], obs["1"][0]) == tuple(expected)
        action = step % 4
        obs, _, dones, infos = cast(Any, env.step(np.full(3, action)))
        expected, _, terminated, truncated, _ = row.step(action)
        assert dones[0] == (terminated or truncated)
        if dones[0]:
            ended += 1
            last = infos[0]["terminal_observation"]
            assert (last["0"], last["1"]) == tuple(expected)
            expected = row.reset()[0]
    assert ended == 2


def test_an_agent_learns_from_tuple_observations_and_plays_with_them() -> None:
    env_id = "popgym:popgym-AutoencodeEasy-v0"
    env = make_vec_env(env_id, 2, seed=0, max_episode_steps=12)
    model = MemoryA2C("MemoryPolicy", env, n_steps=8, seed=0).learn(64)
    row = gym.make(env_id)
    observation: Any = row.reset(seed=0)[0]
    assert row.observation_space.contains(observation)
    action, state = model.predict(observation)
    after: Any = row.step(action)[0]
    action, _ = model.predict(after, state)
    assert row.action_space.contains(action)


@pytest.mark.parametrize("env_id", ["popgym:popgym-AutoencodeEasy-v0", "MiniGrid-MemoryS7-v0"])
def test_an_id_and_one_environment_are_read_as_their_rows_are(env_id: str) -> None:
    learned = []
    for given in (make_vec_env(env_id), env_id, gym.make(env_id)):
        model = MemoryA2C("MemoryPolicy", given, n_steps=8, seed=0).learn(16)
        learned.append(model.get_parameters()["policy"])
    for other in learned[1:]:
        torch.testing.assert_close(other, learned[0], rtol=0, atol=0)


def test_actions_of_several_parts_are_refused_with_the_wrapper_that_helps() -> None:
    space = spaces.Tuple((spaces.Discrete(2), spaces.MultiDiscrete([3, 2])))

    def make(**_: Any) -> gym.Env[Any, Any]:
        return RandomEnv(spaces.Discrete(3), space)

    with pytest.raises(ValueError, match=r"action space is Tuple.*wrappers=\[FlatActions\]"):
        sync(make, 2)
    gym.register("SeveralParts-v0", make)
    try:
        env = make_vec_env("SeveralParts-v0", 2, seed=0, wrappers=[FlatActions])
    finally:
        del gym.registry["SeveralParts-v0"]
    assert env.action_space == spaces.Discrete(12)
    assert MemoryA2C("MemoryPolicy", env, n_steps=8, seed=0).learn(32).num_timesteps == 32
