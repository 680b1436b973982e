"""Streams that pass by, an input a step, with answers due at some steps."""

from memory_envs.core.rng import draw
from memory_envs.stream.env import StreamEnv, StreamVectorEnv
from memory_envs.stream.layout import StreamBatch
from memory_envs.stream.task import NO_ANSWER, Parameter, StreamTask
from memory_envs.stream.tasks import TASKS

__all__ = [
    "NO_ANSWER",
    "TASKS",
    "Parameter",
    "StreamBatch",
    "StreamEnv",
    "StreamTask",
    "StreamVectorEnv",
    "draw",
]
