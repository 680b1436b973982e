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
    register_all,
    register_tape_task,
)

if TYPE_CHECKING:
    from memory_envs.tape import TapeTask, draw

__version__ = "0.1.0"
__all__ = [
    "ENVIRONMENTS",
    "Curriculum",
    "EnvironmentSpec",
    "TapeTask",
    "draw",
    "register_tape_task",
]

_LAZY = {"TapeTask": "memory_envs.tape", "draw": "memory_envs.tape"}

register_all()


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
