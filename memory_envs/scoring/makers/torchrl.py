"""Policies from TorchRL's modules."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from memory_envs.scoring.makers.torch_modules import playing
from memory_envs.scoring.policy import MadePolicy, Turn, name_of


def from_torchrl(module: Any, deterministic: bool = True, one_hot: bool = False) -> MadePolicy:
    """Makes a policy of a module that reads and writes a `TensorDict`.

    It reads "observation", "is_init", and "action_mask" where there are masks; a `Dict` observation
    under its own names. It writes "action", and its memory under "next", as `LSTMModule` does.

    Args:
        module: A `ProbabilisticActor`, a `QValueActor`, a sequence that ends in one, ...
        deterministic: Whether to take the most probable actions rather than sampled ones.
        one_hot: Whether actions are one-hot, as those of TorchRL's `GymEnv` are by default.
    """

    def act(turn: Turn, state: Any) -> tuple[Any, Any]:
        nn = import_module("tensordict.nn")
        parts = dict(turn.observations) if isinstance(turn.observations, dict) else {}
        parts = parts or {"observation": turn.observations}
        if turn.masks is not None:
            parts["action_mask"] = turn.masks
        kind = nn.InteractionType.DETERMINISTIC if deterministic else nn.InteractionType.RANDOM
        with (
            playing(module, None if deterministic else turn.seeds) as tensor,
            nn.set_interaction_type(kind),
        ):
            given = {name: tensor(part) for name, part in parts.items()}
            given["is_init"] = tensor(turn.starts)[:, None]
            size = [len(turn.starts)]
            taken = module(import_module("tensordict").TensorDict({**given, **(state or {})}, size))
        actions = taken["action"].argmax(-1) if one_hot else taken["action"]
        return actions.cpu().numpy(), dict(taken["next"]) if "next" in taken else None

    return MadePolicy(act, name_of(module), deterministic)
