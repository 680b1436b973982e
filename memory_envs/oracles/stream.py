"""The oracle of the stream family: it knows the answers."""

from typing import Any

import numpy as np

from memory_envs.stream.layout import StreamState
from memory_envs.stream.rules import StreamRules
from memory_envs.stream.task import NO_ANSWER


def best_action(rules: StreamRules, state: StreamState, row: int) -> Any:
    """Returns the answer that is due in one row, whose episode is under way; zeros if none is."""
    answer = state.targets[row, state.rows["steps"][row]].astype(np.int64)
    answer[answer == NO_ANSWER] = 0
    return int(answer[0]) if not rules.action_space.shape else answer


def optimal_return(rules: StreamRules, state: StreamState, row: int) -> float:
    """Returns the number of answers that are still due in one row, whose episode is under way."""
    left = state.targets[row, state.rows["steps"][row] :, 0]
    return float((left != NO_ANSWER).sum())
