"""What a step is called on a map."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.evaluation.trace.episode import Trace
from agents.evaluation.trace.text import action_label
from memory_envs.view import NOTHING


def step_labels(trace: Trace) -> list[str]:
    """Returns the symbol that was seen and, after an arrow, the one that was emitted, of each step.

    Where no single symbol is seen, the action stands in their place.
    """
    return [_label(trace, step) for step in range(len(trace.rewards))]


def answered_steps(trace: Trace) -> list[bool]:
    """Returns in which steps something was emitted; none if that is so in half of them or more."""
    steps, output = len(trace.rewards), trace.history.output
    if output is None:
        return [False] * steps
    found: list[bool] = (output.symbols[:steps] != NOTHING).tolist()
    return found if 2 * sum(found) < steps else [False] * steps


def _label(trace: Trace, step: int) -> str:
    history = trace.history
    observation: Any = trace.observations[step]
    if history.tapes:
        tape = history.tapes[0]  # the input
        head = int(tape.heads[step])
        seen = [] if head == NOTHING else [trace.symbol(int(tape.cells[step, head]))]
    elif np.issubdtype(getattr(observation, "dtype", type(observation)), np.integer):
        seen = [str(number) for number in np.ravel(observation)[:1]] * (np.size(observation) == 1)
    else:
        seen = []
    output = history.output
    if output is not None and output.symbols[step] != NOTHING:
        seen.append(f"→{trace.symbol(int(output.symbols[step]))}")
    return " ".join(seen) or " ".join(map(action_label, trace.actions[step].values()))
