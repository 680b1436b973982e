"""Policies from models with the `predict` of Stable-Baselines3."""

from __future__ import annotations

import inspect
from contextlib import nullcontext
from typing import Any

from memory_envs.arguments import shown
from memory_envs.scoring.makers.randomness import seeded
from memory_envs.scoring.policy import MadePolicy, Turn, name_of, read_parts


def from_predict(model: Any, deterministic: bool = True) -> MadePolicy:
    """Makes a policy of a model of SB3, sb3-contrib or this project.

    Args:
        model: PPO, DQN, RecurrentPPO, MaskablePPO, MemoryPPO, ...: it carries a memory, and takes
            action masks, if its `predict` does.
        deterministic: Whether to take the most probable actions rather than sampled ones.

    Raises:
        TypeError: If it has no `predict`.
    """
    if not callable(getattr(model, "predict", None)):
        raise TypeError(f"model is {shown(model)}; allowed: models with SB3's predict")
    space = getattr(model, "observation_space", None)
    takes_masks = "action_masks" in inspect.signature(model.predict).parameters

    def act(turn: Turn, state: Any) -> tuple[Any, Any]:
        arguments = {"state": state, "episode_start": turn.starts, "deterministic": deterministic}
        if takes_masks and turn.masks is not None:
            arguments["action_masks"] = turn.masks
        observations = read_parts(turn.observations, space)
        with nullcontext() if deterministic else seeded(turn.seeds, model):
            actions, state = model.predict(observations, **arguments)
        return actions, state

    chooses_from = getattr(model, "action_space", None)
    return MadePolicy(act, name_of(model), deterministic, space, chooses_from)
