"""Checks of the network's single step: rows, resets and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.evaluation.conformance.adapter import Adapter, Step
from agents.evaluation.conformance.kit import NO_MEMORY, Kit, check_shape, visible
from agents.evaluation.conformance.of_rollouts import expected
from agents.evaluation.conformance.probe import CHOICES
from agents.evaluation.conformance.replay import TOLERANCE, Array, apart, numbers, wrong
from agents.evaluation.conformance.report import FailedError, NotCheckedError

_STEPS = 4


def outputs(step: Step) -> Array:
    """Returns what a step gives out, ``(B, choices + 1)``: log-probabilities and the value."""
    log_probs = numbers(step.log_probs)
    values = np.zeros(len(log_probs)) if step.values is None else numbers(step.values)
    return np.column_stack([log_probs, values.reshape(len(log_probs))])


def _unroll(agent: Adapter, observations: Array, state: Any = None) -> tuple[Array, Any]:
    """Plays ``(T, B, ...)`` from new states, or on from a state; ``(T, B, choices + 1)``."""
    seen = []
    for time, shown in enumerate(observations):
        starts = np.full(len(shown), state is None and time == 0)
        step = agent.step(shown, state, starts, None)
        state = step.state
        seen.append(outputs(step))
    return np.stack(seen), state


def outputs_fit(kit: Kit) -> None:
    """What a step gives out is finite, of the right shape, and a distribution."""
    agent, _ = kit.agent()
    state: Any = None
    for time, shown in enumerate(kit.observations(_STEPS)):
        step = agent.step(shown, state, np.full(kit.rows, time == 0), None)
        state, log_probs = step.state, numbers(step.log_probs)
        if log_probs.shape != (kit.rows, CHOICES):
            raise FailedError(
                f"log_probs have shape {log_probs.shape}; allowed: {(kit.rows, CHOICES)}"
            )
        if step.values is not None and numbers(step.values).shape != (kit.rows,):
            raise FailedError(
                f"values have shape {numbers(step.values).shape}; allowed: {(kit.rows,)}"
            )
        if not np.isfinite(outputs(step)).all():
            raise FailedError(f"step {time} gives out what is not finite")
        if apart(np.exp(log_probs).sum(axis=1), np.ones(kit.rows)) > TOLERANCE:
            raise FailedError(
                f"the probabilities of step {time} do not sum to 1: log_probs are not "
                "log-probabilities"
            )


def rows_apart(kit: Kit) -> None:
    """What one row gives out depends neither on the others nor on their order."""
    agent, _ = kit.agent()
    observations = kit.observations(_STEPS)
    together, _ = _unroll(agent, observations)
    for row in range(kit.rows):
        alone, _ = _unroll(agent, observations[:, row : row + 1])
        if (error := apart(together[:, row], alone[:, 0])) > TOLERANCE:
            raise FailedError(
                f"row {row} gives out something else beside other rows than alone (by {error:.2g}):"
                " a row depends on other rows"
            )
    turned, _ = _unroll(agent, observations[:, ::-1])
    if (error := apart(turned[:, ::-1], together)) > TOLERANCE:
        raise FailedError(f"the order of the rows changes what they give out (by {error:.2g})")


def state_reset(kit: Kit) -> None:
    """Where `starts` says so, and nowhere else, the memory is that of a new episode."""
    agent, _ = kit.agent()
    observations = kit.observations(_STEPS + 2)
    _, state = _unroll(agent, observations[:_STEPS])
    shown, last = observations[_STEPS], observations[_STEPS + 1]
    nowhere, first = np.zeros(kit.rows, np.bool_), np.arange(kit.rows) == 0
    kept = agent.step(shown, state, nowhere, None)
    new = agent.step(shown, None, ~nowhere, None)
    other = agent.step(last, None, ~nowhere, None)
    next_steps = [outputs(agent.step(last, step.state, nowhere, None)) for step in (new, other)]
    if apart(outputs(new), outputs(other)) == apart(*next_steps) == 0.0:
        raise FailedError(
            "what an episode shows first has no part in what is given out, then and a step later: "
            "the memory is reset after the step, not before it"
        )
    for part in (slice(1), slice(1, None)):  # the row that will start, and those that go on
        visible(outputs(kept)[part], outputs(new)[part], NO_MEMORY)
    mixed = agent.step(shown, state, first, None)
    later = outputs(agent.step(last, mixed.state, nowhere, None))
    right_later = [outputs(agent.step(last, step.state, nowhere, None)) for step in (new, kept)]
    compared: list[tuple[str, Array, Array, Array]] = [
        ("", outputs(mixed), outputs(new), outputs(kept)),
        ("a step later, ", later, right_later[0], right_later[1]),
    ]
    for name, got, fresh, old in compared:
        if apart(got[0], fresh[0]) > TOLERANCE:
            cause = "the memory is not reset where an episode starts"
            if apart(got[0], old[0]) > TOLERANCE:
                cause = "the memory is neither kept nor that of a new episode where one starts"
            raise FailedError(f"{name}{cause}")
        if apart(got[1:], old[1:]) > TOLERANCE:
            raise FailedError(
                f"{name}rows whose episode goes on lose their memory when another starts"
            )


def masks_respected(kit: Kit) -> None:
    """Forbidden actions have no probability, are not played, and leave a distribution."""
    agent, probes = kit.agent(masks=True)
    if not agent.takes_masks:
        raise NotCheckedError("the agent takes no action masks")
    shown = kit.observations(1)[0]
    allowed = np.arange(CHOICES) != np.arange(kit.rows)[:, None] % CHOICES
    starts = np.ones(kit.rows, np.bool_)
    chances = np.exp(numbers(agent.step(shown, None, starts, allowed).log_probs))
    if (chance := chances[~allowed].max()) > 1e-6:
        raise FailedError(f"a forbidden action has the probability {chance:.2g}")
    if apart(chances.sum(axis=1), np.ones(kit.rows)) > TOLERANCE:
        raise FailedError("the probabilities of the allowed actions do not sum to 1")
    played = kit.rollout_of(agent, probes)
    for row, steps in enumerate(played.taken):
        for time, taken in enumerate(steps):
            if not taken.mask[taken.action]:
                raise FailedError(f"step {time} of row {row} takes a forbidden action in a rollout")
    if played.rollout.masks is None:
        raise FailedError("the rollout keeps no masks, so that training cannot know them")
    true = np.stack([[taken.mask for taken in steps] for steps in played.taken], axis=1)
    if not np.array_equal(true, played.rollout.masks):
        raise FailedError("the masks of the rollout are not those of the environment")
    known, _ = expected(agent, probes, played.taken, masked=True)
    if wrong(played.rollout.log_probs, known).any():
        raise FailedError("the rollout keeps the probabilities that actions have without the masks")
    judged = agent.evaluate(played.rollout).log_probs
    check_shape("log_probs of evaluate", judged, known.shape)
    if wrong(judged, known).any():
        raise FailedError("training computes the probabilities of actions without the masks")
