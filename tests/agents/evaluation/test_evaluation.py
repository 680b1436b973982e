"""Models of Stable-Baselines3 and ours are scored as if they played episode by episode."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from sb3_contrib import MaskablePPO, RecurrentPPO
from stable_baselines3 import DQN, PPO

from agents import MemoryPPO, make_vec_env
from memory_envs import evaluate
from memory_envs.scoring.makers import from_predict
from memory_envs.scoring.opening import opened
from memory_envs.scoring.play import EpisodeResults, play
from memory_envs.scoring.policy import CannotPlayError
from memory_envs.scoring.result import EvaluationResult
from memory_envs.wrappers import FlatActions, OneHotObservations

EASY = "Tape-Reverse-Easy-v0"


def untrained(env_id: str, memory: str = "gru", **env_kwargs: Any) -> MemoryPPO:
    env = make_vec_env(env_id, 2, **env_kwargs)
    return MemoryPPO(
        "MemoryPolicy",
        env,
        n_steps=8,
        batch_size=16,
        policy_kwargs={"memory": memory, "memory_kwargs": {"hidden_size": 8}},
        seed=3,
    )


def one_by_one(model: Any, env: gym.Env[Any, Any], episodes: int, seed: int) -> Any:
    """Returns, lengths and successes of scalar episodes, in plain lines."""
    returns, lengths, successes = [], [], []
    for episode in range(episodes):
        obs, info = env.reset(seed=seed + episode)
        state, start, total, length, ended = None, True, 0.0, 0, False
        while not ended:
            masks = {}
            if isinstance(model, MaskablePPO):
                masks = {"action_masks": env.get_wrapper_attr("action_masks")()}
            action, state = model.predict(
                obs, state=state, episode_start=np.array([start]), deterministic=True, **masks
            )
            obs, reward, terminated, truncated, info = env.step(action)
            total, length, start = total + float(reward), length + 1, False
            ended = terminated or truncated
        returns.append(total)
        lengths.append(length)
        successes.append(info.get("success"))
    return returns, lengths, successes


def in_rows(model: Any, env: Any, episodes: int, seed: int, **env_kwargs: Any) -> EpisodeResults:
    with opened(env, 5, env_kwargs) as rows:  # 13 episodes do not fill the last batch
        return play(from_predict(model), rows, episodes, seed)


@pytest.mark.parametrize("env_id", [EASY, "CartPole-v1", "Algorithmic/Copy-v0"])
def test_it_equals_episodes_played_one_by_one(env_id: str) -> None:
    model = untrained(env_id)
    played = in_rows(model, env_id, 13, seed=100)
    returns, lengths, successes = one_by_one(model, gym.make(env_id), 13, seed=100)
    assert len(set(lengths)) > 1, "episodes of one length could not tell a bias"
    assert played.returns.tolist() == returns
    assert played.lengths.tolist() == lengths
    assert played.successes is not None
    if env_id == "CartPole-v1":  # it has no word for success, but a return from which it is solved
        successes = [total >= 475.0 for total in returns]
    assert played.successes.tolist() == successes


@pytest.mark.parametrize(
    ("algorithm", "policy", "env_id", "env_kwargs"),
    [
        (PPO, "MlpPolicy", "CartPole-v1", {}),
        (RecurrentPPO, "MlpLstmPolicy", "Algorithmic/Copy-v0", {}),
        (MaskablePPO, "MlpPolicy", "Tape-Copy-Easy-v0", {"forced_emission": True}),
    ],
)
def test_models_of_stable_baselines_play_too(
    algorithm: Any, policy: str, env_id: str, env_kwargs: dict[str, Any]
) -> None:
    env = make_vec_env(env_id, 4, **env_kwargs)
    model = algorithm(policy, env, n_steps=16, batch_size=16, seed=0)
    played = in_rows(model, env_id, 6, seed=5, **env_kwargs)
    returns, lengths, _ = one_by_one(model, gym.make(env_id, **env_kwargs), 6, seed=5)
    assert played.returns.tolist() == returns
    assert played.lengths.tolist() == lengths


def test_models_that_need_wrappers_have_a_score() -> None:
    def make() -> gym.Env[Any, Any]:
        return FlatActions(OneHotObservations(gym.make("Tape-Copy-Easy-v0")))

    for model in (
        DQN("MlpPolicy", make(), buffer_size=100, seed=0),
        RecurrentPPO("MlpLstmPolicy", make(), n_steps=16, batch_size=16, seed=0),
    ):
        found = evaluate(model, make, episodes=6, seed=5)
        assert found == evaluate(model, make(), episodes=6, seed=5)
        returns, lengths, _ = one_by_one(model, make(), 6, seed=5)
        assert found.return_mean == np.mean(returns)
        assert found.length_mean == np.mean(lengths)
        assert found.score is not None
        with pytest.raises(CannotPlayError, match="Wrap the environment as it was in training"):
            evaluate(model, "Tape-Copy-Easy-v0", episodes=6)


def moments(found: EvaluationResult) -> tuple[float, ...]:
    """Three numbers, of which one alone could be the same for other episodes."""
    return found.return_mean, found.return_std, found.length_mean


def test_sampling_is_seeded_and_leaves_training_alone() -> None:
    model = untrained(EASY)
    before = model.generator.get_state(), torch.get_rng_state()
    policy = from_predict(model, deterministic=False)
    first, second, other = (evaluate(policy, EASY, 40, seed=seed) for seed in (7, 7, 8))
    assert first == second
    assert first.deterministic is False
    assert moments(first) != moments(other)
    assert torch.equal(model.generator.get_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert evaluate(model, EASY, 40).deterministic is True


def test_sampled_actions_of_stable_baselines_are_seeded() -> None:
    def flat() -> gym.Env[Any, Any]:
        return FlatActions(gym.make(EASY))

    dqn = DQN("MlpPolicy", flat(), buffer_size=100, seed=0)
    dqn.exploration_rate = 0.5
    for model, env in (
        (PPO("MlpPolicy", make_vec_env(EASY, 2), n_steps=8, batch_size=16, seed=0), EASY),
        (dqn, flat),
    ):
        np.random.seed(0)  # noqa: NPY002
        model.action_space.seed(0)
        policy = from_predict(model, deterministic=False)
        first, second, other = (evaluate(policy, env, 40, seed=seed) for seed in (7, 7, 8))
        assert first == second
        assert moments(first) != moments(other)
        drawn = np.random.random(), model.action_space.sample().tolist()  # noqa: NPY002
        np.random.seed(0)  # noqa: NPY002
        model.action_space.seed(0)
        assert drawn == (np.random.random(), model.action_space.sample().tolist())  # noqa: NPY002


def test_a_model_of_another_environment_is_refused() -> None:
    with pytest.raises(CannotPlayError, match="policy MemoryPPO has observation_space Box"):
        evaluate(untrained("CartPole-v1"), EASY, episodes=2)


def test_a_recurrent_model_plays_in_every_autoreset_mode() -> None:
    model = untrained("Algorithmic/Copy-v0")
    found = evaluate(model, "Algorithmic/Copy-v0", episodes=13)
    for mode in AutoresetMode:
        rows = gym.make_vec("Algorithmic/Copy-v0", num_envs=5, autoreset_mode=mode)
        assert evaluate(model, rows, episodes=13) == found
