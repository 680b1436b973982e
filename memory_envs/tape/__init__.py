"""Tapes with movable heads."""

from memory_envs.core.rng import draw
from memory_envs.tape.env import TapeEnv, TapeVectorEnv
from memory_envs.tape.tasks import TASKS, TapeTask

__all__ = ["TASKS", "TapeEnv", "TapeTask", "TapeVectorEnv", "draw"]
