"""The six algorithmic environments that Gym removed in 2021, with Gym's own rules."""

from memory_envs.algorithmic.env import AlgorithmicEnv, AlgorithmicVectorEnv
from memory_envs.algorithmic.tasks import TASKS, AlgorithmicTask

__all__ = ["TASKS", "AlgorithmicEnv", "AlgorithmicTask", "AlgorithmicVectorEnv"]
