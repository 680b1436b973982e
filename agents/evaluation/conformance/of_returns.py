"""Checks of what follows an episode's end in the advantages."""

from __future__ import annotations

import numpy as np

from agents.evaluation.conformance.kit import Kit, Played
from agents.evaluation.conformance.probe import Taken
from agents.evaluation.conformance.replay import Array, apart, numbers, replay
from agents.evaluation.conformance.report import FailedError, NotCheckedError

# Of float32 sums of a rollout's rewards, relative to the largest number in them.
_TOLERANCE = 1e-5


def _after(played: Played, row: int, taken: Taken, memory: bool = True) -> float:
    """The value of what a step led to, as the next step of the same episode."""
    episode = played.probes.episodes(len(played.taken))[row][taken.episode][: taken.time + 1]
    state = replay(played.agent, episode).states[-1] if memory else None
    starts = np.array([not memory])
    step = played.agent.step(taken.after[None], state, starts, None)
    return float(numbers(step.values)[0])


def _first_value(played: Played, row: int, time: int) -> float:
    """The value of the first observation after the end of an episode."""
    if time + 1 < len(played.taken[row]):
        values = played.rollout.values
        assert values is not None
        return float(values[time + 1, row])
    return 0.0


def _advantages(played: Played, at_ends: str) -> Array:
    """Generalised advantage estimation (Schulman et al. 2016) in plain Python.

    Args:
        played: A rollout, whose values are taken as they are.
        at_ends: What is taken for the future where an episode ended: ``"right"``: nothing if it
            was terminated, the value of its last observation if a time limit cut it;
            ``"nothing"``; ``"last"``, always the latter; ``"next"``, the next episode's first
            value; ``"before"``, that of the observation before; ``"forgotten"``, the value of the
            last observation with a new memory; ``"leak"``, no end at all.
    """
    rollout = played.rollout
    assert rollout.values is not None
    advantages = np.zeros(rollout.values.shape)
    for row, steps in enumerate(played.taken):
        later = 0.0
        for time in reversed(range(len(steps))):
            taken = steps[time]
            over = taken.terminated or taken.truncated
            if not over:
                last = time + 1 == len(steps)
                future = _after(played, row, taken) if last else rollout.values[time + 1, row]
            elif at_ends == "nothing" or (at_ends == "right" and taken.terminated):
                future = 0.0
            elif at_ends in ("next", "leak"):
                future = _first_value(played, row, time)
            elif at_ends == "before":
                future = rollout.values[time, row]
            else:
                future = _after(played, row, taken, memory=at_ends != "forgotten")
            delta = taken.reward + rollout.gamma * future - rollout.values[time, row]
            carries = 1.0 if not over or at_ends == "leak" else 0.0
            later = delta + rollout.gamma * rollout.gae_lambda * carries * later
            advantages[time, row] = later
    return advantages


# What else may have been done, and what that is in words.
_CAUSES = {
    "nothing": "nothing is expected after a time limit, as if the episode had been terminated",
    "next": "the value of the next episode's first observation is taken for that of the last one",
    "before": "the value of the observation before the last one is taken for that of the last one",
    "forgotten": "the last observation is valued without the memory of its episode",
    "last": "a value is expected after the end of an episode, where nothing follows",
    "leak": "advantages are carried over the end of an episode",
}


def _judge(played: Played, suspects: tuple[str, ...], visible: tuple[str, ...]) -> None:
    """Compares the advantages with the right ones, and with what else may have been done.

    Args:
        played: A rollout.
        suspects: What else may have been done.
        visible: Those that must give something else than what is right, or nothing was checked.
    """
    rollout = played.rollout
    if rollout.values is None or rollout.advantages is None:
        raise NotCheckedError("the algorithm estimates no advantages by a critic")
    given = numbers(rollout.advantages)
    right = _advantages(played, "right")
    scale = max(1.0, np.abs(right).max(), np.abs(numbers(rollout.values)).max())

    def error(suspect: str, of: Array) -> float:
        return apart(of / scale, _advantages(played, suspect) / scale)

    if error("right", given) < _TOLERANCE:
        for suspect in visible:
            if error(suspect, right) < 2.0 * _TOLERANCE:
                raise NotCheckedError(
                    f"in these rollouts it would make no difference if {_CAUSES[suspect]}"
                )
        return
    for suspect in suspects:
        if error(suspect, given) < _TOLERANCE:
            raise FailedError(_CAUSES[suspect])
    time, row = np.unravel_index(np.abs(given - right).argmax(), given.shape)
    raise FailedError(
        f"the advantage at step {time} of row {row} is {given[time, row]:.6g}; from the rewards "
        f"and the rollout's own values it is {right[time, row]:.6g}"
    )


def episode_ends(kit: Kit) -> None:
    """Nothing of a later episode has a part in the advantages of an earlier one."""
    _judge(kit.played(ends="terminated"), ("leak", "next", "last", "forgotten"), ("leak", "last"))


def time_limits(kit: Kit) -> None:
    """Where a time limit cuts an episode, the value of its last observation follows."""
    suspects = "nothing", "next", "before", "forgotten", "leak"
    _judge(kit.played(ends="truncated"), suspects, ("nothing", "next", "before"))
