"""A maze with an invisible goal."""

from memory_envs.maze.env import InvisibleGoalEnv, InvisibleGoalVectorEnv
from memory_envs.maze.layout import Layout, make_layout

__all__ = ["InvisibleGoalEnv", "InvisibleGoalVectorEnv", "Layout", "make_layout"]
