"""Looks into a model while it plays.

Policies that let themselves be looked into have a method ``trace(observation, before, after,
masks)``: what there was to see in the step that `predict` just took, tensors by name, batch first.
These names mean something to `agents.evaluation.trace`:

    value            ``(B,)``, what the critic says.
    *_weights        ``(B, heads, slots)``, where heads of an inner memory were.
    probabilities    ``(B, sub-actions, choices)``; 0 where a sub-action has fewer choices.
    memory_tape      ``(B, cells, symbols)``, the agent's own tape after the step. It takes the
                     place of the environment's; if it has no cells, neither is shown.
    memory_change    ``(B, cells)``, the largest change of each cell in this step.
    memory_head      ``(B,)``, the cell under the head during the step.
    memory_move      ``(B,)``, where the head goes then: 0 left, 1 stay, 2 right.
    output           ``(B, size)``, what the memory gives out.

`agents.evaluation.memory_map` shows, besides, what `agents.cells.base.MemoryCell.trace` names.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class Watcher:
    """Keeps what there was to see in an episode.

    Args:
        policy: The player; unless it is a model whose policy can be looked into, nothing is seen.
    """

    def __init__(self, policy: Any) -> None:
        network = getattr(policy, "policy", None)
        self.network: Any = network if hasattr(network, "trace") else None
        self._steps: dict[str, list[FloatArray]] = {}

    def look(self, observation: Any, before: Any, after: Any, masks: Any) -> None:
        """Takes in one step of an episode.

        Args:
            observation: Of shape ``(1, ...)``.
            before: The model's state before the step; None at the start.
            after: The model's state after the step.
            masks: The environment's action masks, or None.
        """
        if self.network is None:
            return
        for name, tensor in self.network.trace(observation, before, after, masks).items():
            self._steps.setdefault(name, []).append(tensor[0].cpu().double().numpy())

    def seen(self) -> dict[str, FloatArray]:
        """Returns everything seen, by name, ``(T, ...)``."""
        return {name: np.stack(steps) for name, steps in self._steps.items()}
