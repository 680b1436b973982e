"""`MemoryPPO` with an LSTM against sb3-contrib's `RecurrentPPO`, on CartPole-v1.

Every repeat trains fresh models, with its own seed, on the same number of environment steps. The
whole of `learn` is timed, and its episodes give the learning curve, so that speed and learning come
from the same runs. Beside it stands a preset of ours on a task of ours, with no peer.
"""

import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env as sb3_make_vec_env

from agents import MemoryPPO, make_vec_env
from agents.training.presets import find_preset
from agents.training.recipes import make_curriculum, make_model
from benchmarks.results import Measurement

_ENV = "CartPole-v1"
_ENVS, _STEPS, _UNITS = 16, 128, 128
_CHECKPOINTS = 4
# How many times as fast as the peer ours has to be, by the steps of backpropagation.
_TARGETS = {16: 8.0, _STEPS: 5.0}
_PRESET = "Tape-Reverse-v0"
# The preset learns from this many times the environment steps, which take it about as long.
_PRESET_SHARE = 4
# What both take; spelled out, because their defaults differ.
_SETTINGS: dict[str, Any] = {
    "learning_rate": 3e-4,
    "n_steps": _STEPS,
    "batch_size": 256,
    "n_epochs": 4,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "normalize_advantage": True,
    "ent_coef": 0.0,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
    "device": "cpu",
}

Model: TypeAlias = MemoryPPO | RecurrentPPO


def memory_ppo(seed: int, bptt: int | None = None) -> MemoryPPO:
    """Ours: LSTM, and one hidden layer each for actor and critic."""
    memory = {"memory": "lstm", "memory_kwargs": {"hidden_size": _UNITS}}
    heads = {"net_arch": (64,), "activation_fn": torch.nn.Tanh, "critic_memory": "detached"}
    policy_kwargs = {**memory, **heads}
    settings = {**_SETTINGS, "bptt": bptt, "seed": seed, "normalize_value": False}
    env = make_vec_env(_ENV, n_envs=_ENVS, seed=seed)
    return MemoryPPO("MemoryPolicy", env, policy_kwargs=policy_kwargs, **settings)


def recurrent_ppo(seed: int) -> RecurrentPPO:
    """The peer: one LSTM for actor and critic, and one hidden layer each."""
    lstm = {"lstm_hidden_size": _UNITS, "shared_lstm": True, "enable_critic_lstm": False}
    policy_kwargs = {**lstm, "net_arch": {"pi": [64], "vf": [64]}, "activation_fn": torch.nn.Tanh}
    env = sb3_make_vec_env(_ENV, n_envs=_ENVS, seed=seed)
    return RecurrentPPO("MlpLstmPolicy", env, seed=seed, policy_kwargs=policy_kwargs, **_SETTINGS)


def checkpoints(timesteps: int) -> list[int]:
    """The environment steps at which the learning curve is read."""
    return [timesteps * part // _CHECKPOINTS for part in range(1, _CHECKPOINTS + 1)]


def measure(repeats: int, timesteps: int) -> list[Measurement]:
    """Train both in turns, with PyTorch's own number of threads and with one.

    Args:
        repeats: models of each kind, with the seeds 0, 1, ...
        timesteps: environment steps that each model learns from.
    """
    default = torch.get_num_threads()
    sections = {f"{default} threads, PyTorch's default": default, "1 thread": 1}
    if default == 1:
        sections = {"1 thread, PyTorch's default": 1}
    makers: dict[str, Callable[[int], Model]]
    makers = {f"MemoryPPO, bptt {n}": partial(memory_ppo, bptt=n) for n in _TARGETS}
    targets: dict[str, float | None] = dict(zip(makers, _TARGETS.values(), strict=True))
    makers["RecurrentPPO"] = recurrent_ppo
    runs: dict[tuple[str, str], list[_Run]] = {
        (section, name): [] for section in sections for name in makers
    }
    for make in makers.values():
        make(0).learn(_ENVS * _STEPS)  # untimed: what is slow when it is done for the first time
    _train_preset(0, 1)
    preset_rates: dict[str, list[float]] = {section: [] for section in sections}
    try:
        for seed in range(repeats):
            for (section, name), found in runs.items():
                torch.set_num_threads(sections[section])
                found.append(_train(makers[name](seed), timesteps))
            for section, rates in preset_rates.items():
                torch.set_num_threads(sections[section])
                rates.append(_train_preset(seed, _PRESET_SHARE * timesteps))
    finally:
        torch.set_num_threads(default)
    return [
        Measurement(
            section=section,
            name=name,
            variant=f"{found[0].parameters:,} parameters",
            steps_per_second=[run.steps_per_second for run in found],
            is_reference=name == "RecurrentPPO",
            target=targets.get(name),
            returns=[run.returns for run in found],
        )
        for (section, name), found in runs.items()
    ] + [
        Measurement(
            section=f"{_PRESET} with its preset, {section}",
            name="MemoryPPO",
            variant="",
            steps_per_second=rates,
        )
        for section, rates in preset_rates.items()
    ]


class _Run(NamedTuple):
    steps_per_second: float
    returns: list[float | None]
    parameters: int


class EpisodeLog(BaseCallback):
    """Keeps when each episode ended, in environment steps, and its return."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[int] = []
        self.returns: list[float] = []

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "episode" in info:
                self.ends.append(self.num_timesteps)
                self.returns.append(info["episode"]["r"])
        return True


def _train(model: Model, timesteps: int) -> _Run:
    log = EpisodeLog()
    start = time.perf_counter()
    model.learn(timesteps, callback=log)
    elapsed = time.perf_counter() - start
    parameters = sum(parameter.numel() for parameter in model.policy.parameters())
    assert model.env is not None
    model.env.close()
    curve = mean_returns(log.ends, log.returns, checkpoints(timesteps))
    return _Run(model.num_timesteps / elapsed, curve, parameters)


def _train_preset(seed: int, timesteps: int) -> float:
    """Trains by the preset, curriculum included; returns environment steps per second."""
    recipe = find_preset(_PRESET, "ppo", "lstm").recipe
    advance = make_curriculum(recipe, _PRESET)
    assert advance is not None
    extra: dict[str, Any] = {**recipe.env_kwargs, "curriculum": advance.curriculum}
    env = make_vec_env(_PRESET, recipe.n_envs, seed=seed, **extra)
    model = make_model(recipe, "ppo", "lstm", env, seed, device="cpu")
    start = time.perf_counter()
    model.learn(timesteps, callback=advance)
    return model.num_timesteps / (time.perf_counter() - start)


def mean_returns(
    ends: list[int], returns: list[float], checkpoints: list[int]
) -> list[float | None]:
    """The mean return of the episodes that ended since the checkpoint before; None if none did.

    Args:
        ends: for each episode the environment step at which it ended.
        returns: of each episode.
        checkpoints: in environment steps, ascending.
    """
    curve: list[float | None] = []
    for after, until in itertools.pairwise([0, *checkpoints]):
        pairs = zip(ends, returns, strict=True)
        ended = [value for end, value in pairs if after < end <= until]
        curve.append(statistics.fmean(ended) if ended else None)
    return curve
