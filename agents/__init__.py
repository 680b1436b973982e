"""Agents with memory: cells, policies and the algorithms that train them.

Names are imported when they are first used, so that what needs no PyTorch does not wait for it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from stable_baselines3.common.type_aliases import GymEnv

    from agents.algorithms.a2c import MemoryA2C
    from agents.algorithms.base import MemoryAlgorithm, NonFiniteError
    from agents.algorithms.ppo import MemoryPPO
    from agents.algorithms.pretrained import load_pretrained
    from agents.algorithms.reinforce import Reinforce
    from agents.algorithms.rl_ntm import RLNTM, RLNTMPolicy
    from agents.cells import MemoryCell
    from agents.environments.make_env import make_vec_env
    from agents.environments.vec_env import GymnasiumVecEnv
    from agents.networks.memory_network import MemoryNetwork
    from agents.networks.policy import MemoryPolicy
    from agents.saving.archive import ModelFileError
    from agents.saving.registry import register

__all__ = [
    "RLNTM",
    "GymnasiumVecEnv",
    "MemoryA2C",
    "MemoryCell",
    "MemoryNetwork",
    "MemoryPPO",
    "MemoryPolicy",
    "ModelFileError",
    "NonFiniteError",
    "RLNTMPolicy",
    "Reinforce",
    "load",
    "load_pretrained",
    "make_vec_env",
    "register",
]

# The classes that a model file may name, and all other public names, by their modules.
_ALGORITHMS = {
    "MemoryA2C": "algorithms.a2c",
    "MemoryPPO": "algorithms.ppo",
    "RLNTM": "algorithms.rl_ntm",
    "Reinforce": "algorithms.reinforce",
}
_MODULES = {
    **_ALGORITHMS,
    "GymnasiumVecEnv": "environments.vec_env",
    "MemoryCell": "cells",
    "MemoryNetwork": "networks.memory_network",
    "MemoryPolicy": "networks.policy",
    "RLNTMPolicy": "algorithms.rl_ntm",
    "ModelFileError": "saving.archive",
    "NonFiniteError": "algorithms.base",
    "load_pretrained": "algorithms.pretrained",
    "make_vec_env": "environments.make_env",
    "register": "saving.registry",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def load(
    path: str | Path,
    env: GymEnv | None = None,
    device: torch.device | str = "auto",
    **overrides: Any,
) -> MemoryAlgorithm:
    """Loads a model file of any algorithm; see `MemoryPPO.load`.

    Raises:
        ModelFileError: If the file is not a valid model file.
        FileNotFoundError: If there is no such file.
    """
    from agents.saving.archive import ModelFileError
    from agents.saving.model_file import read_model

    path, metadata, _ = read_model(path)
    name = metadata["class"]
    if name not in _ALGORITHMS:
        raise ModelFileError(path, f"it holds a {name[:100]}, which is unknown")
    model: MemoryAlgorithm = __getattr__(name).load(path, env, device, **overrides)
    return model
