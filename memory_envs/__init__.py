"""Gymnasium environments whose optimal play needs memory.

Importing this package registers the environments and does nothing else: what needs Numba is
imported when it is first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from memory_envs.curriculum import Curriculum
from memory_envs.registration import (
    ENVIRONMENTS,
    EnvironmentSpec,
    family_of,
    register_all,
    register_stream_task,
    register_tape_task,
)

if TYPE_CHECKING:
    from memory_envs.core.rng import draw
    from memory_envs.scoring.evaluate import evaluate
    from memory_envs.stream import StreamTask
    from memory_envs.tape import TapeTask

__version__ = "0.1.0"
__all__ = [
    "ENVIRONMENTS",
    "Curriculum",
    "EnvironmentSpec",
    "StreamTask",
    "TapeTask",
    "draw",
    "evaluate",
    "family_of",
    "register_stream_task",
    "register_tape_task",
]

_LAZY = {
    "StreamTask": "memory_envs.stream",
    "TapeTask": "memory_envs.tape",
    "draw": "memory_envs.core.rng",
    "evaluate": "memory_envs.scoring.evaluate",
}

register_all()


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
