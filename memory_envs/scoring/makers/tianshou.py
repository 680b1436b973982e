"""Policies from Tianshou's."""

from __future__ import annotations

from copy import deepcopy
from importlib import import_module
from typing import Any

from memory_envs.scoring.makers.torch_modules import playing
from memory_envs.scoring.policy import MadePolicy, Turn, name_of


def from_tianshou(policy: Any, deterministic: bool = True) -> MadePolicy:
    """Makes a policy of one of Tianshou's.

    Args:
        policy: ``algorithm.policy``, with or without a memory. Where the environment has action
            masks it sees ``obs.obs`` and ``obs.mask``, as Tianshou has it.
        deterministic: Whether to take the most probable actions rather than sampled ones, if it has
            a distribution; a Q-network takes the best ones, but for its `eps_inference`.
    """

    def act(turn: Turn, state: Any) -> tuple[Any, Any]:
        batch = import_module("tianshou.data").Batch
        seen = turn.observations
        if turn.masks is not None:
            seen = batch(obs=seen, mask=turn.masks)
        if state is not None and turn.starts.any():  # as Tianshou's collector does
            state = deepcopy(state)
            state.empty_(turn.starts)
        with playing(policy, None if deterministic else turn.seeds):
            out = policy(batch(obs=seen, info=batch()), state)
            actions, chances = out.act, out.get("dist")
            if chances is not None:
                actions = chances.mode if deterministic else chances.sample()
        if hasattr(actions, "numpy"):
            actions = actions.cpu().numpy()
        return policy.map_action(actions), out.get("state")

    spaces = getattr(policy, "observation_space", None), getattr(policy, "action_space", None)
    return MadePolicy(act, name_of(policy), deterministic, *spaces)
