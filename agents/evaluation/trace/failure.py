"""Finds an episode that fails, and traces it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.evaluation.trace.episode import Trace
from agents.evaluation.trace.player import player_of, run_trace
from memory_envs.scoring.opening import opened
from memory_envs.scoring.play import play
from memory_envs.scoring.policy import REFERENCES

TRIES = 1000
_ROWS = 50  # number of episodes that are played at once


class NoFailureError(ValueError):
    """No episode failed, or nobody knows whether one did."""


def failing_trace(
    policy: Any,
    env_id: str,
    first: int,
    deterministic: bool = True,
    env_kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    tries: int = TRIES,
) -> Trace:
    """Returns the trace of the first seed whose episode fails.

    Args:
        policy: The policy; it and the arguments below are those of `run_trace`.
        env_id: A registered id.
        first: The first seed.
        deterministic: Whether a model takes its most probable action.
        env_kwargs: Arguments of the environment.
        name: Name of the policy in the trace.
        tries: Number of seeds to play.

    Raises:
        NoFailureError: If none of these episodes fails.
    """
    # Rows that sample may draw from one generator: the episode of a seed is played alone then.
    same_alone = policy in REFERENCES if isinstance(policy, str) else deterministic
    with opened(env_id, _ROWS if same_alone else 1, env_kwargs) as rows:
        player = player_of(policy, rows.env, deterministic)
        for seed in range(first, first + tries, rows.num_rows):
            episodes = min(rows.num_rows, first + tries - seed)
            successes = play(player, rows, episodes, seed).successes
            if successes is None:
                raise NoFailureError(f"{env_id} does not say whether an episode failed")
            for row in (~successes).nonzero()[0].tolist():
                trace = run_trace(policy, env_id, seed + row, deterministic, env_kwargs, name)
                # Sums are rounded otherwise in a batch, which may decide between two near choices.
                if trace.success is False:
                    return trace
    last = first + tries - 1
    raise NoFailureError(f"none of the {tries} episodes with seeds {first} to {last} failed")
