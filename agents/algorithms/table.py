"""The one table of algorithms: what the command line calls them, and where their classes are.

The help texts, the presets, the model files and the gradient checker read it. It imports no
algorithm, so that what only looks a name up does not wait for PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from memory_envs.arguments import check_choice

if TYPE_CHECKING:
    from stable_baselines3.common.policies import BasePolicy

    from agents.algorithms.base import MemoryAlgorithm


@dataclass(frozen=True)
class AlgorithmSpec:
    """A row of the table.

    Attributes:
        name: What ``--algo`` takes.
        module: The module that holds its class.
        class_name: The name of its class, also in model files.
        memory: The argument of its policy that names the memory.
        memories: Where the names are that `memory` can have, as ``"module:collection"``.
        best_memory: The memory where the user names none; None leaves it to the presets.
        families: The families of environments that it can play; empty if it can play any.
        variants: Settings that change the variance of its gradient but not the expectation, by a
            name for each; the gradient checker tries them all. There are none where nothing is
            learnt by reward.
    """

    name: str
    module: str
    class_name: str
    memory: str = "memory"
    memories: str = "agents.cells:CELLS"
    best_memory: str | None = None
    families: tuple[str, ...] = ()
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"as it is": {}})

    def load_class(self) -> type[MemoryAlgorithm]:
        """Imports the class."""
        found: type[MemoryAlgorithm] = getattr(import_module(self.module), self.class_name)
        return found

    def load_policy_class(self) -> type[BasePolicy]:
        """Imports the class of its policies."""
        return next(iter(self.load_class().policy_aliases.values()))

    def memory_names(self) -> list[str]:
        """Imports the names that `memory` can have."""
        module, _, collection = self.memories.partition(":")
        return list(getattr(import_module(module), collection))


_RL_NTM = AlgorithmSpec(
    "rl_ntm",
    "agents.algorithms.rl_ntm.algorithm",
    "RLNTM",
    memory="controller",
    memories="agents.algorithms.rl_ntm.controller:KINDS",
    best_memory="direct_access",
    families=("tape",),
    variants={
        "none": {"causality": False, "online_baseline": False, "offline_baseline": False},
        "causality": {"causality": True, "online_baseline": False, "offline_baseline": False},
        "online": {"causality": True, "online_baseline": True, "offline_baseline": False},
        "offline": {"causality": True, "online_baseline": False, "offline_baseline": True},
        "all": {"causality": True, "online_baseline": True, "offline_baseline": True},
    },
)

ALGORITHMS: dict[str, AlgorithmSpec] = {
    spec.name: spec
    for spec in (
        AlgorithmSpec("ppo", "agents.algorithms.ppo", "MemoryPPO", variants={"critic": {}}),
        AlgorithmSpec("a2c", "agents.algorithms.a2c", "MemoryA2C", variants={"critic": {}}),
        AlgorithmSpec(
            "reinforce",
            "agents.algorithms.reinforce",
            "Reinforce",
            variants={name: {"baseline": name} for name in ("none", "time", "value")},
        ),
        AlgorithmSpec(
            "supervised",
            "agents.algorithms.supervised",
            "Supervised",
            families=("stream",),
            variants={},
        ),
        AlgorithmSpec(
            "mann_rl",
            "agents.algorithms.mann_rl.algorithm",
            "MannRL",
            memory="memory_net",
            memories="agents.algorithms.mann_rl.networks:MEMORY_NETS",
            best_memory="input_output",
            families=("stream",),
            variants={},
        ),
        _RL_NTM,
        replace(_RL_NTM, name="rl_ntm-paper"),  # the same class, with presets of its own
    )
}


def register_algorithm(spec: AlgorithmSpec) -> None:
    """Adds an algorithm of your own to the table.

    Args:
        spec: Its row. Both of its names must be new.

    Raises:
        ValueError: If a name is taken, or if the presets could not tell the name from a memory's.
    """
    if "/" in spec.name or not spec.name:
        raise ValueError(f"name is {spec.name!r}; allowed: names without a slash")
    if spec.name in ALGORITHMS:
        raise ValueError(f"name is {spec.name!r}; allowed: any but {', '.join(ALGORITHMS)}")
    classes = [row.class_name for row in ALGORITHMS.values()]
    if spec.class_name in classes:
        raise ValueError(f"class_name is {spec.class_name!r}; allowed: any but {set(classes)}")
    ALGORITHMS[spec.name] = spec


def check_algorithm(name: str, called: str = "algorithm") -> str:
    """Returns `name` if it is in the table.

    Args:
        name: The name.
        called: What the error calls the argument.

    Raises:
        ValueError: If it is not, naming the nearest one.
    """
    return check_choice(called, name, ALGORITHMS)


def check_memory(name: str, algorithm: str | None = None, called: str = "memory") -> str:
    """Returns `name` if it is a memory of an algorithm; of any without one.

    Args:
        name: The name.
        algorithm: A name in the table.
        called: What the error calls the argument.

    Raises:
        ValueError: If it is not, naming the nearest one.
    """
    algorithms = ALGORITHMS if algorithm is None else (algorithm,)
    known = {memory: None for other in algorithms for memory in ALGORITHMS[other].memory_names()}
    with_it = "" if algorithm is None else f" with {algorithm}"
    return check_choice(f"{called}{with_it}", name, known)


def with_class(class_name: str) -> AlgorithmSpec | None:
    """Returns the first row of a class, None if the table has none."""
    return next((row for row in ALGORITHMS.values() if row.class_name == class_name), None)
