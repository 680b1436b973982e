"""Agents with memory: cells, policies and the algorithms that train them.

Names are imported when they are first used, so that what needs no PyTorch does not wait for it.
This is a front door: the modules inside import from each other, never from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import memory_envs  # noqa: F401  # registers its ids, so that they work wherever an id is taken
from agents.algorithms.table import ALGORITHMS

if TYPE_CHECKING:
    from agents.algorithms.a2c import MemoryA2C
    from agents.algorithms.base import NonFiniteError
    from agents.algorithms.loading import load
    from agents.algorithms.mann_rl.algorithm import MannRL
    from agents.algorithms.mann_rl.policy import MannRLPolicy
    from agents.algorithms.onnx import export_onnx
    from agents.algorithms.ppo import MemoryPPO
    from agents.algorithms.pretrained import load_pretrained
    from agents.algorithms.reinforce import Reinforce
    from agents.algorithms.rl_ntm.algorithm import RLNTM
    from agents.algorithms.rl_ntm.policy import RLNTMPolicy
    from agents.algorithms.supervised import Supervised
    from agents.algorithms.table import AlgorithmSpec, register_algorithm
    from agents.cells import MemoryCell
    from agents.environments.make_env import make_vec_env
    from agents.environments.vec_env import GymnasiumVecEnv
    from agents.networks.memory_network import MemoryNetwork
    from agents.networks.policy import MemoryPolicy
    from agents.networks.sentence_encoder import SentenceEncoder
    from agents.saving.archive import ModelFileError
    from agents.saving.registry import register
    from agents.training.train import TrainingResult, continue_training, train

__all__ = [
    "RLNTM",
    "AlgorithmSpec",
    "GymnasiumVecEnv",
    "MannRL",
    "MannRLPolicy",
    "MemoryA2C",
    "MemoryCell",
    "MemoryNetwork",
    "MemoryPPO",
    "MemoryPolicy",
    "ModelFileError",
    "NonFiniteError",
    "RLNTMPolicy",
    "Reinforce",
    "SentenceEncoder",
    "Supervised",
    "TrainingResult",
    "continue_training",
    "export_onnx",
    "load",
    "load_pretrained",
    "make_vec_env",
    "register",
    "register_algorithm",
    "train",
]

# The modules of all public names.
_MODULES = {
    **{spec.class_name: spec.module for spec in ALGORITHMS.values()},
    "AlgorithmSpec": "agents.algorithms.table",
    "GymnasiumVecEnv": "agents.environments.vec_env",
    "MannRLPolicy": "agents.algorithms.mann_rl.policy",
    "MemoryCell": "agents.cells",
    "MemoryNetwork": "agents.networks.memory_network",
    "MemoryPolicy": "agents.networks.policy",
    "ModelFileError": "agents.saving.archive",
    "NonFiniteError": "agents.algorithms.base",
    "RLNTMPolicy": "agents.algorithms.rl_ntm.policy",
    "SentenceEncoder": "agents.networks.sentence_encoder",
    "TrainingResult": "agents.training.train",
    "continue_training": "agents.training.train",
    "export_onnx": "agents.algorithms.onnx",
    "load": "agents.algorithms.loading",
    "load_pretrained": "agents.algorithms.pretrained",
    "make_vec_env": "agents.environments.make_env",
    "register": "agents.saving.registry",
    "register_algorithm": "agents.algorithms.table",
    "train": "agents.training.train",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
