"""Checks of a rollout and of what training makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.evaluation.conformance.adapter import Adapter
from agents.evaluation.conformance.kit import NO_MEMORY, Kit, Played, check_shape, visible
from agents.evaluation.conformance.probe import Probes, Taken
from agents.evaluation.conformance.replay import (
    TOLERANCE,
    Array,
    apart,
    numbers,
    one_step,
    replay,
    wrong,
)
from agents.evaluation.conformance.report import FailedError, NotCheckedError


def _record(played: Played, which: str) -> None:
    rollout = played.rollout
    for row, steps in enumerate(played.taken):
        for time, taken in enumerate(steps):
            where = f"{which}, step {time} of row {row}"
            started = bool(rollout.starts[time, row])
            if started != (taken.time == 0):
                word = "marked as" if started else "not marked as"
                raise FailedError(f"{where} is {word} the start of an episode, wrongly")
            if not np.allclose(rollout.observations[time, row], taken.observation):
                before = steps[time - 1] if time else None
                if before and np.allclose(rollout.observations[time, row], before.after):
                    raise FailedError(
                        f"{where} holds the last observation of an episode in place of the first "
                        "one of the next"
                    )
                raise FailedError(f"{where} holds another observation than was shown")
            if int(rollout.actions[time, row]) != taken.action:
                raise FailedError(f"{where} holds another action than was taken")


def terminal_observations(kit: Kit) -> None:
    """Observations, actions and starts are those of the environment, at episodes' ends, too."""
    agent, probes = kit.agent()
    for which in ("first rollout", "second rollout"):
        _record(kit.rollout_of(agent, probes), which)
    if not any(step.terminated or step.truncated for probe in probes.made for step in probe.taken):
        raise NotCheckedError("no episode ends in two rollouts: they have too few steps")


def expected(
    agent: Adapter, probes: Probes, taken: list[list[Taken]], masked: bool = False
) -> tuple[Array, Array | None]:
    """Returns log-probabilities of the actions and values ``(T, B)`` by replaying each episode."""
    log_probs = np.zeros((len(taken[0]), len(taken)))
    values = np.zeros_like(log_probs)
    critic = True
    for row, (steps, episodes) in enumerate(zip(taken, probes.episodes(len(taken)), strict=True)):
        known = {number: replay(agent, of, masked) for number, of in episodes.items()}
        for time, step in enumerate(steps):
            played = known[step.episode]
            log_probs[time, row] = numbers(played.log_probs[step.time])[step.action]
            value = played.values[step.time]
            critic = critic and value is not None
            values[time, row] = 0.0 if value is None else float(numbers(value))
    return log_probs, values if critic else None


def _compare(played: Played, which: str) -> None:
    log_probs, values = expected(played.agent, played.probes, played.taken)
    first = {row: steps[0].episode for row, steps in enumerate(played.taken)}
    pairs: list[tuple[str, Any, Any]] = [("log-probability", played.rollout.log_probs, log_probs)]
    if played.rollout.values is not None and values is not None:
        pairs.append(("value", played.rollout.values, values))
    for name, got, right in pairs:
        places = np.argwhere(wrong(got, right))
        if not places.size:
            continue
        time, row = places[0]
        taken = played.taken[row][time]
        if taken.episode == first[row] and played.taken[row][0].time > 0:
            cause = "the memory of an episode that a rollout cuts is not carried into the next one"
        elif taken.episode > first[row]:
            cause = "something of an earlier episode reaches into this one"
        elif taken.time:
            cause = "the memory is not carried from step to step"
        else:
            cause = "the episode does not begin with a new memory"
        raise FailedError(
            f"{which}, step {time} of row {row}, step {taken.time} of its episode: the {name} is "
            f"{float(numbers(got)[time, row]):.6g}, of the episode alone "
            f"{right[time, row]:.6g}: {cause}"
        )


def rollout_memory(kit: Kit) -> None:
    """Each episode of two rollouts is played as if it were alone."""
    agent, probes = kit.agent()
    for which in ("first rollout", "second rollout"):
        played = kit.rollout_of(agent, probes)
        _compare(played, which)
    _see_memory(played)


def _see_memory(played: Played) -> None:
    """Refuses to judge a rollout in which a lost memory would not be seen.

    Raises:
        NotCheckedError: If each step alone, with a new memory, gives out the same.
    """
    known, critic = expected(played.agent, played.probes, played.taken)
    found, alone = np.zeros_like(known), np.zeros_like(known)
    for row, steps in enumerate(played.taken):
        for time, taken in enumerate(steps):
            step = one_step(played.agent, taken, None, starts=True)
            found[time, row] = numbers(step.log_probs)[0, taken.action]
            alone[time, row] = 0.0 if critic is None else numbers(step.values)[0]
    values = np.zeros_like(known) if critic is None else critic
    visible(np.stack([found, alone]), np.stack([known, values]), NO_MEMORY)


def changed_environment(kit: Kit) -> None:
    """In other environments, the first step has a new memory."""
    agent, probes = kit.agent()
    if agent.change_env is None:
        raise NotCheckedError("the adapter has no change_env")
    kit.rollout_of(agent, probes)
    others = Probes(kit.seed + 1)
    agent.change_env(others)
    played = kit.rollout_of(agent, others)
    try:
        _record(played, "in other environments")
        _compare(played, "in other environments")
    except FailedError as error:
        raise FailedError(
            f"after a change of environments the memory is not reset: {error}"
        ) from error
    _see_memory(played)


def ratio_one(kit: Kit) -> None:
    """Before the first update, training finds the probabilities and values of the rollout."""
    agent, probes = kit.agent()
    for which in ("first rollout", "second rollout"):
        played = kit.rollout_of(agent, probes)
        rollout, judged = played.rollout, agent.evaluate(played.rollout)
        check_shape("log_probs of evaluate", judged.log_probs, np.shape(rollout.log_probs))
        got = np.exp(numbers(judged.log_probs) - numbers(rollout.log_probs))
        places = np.argwhere(wrong(got, np.ones_like(got)))
        name = "the probability ratio is not 1 before the first update"
        if not places.size and judged.values is not None and rollout.values is not None:
            check_shape("values of evaluate", judged.values, np.shape(rollout.values))
            got = numbers(judged.values)
            places = np.argwhere(wrong(got, rollout.values))
            name = "training finds other values than the rollout before the first update"
        if not places.size:
            continue
        time, row = places[0]
        place = f"{which}, step {time} of row {row}"
        later = [played.taken[b][t].episode > played.taken[b][0].episode for t, b in places]
        went_on = [played.taken[b][0].time > 0 for _, b in places]
        if all(later):
            place += "; only after the first end: the memory is not reset as in the rollout"
        elif all(went_on):
            place += "; only in episodes that went on: they do not begin with the memory they had"
        raise FailedError(f"{name} ({got[time, row]:.6g} at {place})")


def padding_counts(kit: Kit) -> None:
    """A mean over a rollout counts each step once, and nothing that was only filled in."""
    played = kit.played()
    if played.agent.entropy is None:
        raise NotCheckedError("the adapter has no entropy")
    entropies = []
    for episodes in played.probes.episodes(kit.rows):
        for steps in episodes.values():
            chances = [numbers(log_probs) for log_probs in replay(played.agent, steps).log_probs]
            entropies += [-float((np.exp(known) * known).sum()) for known in chances]
    right, got = float(np.mean(entropies)), played.agent.entropy(played.rollout)
    if apart(got, right) > TOLERANCE:
        raise FailedError(
            f"the mean entropy that training finds is {got:.6g}; over the steps of the rollout it "
            f"is {right:.6g}: is padding counted, or a step left out?"
        )


def gradient_within(kit: Kit) -> None:
    """The gradient of a step's loss is that of its own episode, played alone."""
    played = kit.played()
    with torch.enable_grad():
        judged = played.agent.evaluate(played.rollout)
        for name, whole in (("log-probabilities", judged.log_probs), ("values", judged.values)):
            if whole is not None:
                _compare_gradients(played, name, whole)


def _compare_gradients(played: Played, name: str, whole: Any) -> None:
    if not (isinstance(whole, Tensor) and whole.requires_grad):
        raise NotCheckedError(f"{name} carry no gradient of PyTorch")
    parameters = list(_leaves(whole))
    # The last step of each row's second episode: what comes before must have no part in it.
    found = False
    for row, steps in enumerate(played.taken):
        number = steps[0].episode + 1
        times = [time for time, taken in enumerate(steps) if taken.episode == number]
        if not times:
            continue
        found = True
        bptt = played.rollout.bptt
        cuts = [] if bptt is None else [steps[t].time for t in times if t % bptt == 0]
        alone = replay(played.agent, [steps[t] for t in times], gradients=True, cuts=cuts)
        last = len(times) - 1
        if name == "values":
            right = alone.values[last]
        else:
            right = alone.log_probs[last][steps[times[last]].action]
        if not (isinstance(right, Tensor) and right.requires_grad):
            raise NotCheckedError(f"{name} of the adapter's step carry no gradient of PyTorch")
        got = _gradient(whole[times[last], row], parameters)
        wanted = _gradient(right, parameters)
        scale = max(1e-3, float(wanted.abs().max()))
        error = float((got - wanted).abs().max()) / scale
        if not error <= 1e-3:  # nor is it NaN
            raise FailedError(
                f"the gradient of the {name} at step {times[last]} of row {row} is not that of its "
                f"episode alone (relative error {error:.2g}): it reaches into another episode or "
                "row, or stops within this one"
            )
    if not found:
        raise NotCheckedError("no row of the rollout has a second episode")


def _leaves(output: Tensor) -> Iterator[Tensor]:
    """Yields the parameters that a tensor was computed from."""
    waiting: list[Any] = [output.grad_fn]
    met = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in met:
            continue
        met.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting.extend(parent for parent, _ in node.next_functions)


def _gradient(output: Tensor, parameters: list[Tensor]) -> Tensor:
    found = torch.autograd.grad(
        output.reshape(()), parameters, retain_graph=True, materialize_grads=True
    )
    return torch.cat([part.flatten() for part in found])
