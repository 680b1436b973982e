"""Stable-Baselines3's world around our algorithms, unmodified."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import optuna
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CallbackList,
    CheckpointCallback,
    EvalCallback,
    StopTrainingOnRewardThreshold,
)
from stable_baselines3.common.env_util import make_vec_env as sb3_make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn  # noqa: F401  # in the text of a YAML file

import agents
from agents import GymnasiumVecEnv, MemoryA2C, MemoryPPO, Reinforce, make_vec_env
from agents.algorithms.table import ALGORITHMS as ALGORITHMS_BY_NAME
from tests.agents.toy_envs import MaskedEnv, RecallVectorEnv, sync

ALGORITHMS = [MemoryPPO, MemoryA2C, Reinforce]
SMALL = {"memory": "gru", "memory_kwargs": {"hidden_size": 8}}


def _model(algorithm: Any = MemoryPPO, env: Any = None, **kwargs: Any) -> Any:
    if algorithm is MemoryPPO:
        kwargs = {"n_steps": 16, "batch_size": 16, "n_epochs": 1, **kwargs}
    env = env if env is not None else GymnasiumVecEnv(RecallVectorEnv(4))
    return algorithm("MemoryPolicy", env, seed=0, policy_kwargs=SMALL, **kwargs)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_callbacks_save_evaluate_and_stop(algorithm: Any, tmp_path: Path) -> None:
    evaluation = EvalCallback(
        GymnasiumVecEnv(RecallVectorEnv(3)),
        callback_on_new_best=StopTrainingOnRewardThreshold(-1.0),
        best_model_save_path=str(tmp_path / "best"),
        log_path=str(tmp_path / "log"),
        eval_freq=40,
        n_eval_episodes=6,
        verbose=0,
    )
    checkpoints = CheckpointCallback(16, str(tmp_path / "checkpoints"), name_prefix="toy")
    model = _model(algorithm)
    model.learn(10_000, callback=CallbackList([checkpoints, evaluation]))
    assert model.num_timesteps == 4 * 40, "the reward threshold stops training at once"
    names = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert names == ["toy_128_steps.zip", "toy_64_steps.zip"]
    assert agents.load(tmp_path / "checkpoints" / names[0]).num_timesteps == 128
    assert agents.load(tmp_path / "best" / "best_model").num_timesteps == 160
    assert model.last_checkpoint == str(tmp_path / "best" / "best_model.zip")
    results = np.load(tmp_path / "log" / "evaluations.npz")
    assert results["results"].shape == (1, 6)
    assert set(results["results"].ravel().tolist()) <= {0.0, 1.0}
    assert (results["ep_lengths"] == 8).all()


def test_evaluate_policy_carries_the_memory_without_a_warning() -> None:
    class Copycat:
        """Knows the bit only if the state is carried, and dropped at an episode's start."""

        def predict(self, obs: Any, state: Any, episode_start: Any, deterministic: bool) -> Any:
            bits = np.where(episode_start, obs, 0 if state is None else state)
            return bits, bits

    env = GymnasiumVecEnv(RecallVectorEnv(3))
    mean, _ = evaluate_policy(Copycat(), env, n_eval_episodes=9)  # type: ignore[arg-type]
    assert mean == 1.0
    rewards, lengths = evaluate_policy(
        _model(), env, n_eval_episodes=7, deterministic=False, return_episode_rewards=True
    )
    assert lengths == [8] * 7
    assert len(rewards) == 7  # type: ignore[arg-type]


def test_vec_normalize_reaches_the_terminal_observation(tmp_path: Path) -> None:
    env = VecNormalize(make_vec_env("Pendulum-v1", n_envs=2, seed=0, max_episode_steps=10))
    seen: list[Any] = []

    class Spy(BaseCallback):
        def _on_step(self) -> bool:
            seen.extend(info for info in self.locals["infos"] if info)
            assert self.locals["rewards"].dtype == np.float32
            return True

    model = _model(env=env)
    model.learn(128, callback=Spy())
    assert seen
    assert all(np.abs(info["terminal_observation"]).max() <= 10.0 for info in seen)
    assert model.get_vec_normalize_env() is env
    checkpoint = CheckpointCallback(8, str(tmp_path), save_vecnormalize=True)
    model.learn(32, callback=checkpoint)
    assert (tmp_path / "rl_model_16_steps.zip").exists()
    assert (tmp_path / "rl_model_vecnormalize_16_steps.pkl").exists()


def test_masks_pass_through_sb3s_wrappers() -> None:
    env = sync(lambda: MaskedEnv(spaces.Discrete(3), spaces.MultiDiscrete([3, 2])), 2)
    model = _model(env=VecNormalize(env, norm_obs=False))
    model.learn(64)
    assert model.rollout_buffer.data.masks is not None


@pytest.mark.parametrize("steps", [-1, "100", float("nan"), None])
def test_steps_that_cannot_be_done_are_refused(steps: Any) -> None:
    message = r"total_timesteps is .*; allowed: finite numbers from 0 on"
    with pytest.raises((TypeError, ValueError), match=message):
        _model(env=make_vec_env("Tape-Copy-Easy-v0", 2)).learn(steps)


def test_a_model_without_environments_says_what_it_needs_to_learn(tmp_path: Path) -> None:
    _model().save(tmp_path / "model")
    loaded = MemoryPPO.load(tmp_path / "model")
    with pytest.raises(ValueError, match=r"env is None; allowed: load\(path, env\), or set_env"):
        loaded.learn(16)
    loaded.set_env(GymnasiumVecEnv(RecallVectorEnv(4)))
    assert loaded.learn(16).num_timesteps > 0


def test_environments_made_by_sb3_or_given_by_name() -> None:
    for env in ("CartPole-v1", sb3_make_vec_env("CartPole-v1", 2)):
        model = _model(env=env)
        model.learn(64)
        assert len(model.ep_info_buffer) > 0


@pytest.mark.parametrize("env", [None, 3, gym.make])
def test_what_is_no_environment_is_refused(env: Any) -> None:
    with pytest.raises(TypeError, match=r"env is .*; allowed: an id, a Gymnasium environment"):
        MemoryPPO("MemoryPolicy", env)


def test_vector_environments_of_gymnasium_take_the_place_of_sb3s(tmp_path: Path) -> None:
    def make() -> Any:
        return gym.make_vec("Tape-Copy-Easy-v0", num_envs=4)

    model = _model(env=make())
    assert isinstance(model.env, GymnasiumVecEnv)
    model.learn(64)
    assert len(model.ep_info_buffer) > 0
    model.set_env(make())
    model.learn(64, reset_num_timesteps=False)
    model.save(tmp_path / "model")
    for load in (MemoryPPO.load, agents.load):
        loaded = load(tmp_path / "model", env=make())
        assert isinstance(loaded.env, GymnasiumVecEnv)
        loaded.learn(64)
    with pytest.raises(ValueError, match=r"NEXT_STEP.*allowed: SAME_STEP, DISABLED"):
        _model(env=gym.make_vec("CartPole-v1", num_envs=4))


def test_monitored_environments_of_sb3() -> None:
    env = DummyVecEnv([lambda: Monitor(gym.make("Tape-Copy-Easy-v0"))] * 2)
    model = _model(env=env)
    model.learn(128)
    assert {"r", "l", "t"} <= set(model.ep_info_buffer[-1])
    rewards, lengths = evaluate_policy(model, env, 3, return_episode_rewards=True)
    assert len(rewards) == len(lengths) == 3  # type: ignore[arg-type]


def test_settings_from_a_dict_as_rl_zoo_and_optuna_have_them() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    settings = {
        "policy": "MemoryPolicy",
        "n_steps": trial.suggest_categorical("n_steps", [16]),
        "batch_size": 16,
        "n_epochs": 1,
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "clip_range": LinearSchedule(0.2, 0.0, 1.0),
        "gamma": 1.0 - trial.suggest_float("one_minus_gamma", 1e-3, 0.1, log=True),
        "use_sde": False,
        "sde_sample_freq": -1,
        # RL Zoo evaluates the text of its YAML files.
        "policy_kwargs": eval(
            "dict(memory_kwargs=dict(hidden_size=8), ortho_init=False, activation_fn=nn.ReLU, "
            "net_arch=dict(pi=[8], vf=[8]), optimizer_class=torch.optim.RMSprop, "
            "optimizer_kwargs=dict(eps=1e-6))"
        ),
        "seed": 0,
    }
    env = GymnasiumVecEnv(RecallVectorEnv(4))
    model = MemoryPPO(env=env, **settings)
    model.learn(128)
    mean: Any = evaluate_policy(model, env, n_eval_episodes=4)[0]
    study.tell(trial, mean)
    assert study.best_value == mean
    assert isinstance(model.optimizer, torch.optim.RMSprop)
    assert model.optimizer.defaults["eps"] == 1e-6


@pytest.mark.parametrize("name", ALGORITHMS_BY_NAME)
def test_every_word_of_sb3s_algorithms_works_or_is_translated(name: str) -> None:
    cls: Any = ALGORITHMS_BY_NAME[name].load_class()
    policy = next(iter(cls.policy_aliases))
    theirs = set(inspect.signature(RecurrentPPO).parameters)
    if name == "ppo":
        assert theirs - set(inspect.signature(cls).parameters) == {"use_sde", "sde_sample_freq"}
    words: dict[str, Any] = {"use_sde": True, "sde_sample_freq": 4, "rollout_buffer_class": dict}
    for word, value in words.items():
        with pytest.raises(TypeError, match=rf"{word} is .*; allowed: \S"):
            cls(policy, None, _init_setup_model=False, **{word: value})
    cls(policy, None, _init_setup_model=False, use_sde=False, rollout_buffer_class=None)
    with pytest.raises(TypeError, match=r"is 'sead'; allowed: .*did you mean 'seed'"):
        cls(policy, None, sead=1)
    with pytest.raises(ValueError, match=f"policy is 'MlpLstmPolicy'; allowed: {policy}"):
        cls("MlpLstmPolicy", None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer_klass": torch.optim.SGD}, "argument of MemoryPolicy is 'optimizer_klass'"),
        ({"optimizer_class": "SGD"}, "optimizer_class is 'SGD'; allowed: classes of torch.optim"),
        ({"optimizer_class": torch.optim.LBFGS}, "LBFGS; allowed: .* needs no closure"),
        (
            {"optimizer_kwargs": {"epz": 1}},
            "optimizer Adam is 'epz'; allowed: .*did you mean 'eps'",
        ),
        ({"optimizer_kwargs": {"lr": 1}}, r"optimizer_kwargs\['lr'\] is 1; .*learning_rate"),
    ],
)
def test_settings_of_the_optimizer_are_checked_before_it_is_made(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        MemoryPPO("MemoryPolicy", GymnasiumVecEnv(RecallVectorEnv(4)), policy_kwargs=settings)


def test_tensorboard_gets_sb3s_names(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _model(tensorboard_log=str(tmp_path)).learn(256)
    events = EventAccumulator(str(tmp_path / "MemoryPPO_1"))
    events.Reload()
    names = {"rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/success_rate", "time/fps"}
    names |= {"train/loss", "train/approx_kl", "train/explained_variance", "train/learning_rate"}
    assert names <= set(events.Tags()["scalars"])


def test_a_logger_of_the_users_own(tmp_path: Path) -> None:
    model = _model()
    model.set_logger(configure(str(tmp_path), ["csv"]))
    model.learn(256)
    model.logger.close()  # or the file is closed by chance, in the middle of another test
    header = (tmp_path / "progress.csv").read_text().splitlines()[0]
    assert "train/value_loss" in header
    assert "rollout/success_rate" in header


def test_the_progress_bar_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    _model().learn(128, progress_bar=True)
    assert "steps 128 of 128" in capsys.readouterr().out


def test_weights_and_biases_offline_and_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    from wandb.integration.sb3 import WandbCallback

    for name, value in (("WANDB_MODE", "offline"), ("WANDB_DIR", str(tmp_path))):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    run = wandb.init(project="toy", settings=wandb.Settings(silent=True))
    try:
        callback = WandbCallback(model_save_path=str(tmp_path / "wandb_model"), model_save_freq=8)
        _model().learn(128, callback=callback)
    finally:
        run.finish()
    assert agents.load(tmp_path / "wandb_model" / "model").num_timesteps > 0


def test_parameters_go_out_and_in_as_sb3_names_them() -> None:
    model, other = _model(), _model(MemoryA2C)
    parameters = model.get_parameters()
    assert set(parameters) == {"policy", "optimizer"}
    other.set_parameters({"policy": parameters["policy"]}, exact_match=False)
    pairs = zip(model.policy.parameters(), other.policy.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_set_env_continues_elsewhere() -> None:
    model = _model()
    model.learn(64)
    model.set_env(GymnasiumVecEnv(RecallVectorEnv(4, length=3)))
    model.learn(64, reset_num_timesteps=False)
    assert model.ep_info_buffer[-1]["l"] == 3


@pytest.mark.parametrize(
    "env_id", ["CartPole-v1", "MiniGrid-MemoryS7-v0", "popgym-RepeatPreviousEasy-v0"]
)
def test_environments_of_others(env_id: str) -> None:
    for module in ("minigrid", "popgym"):
        pytest.importorskip(module)
    assert {"minigrid", "popgym"} <= set(sys.modules)
    model = _model(env=make_vec_env(env_id, n_envs=2, seed=0))
    model.learn(128)
    mean, _ = evaluate_policy(model, make_vec_env(env_id, n_envs=2), n_eval_episodes=2)
    assert np.isfinite(mean)
