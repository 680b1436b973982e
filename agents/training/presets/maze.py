"""Recipes for the maze."""

from dataclasses import replace

from agents.training.presets import general
from agents.training.recipes import Recipe, linear


def _adapted(recipe: Recipe, **algorithm: object) -> Recipe:
    return replace(
        recipe,
        timesteps=16_000_000,
        n_envs=64,
        algorithm=recipe.algorithm | {"ent_coef": 0.01} | algorithm,
    )


PPO = _adapted(general.PPO, n_steps=50, batch_size=800, gamma=0.95)
A2C = _adapted(general.A2C, learning_rate=linear(0.0005, 0.00005), n_steps=50, gamma=0.9)
REINFORCE = _adapted(general.REINFORCE, learning_rate=linear(0.001, 0.0001), gamma=0.95)

RECIPES = {"*": {"ppo/lstm": PPO, "ppo/*": PPO, "a2c/*": A2C, "reinforce/*": REINFORCE}}
