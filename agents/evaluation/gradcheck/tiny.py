"""Models and environments that are small enough to be enumerated, of every algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from agents.algorithms.rl_ntm.algorithm import RLNTM
from agents.algorithms.table import ALGORITHMS
from agents.cells import CELLS
from agents.evaluation.gradcheck.environment import OneEpisodeVecEnv, one_episode_env
from agents.evaluation.gradcheck.models import check_model
from agents.evaluation.gradcheck.report import Report
from memory_envs import ENVIRONMENTS
from memory_envs.arguments import argument_names

_DEFAULT_ENV = "Tape-Copy-v0"
_DEFAULT_ENV_OF_RL_NTM = "Tape-ForwardReverse-v0"
# Three steps for two symbols: when to emit is free at first, and forced in the end.
_TAPE = {"max_length": 1, "max_steps": 3, "forced_emission": True}
_TAPE_OF_RL_NTM = {"symbols": 2, "on_error": "continue"}
_TAPE_OF_OTHERS = {"symbols": 1, "on_error": "terminate", "wrong_reward": -0.5}
_CELL = {"hidden_size": 4, "memory_size": 3, "word_size": 2, "state_size": 3, "context_size": 2}
# All switches of a training step are on, and its rollout ends in the middle of episodes.
_SWITCHES = {
    "gamma": 0.9,
    "gae_lambda": 0.8,
    "ent_coef": 0.1,
    "normalize_advantage": True,
    "clip_range_vf": 0.2,
    "n_steps": 4,
    "bptt": 2,
}


def tiny_env(
    algorithm: str, env_id: str | None = None, seed: int = 0, **env_kwargs: Any
) -> Callable[[int], OneEpisodeVecEnv]:
    """Returns what makes a tiny environment for a number of rows.

    Args:
        algorithm: A name in `agents.algorithms.table.ALGORITHMS`.
        env_id: A registered id; those of the tape family are made tiny.
        seed: Seed of the episode.
        **env_kwargs: Further arguments of the environment.
    """
    is_rl_ntm = issubclass(ALGORITHMS[algorithm].load_class(), RLNTM)
    env_id = env_id or (_DEFAULT_ENV_OF_RL_NTM if is_rl_ntm else _DEFAULT_ENV)
    arguments: dict[str, Any] = {}
    if env_id in ENVIRONMENTS and ENVIRONMENTS[env_id].family == "tape":
        arguments = {**_TAPE, **(_TAPE_OF_RL_NTM if is_rl_ntm else _TAPE_OF_OTHERS)}
    arguments.update(env_kwargs)
    return lambda rows: one_episode_env(env_id, rows, seed, **arguments)


def tiny_model(
    algorithm: str,
    env: OneEpisodeVecEnv,
    memory: str | None = None,
    seed: int = 0,
    policy: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Any:
    """Returns a model of few parameters.

    Args:
        algorithm: A name in `agents.algorithms.table.ALGORITHMS`.
        env: The environment.
        memory: Name of a cell, or of a controller of RL-NTM.
        seed: Seed of the parameters.
        policy: Further arguments of the policy.
        **settings: Arguments of the algorithm.
    """
    spec = ALGORITHMS[algorithm]
    constructor: Any = spec.load_class()  # each algorithm has arguments of its own
    policy_class = spec.load_policy_class()
    taken = argument_names(constructor)
    settings = {**{key: value for key, value in _SWITCHES.items() if key in taken}, **settings}
    if "batch_size" in taken:
        settings.setdefault("batch_size", settings["n_steps"])
    if issubclass(constructor, RLNTM):
        # All parts of the memory are in use, and no part of the gradient is next to nothing.
        small = {"hidden_size": 3, "baseline_size": 3, "memory_size": 4, "memory_radius": 1}
        scale = {"init_std": 0.5, "inverse_temperature": 0.7}
        kwargs = {"controller": memory or "direct_access", **small, **scale, **(policy or {})}
        return constructor(
            policy_class, env, policy_kwargs=kwargs, seed=seed, device="cpu", **settings
        )
    name = memory or "lstm"
    taken = argument_names(CELLS[name])
    cell = {key: value for key, value in _CELL.items() if key in taken}
    kwargs = {"memory": name, "memory_kwargs": cell, "encoder_size": 3, "net_arch": [3]}
    kwargs.update(policy or {})
    model = constructor(
        policy_class, env, policy_kwargs=kwargs, seed=seed, device="cpu", **settings
    )
    with torch.no_grad():
        # The last layer starts so small that next to nothing would reach what is below.
        model.policy.actor[-1].weight.mul_(50.0)
    return model


def check_algorithm(
    algorithm: str,
    env_id: str | None = None,
    memory: str | None = None,
    seed: int = 0,
    limit: int = 10_000,
    **env_kwargs: Any,
) -> list[Report]:
    """Checks an algorithm with each of its baselines, all with the same parameters.

    Args:
        algorithm: A name in `agents.algorithms.table.ALGORITHMS`.
        env_id: See `tiny_env`.
        memory: See `tiny_model`.
        seed: Seed of the parameters and of the episode.
        limit: Largest number of sequences.
        **env_kwargs: See `tiny_env`.

    Raises:
        ValueError: If the algorithm does not learn by reward.
    """
    if not ALGORITHMS[algorithm].variants:
        able = ", ".join(name for name, spec in ALGORITHMS.items() if spec.variants)
        raise ValueError(f"algorithm is {algorithm!r}; allowed: those that learn by reward: {able}")
    make_env = tiny_env(algorithm, env_id, seed, **env_kwargs)
    return [
        check_model(
            tiny_model(algorithm, make_env(1), memory, seed, **settings),
            make_env,
            title=f"{algorithm}, baseline {name}",
            limit=limit,
        )
        for name, settings in ALGORITHMS[algorithm].variants.items()
    ]
