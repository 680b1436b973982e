"""Evaluations are unbiased, reproducible, and the same as playing episode by episode."""

import dataclasses
import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import MaskablePPO, RecurrentPPO
from stable_baselines3 import PPO

from agents import GymnasiumVecEnv, MemoryPPO, make_vec_env
from agents.evaluation.actors import CannotPlayError, model_policy, random_policy
from agents.evaluation.evaluate import EvaluationResult, evaluate, oracle_policy, play, summarize

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


def one_by_one(model: Any, env_id: str, episodes: int, seed: int, **env_kwargs: Any) -> Any:
    """Returns, lengths and successes of scalar episodes, in plain lines."""
    env = gym.make(env_id, **env_kwargs)
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


@pytest.mark.parametrize("env_id", [EASY, "CartPole-v1", "Algorithmic/Copy-v0"])
def test_it_equals_episodes_played_one_by_one(env_id: str) -> None:
    model = untrained(env_id)
    env = make_vec_env(env_id, 5)  # 13 episodes do not fill the last batch
    played = play(model_policy(model, deterministic=True), env, 13, seed=100)
    returns, lengths, successes = one_by_one(model, env_id, 13, seed=100)
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
    played = play(model_policy(model, deterministic=True), env, 6, seed=5)
    returns, lengths, _ = one_by_one(model, env_id, 6, seed=5, **env_kwargs)
    assert played.returns.tolist() == returns
    assert played.lengths.tolist() == lengths


def moments(found: EvaluationResult) -> tuple[float, ...]:
    """Three numbers, of which one alone could be the same for other episodes."""
    return found.return_mean, found.return_std, found.length_mean


class CoinEnv(gym.Env[Any, Any]):
    """The seed decides: 20 steps that pay 1 in all, or a single one that pays nothing."""

    observation_space = spaces.Discrete(2)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.length = 20 if self.np_random.random() < 0.5 else 1
        self.steps = 0
        return 0, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        ended = self.steps == self.length
        return 0, float(ended and self.length > 1), ended, False, {}


def test_short_episodes_weigh_no_more_than_long_ones() -> None:
    mode = gym.vector.AutoresetMode.SAME_STEP
    env = GymnasiumVecEnv(gym.vector.SyncVectorEnv([CoinEnv] * 8, autoreset_mode=mode))
    played = play(random_policy, env, 64, seed=0)
    expected = []
    for seed in range(64):
        coin = CoinEnv()
        coin.reset(seed=seed)
        expected.append(coin.length)
    assert 10 < expected.count(20) < 54
    assert played.lengths.tolist() == expected
    assert played.returns.mean() == expected.count(20) / 64


@pytest.mark.parametrize(
    "env_id", [EASY, "Tape-Addition-Easy-v0", "Algorithmic/ReversedAddition-v0"]
)
def test_the_oracle_scores_one_and_chance_zero(env_id: str) -> None:
    best = evaluate(oracle_policy, env_id, episodes=120, seed=7)
    assert best.success == 1.0
    assert best.score == pytest.approx(1.0, abs=1e-12)
    assert best.return_mean == best.optimal_return
    chance = evaluate(random_policy, env_id, episodes=120, seed=7)
    assert chance.score == 0.0
    assert chance.return_mean == best.random_return
    assert chance.return_mean < 0.5 * best.return_mean


def test_the_score_lies_between_chance_and_optimum() -> None:
    found = evaluate(untrained(EASY), EASY, episodes=50, deterministic=True)
    assert found.score is not None
    assert found.random_return is not None
    assert found.optimal_return is not None
    share = (found.return_mean - found.random_return) / (found.optimal_return - found.random_return)
    assert found.score == pytest.approx(share)
    assert found.score < 0.9


def test_the_json_holds_every_number() -> None:
    found = evaluate(oracle_policy, EASY, episodes=10, seed=1, name="oracle").to_dict()
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    assert (again["env"], again["model"], again["episodes"]) == (EASY, "oracle", 10)
    assert (again["success"], again["seed"]) == (1.0, 1)
    assert again["return_std"] > 0
    assert again["length_mean"] > again["return_mean"]


def test_without_oracle_and_success_both_are_null() -> None:
    found = evaluate(random_policy, "Pendulum-v1", episodes=2)
    assert found.success is None
    assert found.score is None
    assert found.optimal_return is None


@pytest.mark.parametrize(("threshold", "success"), [(5.0, 1.0), (1000.0, 0.0)])
def test_a_return_of_what_an_environment_was_registered_with_is_a_success(
    threshold: float, success: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = dataclasses.replace(gym.spec("CartPole-v1"), reward_threshold=threshold)
    monkeypatch.setitem(gym.registry, "CartPole-v1", spec)
    found = evaluate(random_policy, "CartPole-v1", episodes=8)
    assert found.success == success
    assert found.return_mean == found.length_mean


def test_arguments_of_the_environment_hold() -> None:
    found = evaluate(oracle_policy, EASY, 40, env_kwargs={"min_length": 4, "max_length": 4})
    assert (found.return_mean, found.return_std) == (5.0, 0.0)


def test_sampling_is_seeded_and_leaves_training_alone() -> None:
    model = untrained(EASY)
    before = model.generator.get_state(), torch.get_rng_state()
    first, second, other = (evaluate(model, EASY, 40, seed=seed) for seed in (7, 7, 8))
    assert first == second
    assert moments(first) != moments(other)
    assert torch.equal(model.generator.get_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_sampled_actions_of_stable_baselines_are_seeded() -> None:
    env = make_vec_env(EASY, 2)
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=16, seed=0)
    first, second, other = (evaluate(model, EASY, 40, seed=seed) for seed in (7, 7, 8))
    assert first == second
    assert moments(first) != moments(other)


def test_random_play_keeps_to_the_masks() -> None:
    env = make_vec_env("Tape-Copy-Easy-v0", 64, forced_emission=True)
    env.seed(0)
    env.reset()
    act = random_policy(env, 0)
    masks = env.action_masks()
    masks[:32, 3] = False  # input_move has 3 values, so this is "silent"
    masks[:32, 5] = False  # and this the symbol 0
    actions = np.concatenate([act(None, np.ones(64, np.bool_), masks) for _ in range(20)])
    kept = actions.reshape(20, 64, 3)[:, :32]
    assert set(kept[..., 1].ravel()) == {1}
    assert 0 not in kept[..., 2]
    assert env.action_space.contains(actions[0])
    for column, size in enumerate(env.action_space.nvec):  # type: ignore[attr-defined]
        assert set(actions[:, column]) == set(range(size))


def test_random_play_fits_every_action_space() -> None:
    for env_id in ("Pendulum-v1", "Maze-InvisibleGoal-9x9-v0"):
        found = evaluate(random_policy, env_id, episodes=2)
        assert found.length_mean > 1


def test_a_policy_that_does_not_fit_is_refused() -> None:
    with pytest.raises(CannotPlayError, match="observation_space"):
        evaluate(untrained("CartPole-v1"), EASY, episodes=2)
    with pytest.raises(CannotPlayError, match="there is no oracle"):
        evaluate(oracle_policy, "CartPole-v1", episodes=2)
    with pytest.raises(ValueError, match="episodes is 0; allowed: integers from 1 on"):
        evaluate(random_policy, EASY, episodes=0)


def test_an_environment_is_summed_up_without_play() -> None:
    optimum, max_steps = summarize("Tape-Copy-Easy-v0")
    assert optimum == pytest.approx(1.0 + np.mean([1, 2, 3, 4, 5]), abs=0.15)
    assert max_steps == 2 * 6 + 10
    assert summarize("Maze-InvisibleGoal-9x9-v0", episodes=3).max_steps == 250
