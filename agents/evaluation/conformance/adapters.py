"""Which adapter serves a model."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from agents.algorithms.on_policy import MemoryOnPolicyAlgorithm
from agents.evaluation.conformance.adapter import MakeAdapter
from agents.evaluation.conformance.ours import OnPolicyMaker
from agents.evaluation.conformance.recurrent_ppo import RecurrentPPOMaker
from memory_envs.arguments import shown


def maker_of(model: Any) -> MakeAdapter:
    """Returns what makes adapters of new models of the same class and settings.

    Args:
        model: A model, or a function that makes adapters already, which is returned.

    Raises:
        TypeError: If there is no adapter for it.
    """
    if isinstance(model, MemoryOnPolicyAlgorithm):
        return OnPolicyMaker(model)
    if any(base.__name__ == "RecurrentPPO" for base in type(model).__mro__):
        return RecurrentPPOMaker(model)
    if callable(model) and not isinstance(model, BaseAlgorithm | type):
        make: MakeAdapter = model
        return make
    raise TypeError(
        f"model is {shown(model)}; allowed: a MemoryPPO, MemoryA2C or Reinforce, a RecurrentPPO of "
        "sb3-contrib, or a function make(make_env, rows, seed) that returns an Adapter"
    )
