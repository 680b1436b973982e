"""Policies from RLlib's modules, of its new API."""

from __future__ import annotations

from typing import Any

from memory_envs.scoring.makers.torch_modules import playing
from memory_envs.scoring.policy import MadePolicy, Turn, name_of


def from_rllib(module: Any, deterministic: bool = True) -> MadePolicy:
    """Makes a policy of an `RLModule` for PyTorch, with or without a memory.

    Args:
        module: What `algorithm.get_module()` returns. What RLlib's connectors did to observations
            on their way to it has to be done by wrappers: `OneHotObservations`.
        deterministic: Whether to take the most probable actions rather than sampled ones.
    """

    def act(turn: Turn, state: Any) -> tuple[Any, Any]:
        rows, recurrent = len(turn.starts), module.is_stateful()
        with playing(module, None if deterministic else turn.seeds) as tensor:
            batch: dict[str, Any] = {"obs": tensor(turn.observations)}
            if recurrent:  # it wants a dimension of time, and a state for each row
                first = module.get_initial_state().items()
                start = {key: tensor(part).expand(rows, *part.shape) for key, part in first}
                batch = {
                    "obs": batch["obs"][:, None],
                    "state_in": begun(state or start, start, tensor(turn.starts)),
                }
            out = (module.forward_inference if deterministic else module.forward_exploration)(batch)
            actions = out.get("actions")
            if actions is None:
                logits = module.get_inference_action_dist_cls().from_logits
                chances = logits(out["action_dist_inputs"])
                actions = (chances.to_deterministic() if deterministic else chances).sample()
        actions = actions[:, 0] if recurrent else actions
        return actions.cpu().numpy(), out.get("state_out")

    def begun(state: Any, start: Any, starts: Any) -> Any:
        """Puts the first state into rows that begin an episode."""
        return {
            key: first.where(starts.view(-1, *[1] * (first.ndim - 1)), state[key])
            for key, first in start.items()
        }

    spaces = getattr(module, "observation_space", None), getattr(module, "action_space", None)
    return MadePolicy(act, name_of(module), deterministic, *spaces)
