"""One episode, step by step: what the agent saw, did, got and remembered.

After Fig. 7 of Zaremba & Sutskever (2015). Tapes, heads and paths are there for the environments of
memory_envs; of any other environment, observations, actions and rewards are shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.evaluation.trace.history import History
from memory_envs.view import NOTHING

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """An episode of T steps.

    Attributes:
        env: The environment's id.
        model: Who played.
        seed: The environment's seed.
        success: Whether the episode succeeded; None if the environment knows no success.
        observations: What the agent saw, one item per step.
        actions: The value that each sub-action took, by name, one dict per step.
        rewards: Of shape ``(T,)``.
        values: Of shape ``(T,)``, the critic's estimates; None without a critic.
        choices: The values that each sub-action can take, by name; {} where they have no names.
        probabilities: Of shape ``(T, sub-actions, choices)``, in the order of `choices` and 0
            beyond their ends; None if they are not known.
        weightings: Where the memory's heads were, by name, of shape ``(T, heads, slots)``.
        seen: Everything seen of the agent, ``(T, ...)``, by the names of
            `agents.evaluation.trace.watcher`.
        history: Tapes, output and path.
    """

    env: str
    model: str
    seed: int
    success: bool | None
    observations: list[Any]
    actions: list[dict[str, str]]
    rewards: FloatArray
    values: FloatArray | None = None
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    probabilities: FloatArray | None = None
    weightings: dict[str, FloatArray] = field(default_factory=dict)
    seen: dict[str, FloatArray] = field(default_factory=dict)
    history: History = field(default_factory=History)

    def facts(self) -> list[str]:
        """Returns what the trace shows, and how it ended."""
        words = {None: [], True: ["success"], False: ["failure"]}[self.success]
        total = f"return {self.rewards.sum():g}"
        if self.history.output is not None:
            total += f" of {len(self.history.output.target)}"
        steps = f"{len(self.rewards)} steps"
        return [self.env, self.model, f"seed {self.seed}", *words, total, steps]

    def title(self) -> str:
        """Returns the facts in one line."""
        return "   ".join(self.facts())

    def symbol(self, number: int) -> str:
        """Returns how a symbol of a tape is shown."""
        return {NOTHING: " ", **dict(self.history.names)}.get(number, str(number))

    def probability(self, name: str, step: int) -> float | None:
        """Returns how probable the value was that a sub-action took; None if that is not known."""
        if self.probabilities is None or name not in self.choices:
            return None
        column = self.choices[name].index(self.actions[step][name])
        return float(self.probabilities[step, list(self.choices).index(name), column])
