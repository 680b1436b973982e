"""Recipes for the algorithmic environments."""

from dataclasses import replace

from agents.training.presets import general
from agents.training.recipes import Recipe, linear

_POLICY = {"encoder_size": 32, "net_arch": [64], "critic_memory": "shared"}


def _adapted(recipe: Recipe, **algorithm: object) -> Recipe:
    return replace(
        recipe,
        timesteps=8_000_000,
        n_envs=256,
        algorithm=recipe.algorithm | {"ent_coef": 0.01} | algorithm,
        policy=_POLICY,
    )


PPO = _adapted(
    general.PPO, learning_rate=linear(0.002, 0.0002), n_steps=32, batch_size=2048, n_epochs=2
)
A2C = _adapted(general.A2C)
REINFORCE = _adapted(general.REINFORCE)

RECIPES = {"*": {"ppo/gru": PPO, "ppo/*": PPO, "a2c/*": A2C, "reinforce/*": REINFORCE}}
