"""Recipes for the tape tasks."""

from dataclasses import replace
from typing import Any

from agents.algorithms.rl_ntm import paper_settings
from agents.training.recipes import Recipe, linear
from memory_envs import ENVIRONMENTS

_CURRICULUM = {"level": 1, "threshold": 0.5, "refractory": 5}
_POLICY: dict[str, Any] = {"encoder_size": 32, "net_arch": [64], "critic_memory": "shared"}

PPO = Recipe(
    timesteps=16_000_000,
    n_envs=256,
    curriculum=_CURRICULUM,
    algorithm={
        "learning_rate": linear(0.001, 0.0001),
        "n_steps": 32,
        "batch_size": 2048,
        "n_epochs": 2,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "clip_range": 0.2,
        "ent_coef": linear(0.03, 0.003),
        "normalize_value": False,
    },
    policy=_POLICY,
)
A2C = Recipe(
    timesteps=16_000_000,
    n_envs=512,
    curriculum=_CURRICULUM,
    algorithm={
        "learning_rate": linear(0.001, 0.0001),
        "n_steps": 16,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "ent_coef": 0.01,
        "use_rms_prop": False,
    },
    policy=_POLICY,
)
REINFORCE = Recipe(
    timesteps=16_000_000,
    n_envs=512,
    curriculum=_CURRICULUM,
    algorithm={
        "learning_rate": linear(0.002, 0.0002),
        "baseline": "value",
        "normalize_value": False,
        "gamma": 0.99,
        "ent_coef": 0.01,
    },
    policy=_POLICY,
)

# Of the tasks that were tuned by themselves.
LSTM = replace(
    PPO,
    policy=_POLICY | {"memory_kwargs": {"hidden_size": 128, "initialization": "orthogonal"}},
)
COPY = replace(LSTM, timesteps=3_000_000)
DUPLICATED_INPUT = replace(
    LSTM,
    timesteps=8_000_000,
    n_envs=512,
    algorithm=LSTM.algorithm | {"learning_rate": linear(0.002, 0.0002), "batch_size": 8192},
)
REVERSE = replace(
    LSTM,
    timesteps=6_000_000,
    algorithm=LSTM.algorithm | {"ent_coef": linear(0.08, 0.003)},
)
REVERSE_EASY = replace(
    PPO,
    timesteps=2_000_000,
    n_envs=128,
    algorithm=PPO.algorithm | {"learning_rate": 0.002, "batch_size": 1024},
)
REPEAT_COPY = replace(
    LSTM,
    timesteps=12_000_000,
    n_envs=128,
    algorithm=LSTM.algorithm | {"n_steps": 64, "ent_coef": linear(0.04, 0.004)},
    policy=LSTM.policy | {"critic_memory": "detached"},
)
FORWARD_REVERSE = replace(LSTM, timesteps=12_000_000)

RL_NTM = Recipe(
    timesteps=30_000_000,
    n_envs=200,
    env_kwargs={"forced_emission": True, "on_error": "continue", "input_radius": 2},
    curriculum=_CURRICULUM | {"p_any": 0.02, "p_below": 0.4},
    algorithm={
        "learning_rate": 0.003,
        "reward": "prefix_prob",
        "gamma": 0.98,
        "normalize_advantage": True,
        "ent_coef": 0.05,
    },
    policy={"hidden_size": 50, "baseline_size": 25, "memory_radius": 1, "gain": 3.0},
)
DIRECT_ACCESS = replace(
    RL_NTM, policy=RL_NTM.policy | {"hidden_size": 25, "gain": 8.0, "free_symbols": False}
)
# With our settings these hard tasks are trained up to shorter inputs than their ids have.
LONGEST_INPUTS = {
    "Tape-RepeatCopy-Hard-v0": 9,
    "Tape-ForwardReverse-Hard-v0": 15,
    "Tape-RepeatCopyForward-Hard-v0": 9,
}
RL_NTM_PAPER = Recipe(
    timesteps=200_000_000,
    n_envs=paper_settings.N_ENVS,
    env_kwargs=paper_settings.ENV_KWARGS,
    curriculum=paper_settings.CURRICULUM,
    algorithm=paper_settings.ALGORITHM,
    policy=paper_settings.POLICY,
)


def _rl_ntm(env_id: str, **policy: object) -> dict[str, Recipe]:
    """Returns RL-NTM's recipes for a hard task: evaluated on the longest inputs alone."""
    longest = ENVIRONMENTS[env_id].kwargs["max_length"]
    length = LONGEST_INPUTS.get(env_id)
    ours = {} if length is None else {"max_length": length}

    def adapted(recipe: Recipe, env_kwargs: dict[str, Any], **policy: object) -> Recipe:
        return replace(
            recipe,
            env_kwargs=env_kwargs,
            policy=recipe.policy | policy,
            evaluation_kwargs={"min_length": env_kwargs.get("max_length", longest)},
        )

    return {
        "rl_ntm/direct_access": adapted(DIRECT_ACCESS, DIRECT_ACCESS.env_kwargs | ours, **policy),
        "rl_ntm/*": adapted(RL_NTM, RL_NTM.env_kwargs | ours, **policy),
        "rl_ntm-paper/*": adapted(RL_NTM_PAPER, paper_settings.env_kwargs(env_id)),
    }


RECIPES: dict[str, dict[str, Recipe]] = {
    "Tape-Copy-v0": {"ppo/lstm": COPY},
    "Tape-DuplicatedInput-v0": {"ppo/lstm": DUPLICATED_INPUT},
    "Tape-Reverse-v0": {"ppo/lstm": REVERSE},
    "Tape-Reverse-Easy-v0": {"ppo/lstm": REVERSE_EASY},
    "Tape-RepeatCopy-v0": {"ppo/lstm": REPEAT_COPY},
    "Tape-ForwardReverse-v0": {"ppo/lstm": FORWARD_REVERSE},
    **{
        spec.id: _rl_ntm(spec.id)
        for spec in ENVIRONMENTS.values()
        if (spec.family, spec.tier) == ("tape", "hard")
    },
    "Tape-Addition-Hard-v0": _rl_ntm("Tape-Addition-Hard-v0", free_symbols=True, gain=3.0),
    "*": {
        "ppo/lstm": PPO,
        "ppo/*": PPO,
        "a2c/*": A2C,
        "reinforce/*": REINFORCE,
        "rl_ntm/direct_access": DIRECT_ACCESS,
        "rl_ntm/*": RL_NTM,
        "rl_ntm-paper/*": RL_NTM_PAPER,
    },
}
