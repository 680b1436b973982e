"""Recipes for every environment that no other module knows."""

from dataclasses import replace

from agents.training.recipes import Recipe, linear

_POLICY = {"encoder_size": 64, "net_arch": [64], "critic_memory": "shared"}
PPO = Recipe(
    timesteps=500_000,
    n_envs=16,
    algorithm={
        "learning_rate": linear(0.001, 0.0001),
        "n_steps": 128,
        "batch_size": 256,
        "n_epochs": 4,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "clip_range": 0.2,
        "ent_coef": 0.0,
        "normalize_value": False,
    },
    policy=_POLICY,
)
A2C = Recipe(
    timesteps=500_000,
    n_envs=16,
    algorithm={
        "learning_rate": linear(0.001, 0.0001),
        "n_steps": 16,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "ent_coef": 0.0,
        "use_rms_prop": False,
    },
    policy=_POLICY,
)
REINFORCE = Recipe(
    timesteps=500_000,
    n_envs=16,
    algorithm={
        "learning_rate": linear(0.002, 0.0002),
        "baseline": "value",
        "normalize_value": False,
        "gamma": 0.99,
        "ent_coef": 0.0,
    },
    policy=_POLICY,
)
# A mean per time step is the baseline that knows of the time limit, which the agent does not see:
# with one that does not, all late steps look bad. With a discount of 0.99 the hundred steps before
# an episode's end are blamed for it, and a policy with memory that plays well is soon lost again.
CARTPOLE = replace(
    REINFORCE,
    timesteps=600_000,
    algorithm={
        "learning_rate": linear(0.001, 0.0),
        "baseline": "time",
        "bptt": 50,
        "gamma": 0.95,
        "ent_coef": 0.0,
    },
)
# The sizes of the notebook that trains it so.
CARTPOLE_NTM = replace(
    CARTPOLE,
    policy=_POLICY
    | {
        "memory_kwargs": {
            "variant": "notebook",
            "hidden_size": 64,
            "memory_size": 32,
            "word_size": 20,
        }
    },
)

RECIPES = {
    "CartPole-v1": {"ppo/lstm": PPO, "reinforce/ntm": CARTPOLE_NTM, "reinforce/*": CARTPOLE},
    "*": {"ppo/lstm": PPO, "ppo/*": PPO, "a2c/*": A2C, "reinforce/*": REINFORCE},
}
