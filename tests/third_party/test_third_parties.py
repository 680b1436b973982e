"""Every recipe of docs/third-parties.md runs as it stands there, and leaves what it promises."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO

from agents.evaluation.trace import run_trace
from memory_envs import evaluate
from memory_envs.scoring.result import EvaluationResult
from memory_envs.spec import check_env
from tests.third_party.recipes import PAGE, read_recipes, run_recipe

RECIPES = read_recipes(PAGE.read_text(encoding="utf-8"))

Names = dict[str, Any]


def check_trained(model: Any, steps: int) -> None:
    assert model.num_timesteps >= steps
    assert model._n_updates > 0


def check_plays(model: Any, env: Any) -> None:
    """The model plays an SB3 environment; it gets its state back, and one action per row."""
    obs = env.reset()
    state, starts = None, np.ones(env.num_envs, np.bool_)
    for _ in range(20):
        actions, state = model.predict(obs, state=state, episode_start=starts)
        assert len(actions) == env.num_envs
        assert all(env.action_space.contains(action) for action in actions)
        obs, _, starts, _ = env.step(actions)


def check_scored(evaluation: EvaluationResult) -> None:
    assert evaluation.episodes == 100
    assert evaluation.score is not None
    assert evaluation.score < 1.0


def check_ppo(names: Names) -> None:
    check_trained(names["model"], 256)
    check_scored(names["evaluation"])
    # So little training need not get one symbol right.
    assert 0.0 <= names["evaluation"].return_mean < names["evaluation"].optimal_return
    loaded = PPO.load("copy")
    assert loaded.policy.observation_space == spaces.MultiDiscrete([7])


def check_dqn(names: Names) -> None:
    check_trained(names["model"], 300)
    env = names["env"]
    assert env.action_space == spaces.Discrete(3 * 2 * 6)
    assert env.action_space.contains(names["action"])
    check_scored(names["evaluation"])
    check_plays(names["model"], names["model"].get_env())
    # What DQN learns from are the numbers that it chose.
    stored = set(names["model"].replay_buffer.actions[:300].ravel().tolist())
    assert len(stored) > 18
    assert stored <= set(range(36))


def check_maskable_ppo(names: Names) -> None:
    model, env = names["model"], names["env"]
    check_trained(model, 256)
    assert env.action_space.contains(names["action"])
    check_scored(names["evaluation"])
    # The masks of the rollout are those of the environment: some forbade to be silent.
    masks = model.rollout_buffer.action_masks.reshape(-1, 3 + 2 + 6).astype(np.bool_)
    silent, emitting = masks[:, 3], masks[:, 4]
    assert set(silent.tolist()) == {True, False}
    assert emitting.all()
    emitted = model.rollout_buffer.actions.reshape(-1, 3)[:, 1]
    assert (emitted[~silent] == 1).all()
    assert (emitted[silent] == 0).any()


def check_recurrent_ppo(names: Names) -> None:
    check_trained(names["model"], 512)
    env, (short, long) = names["env"], names["state"]
    assert short.shape == long.shape == (1, 8, 256)
    assert np.abs(short).max() > 0.0
    assert env.observation_space == spaces.Box(0, 1, (5 + 2,), np.float32)
    assert len(names["actions"]) == 8
    check_scored(names["evaluation"])
    check_plays(names["model"], env)


def check_float_vectors(names: Names) -> None:
    assert names["env"].single_observation_space == spaces.Box(0, 1, (5 + 2,), np.float32)
    assert names["env"].single_action_space == spaces.Discrete(3 * 2 * 6)
    assert names["env"].observation_space.contains(names["observations"])


def check_scalar_wrappers(names: Names) -> None:
    rows = names["env"], names["vec_env"].env
    assert all(row.single_action_space == spaces.Discrete(3 * 2 * 11) for row in rows)
    first = [np.asarray(row.reset(seed=3)[0]) for row in rows]
    np.testing.assert_array_equal(first[0], first[1])


def check_rl_zoo(names: Names) -> None:
    folder = Path("logs/ppo/Tape-Copy-Easy-v0_1")
    model = PPO.load(folder / "best_model.zip")
    env = gym.make("Tape-Copy-Easy-v0")
    observation, _ = env.reset(seed=0)
    assert env.action_space.contains(model.predict(observation)[0])
    assert PPO.load(folder / "Tape-Copy-Easy-v0.zip").num_timesteps == 512
    assert np.load(folder / "evaluations.npz")["timesteps"].tolist() == [256, 512]


def check_sb3_wrappers(names: Names) -> None:
    check_trained(names["model"], 256)
    assert names["model"].observation_space.shape == (4 * (5 + 2),)
    assert 0.0 <= names["return_mean"] <= 6.0
    check_trained(names["fast_model"], 256)
    assert names["fast_model"].observation_space.shape == (2 * (9 + 2 + 4),)
    assert names["env"].obs_rms.count > 256
    check_plays(names["fast_model"], names["fast_model"].get_env())


def check_gymnasium_wrappers(names: Names) -> None:
    assert names["env"].single_observation_space == spaces.Box(0, 1, (10 + 2,), np.int64)
    assert names["observations"].sum(axis=1).tolist() == [1] * 8
    returns = names["returns"]
    assert len(returns) > 50
    assert set(returns) <= set(range(12))
    assert any(returns)


def check_vectorisers(names: Names) -> None:
    envs = [names[name] for name in ("native", "sync", "parallel")]
    try:
        results = [[env.reset(seed=5)[0] for env in envs]]
        envs[0].action_space.seed(0)
        for _ in range(100):
            actions = envs[0].action_space.sample()
            results.append([np.column_stack(env.step(actions)[:4]) for env in envs])
    finally:
        for env in envs:
            env.close()
    ends = 0
    for native, *others in results:
        for other in others:
            np.testing.assert_array_equal(other, native)
        ends += int(native[:, 2:].sum())
    assert ends > 50


def check_videos(names: Names) -> None:
    (video,) = Path("videos").iterdir()
    assert video.name == "rl-video-episode-0.mp4"
    assert video.read_bytes()[4:8] == b"ftyp"


def check_id(names: Names) -> None:
    assert "'target_size'" in names["output"]


def check_ours(names: Names, steps: int) -> None:
    model, loaded, env = names["model"], names["loaded"], names["env"]
    check_trained(model, steps)
    check_plays(model, env)
    assert loaded.num_timesteps == model.num_timesteps
    saved = loaded.policy.state_dict()
    assert all(torch.equal(saved[key], part) for key, part in model.policy.state_dict().items())
    assert names["return_std"] >= 0.0
    env.close()


def check_cart_pole(names: Names) -> None:
    check_ours(names, 512)
    assert names["return_mean"] >= 8.0  # no pole falls faster


def check_minigrid(names: Names) -> None:
    check_ours(names, 256)
    assert set(names["env"].observation_space.spaces) == {"image", "direction"}
    assert 0.0 <= names["return_mean"] <= 1.0
    env_id = check_env("minigrid:MiniGrid-MemoryS7-v0")
    evaluation = evaluate(names["model"], env_id, 2, env_kwargs={"max_episode_steps": 10})
    assert evaluation.length_mean <= 10.0


def check_popgym(names: Names) -> None:
    check_ours(names, 256)
    assert -1.0 <= names["return_mean"] <= 1.0
    trace = run_trace(names["model"], check_env("popgym:popgym-RepeatPreviousEasy-v0"))
    assert len(trace.rewards) == len(trace.actions) > 1
    assert trace.weightings.keys() == {"read", "write"}
    assert list(names["deck"].observation_space) == ["0", "1"]
    check_trained(names["deck_model"], 256)


def check_command_line(names: Names) -> None:
    settings = json.loads(Path("run/settings.json").read_text())
    assert (settings["env"], settings["memory"]) == ("popgym:popgym-RepeatPreviousEasy-v0", "gru")
    evaluation = json.loads(Path("evaluation.json").read_text())
    assert (evaluation["episodes"], evaluation["length_mean"]) == (20, 20.0)
    for name in ("model.zip", "learning_curve.png", "trace.txt", "trace.png"):
        assert Path("run", name).stat().st_size > 0


CHECKS: dict[str, Callable[[Names], None]] = {
    "PPO": check_ppo,
    "DQN": check_dqn,
    "MaskablePPO": check_maskable_ppo,
    "RecurrentPPO": check_recurrent_ppo,
    "Agents that take vectors of floats and one number": check_float_vectors,
    "RL Zoo": check_rl_zoo,
    "Wrappers of Stable-Baselines3": check_sb3_wrappers,
    "Vector wrappers of Gymnasium": check_gymnasium_wrappers,
    "Wrappers for one environment, in many rows": check_scalar_wrappers,
    "Vectorisers of Gymnasium": check_vectorisers,
    "Videos": check_videos,
    "Scripts that take an id only": check_id,
    "CartPole": check_cart_pole,
    "MiniGrid": check_minigrid,
    "POPGym": check_popgym,
    "The command line": check_command_line,
}


# Gymnasium's AsyncVectorEnv forks by default; Python 3.12 and later warn, as NumPy has threads.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("title", CHECKS)
def test_recipe(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    CHECKS[title](run_recipe(title, RECIPES[title]))


def test_every_recipe_of_the_page_is_checked() -> None:
    assert RECIPES.keys() == CHECKS.keys()
