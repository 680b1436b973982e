"""What a policy is, whoever trained it: a function of a turn and of its own memory.

    def policy(turn, state):
        return actions, state

It chooses an action for each of B rows, from what the rows show. `state` is its memory, of any
type: None in the first turn, where every row begins an episode, then what it returned in the turn
before. So a policy is a value without a past, and one object can play anywhere, at any time. (The
other form would have been an object with `reset` and `act` that keeps its memory to itself. It
could not be played in two places at once, and would have to be told which rows begin in one call
and what they show in another.)

A policy may say more, as attributes, and need not: `name`; `deterministic`, whether it takes its
most probable actions; `observation_space` and `action_space`, which must then be the environment's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from memory_envs.arguments import shown

BoolArray = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]


class Turn(NamedTuple):
    """What B rows show a policy that is to move.

    Attributes:
        observations: Of shape ``(B, ...)``; of `Dict` and `Tuple` spaces, a dict or a tuple.
        starts: Of shape ``(B,)``, which rows begin an episode. Rows that begin one later than in
            the first turn are played but not counted: a policy whose rows do not depend on each
            other may leave it unread.
        masks: Of shape ``(B, choices)``, the allowed values of each sub-action, one sub-action
            after the other; None where the environment has no `action_masks`.
        seeds: Of shape ``(B,)``, for the randomness of the policy: new numbers in every turn, which
            depend on the row's episode and step alone.
    """

    observations: Any
    starts: BoolArray
    masks: BoolArray | None
    seeds: Words


REFERENCES = ("random", "oracle")  # policies that are known by these names

Policy = Callable[[Turn, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class MadePolicy:
    """A policy that was made of somebody's model.

    Attributes:
        act: The policy.
        name: What it is called.
        deterministic: Whether it takes the most probable actions; None if it does not say.
        observation_space: What it was trained on; None if it does not say.
        action_space: The actions that it chooses from; None if it does not say.
    """

    act: Policy
    name: str
    deterministic: bool | None = None
    observation_space: spaces.Space[Any] | None = None
    action_space: spaces.Space[Any] | None = None

    def __call__(self, turn: Turn, state: Any) -> tuple[Any, Any]:
        """Chooses actions; see `memory_envs.scoring.policy`."""
        return self.act(turn, state)


class CannotPlayError(ValueError):
    """A policy does not fit an environment, or did what no policy may do."""


def name_of(policy: Any) -> str:
    """Returns what a policy, or the model that it is made of, is called."""
    name = getattr(policy, "name", None) or getattr(policy, "__name__", None)
    return name if isinstance(name, str) else type(policy).__name__


def check_callable(name: str, value: Any, form: str) -> None:
    """Refuses what cannot be called.

    Raises:
        TypeError: If it cannot; says of what form it has to be.
    """
    if not callable(value):
        raise TypeError(f"{name} is {shown(value)}; allowed: functions {form}")


def check_spaces(policy: Any, observations: spaces.Space[Any], actions: spaces.Space[Any]) -> None:
    """Checks the spaces that a policy says it was trained on.

    Args:
        policy: The policy.
        observations: The environment's space, of one row.
        actions: The same.

    Raises:
        CannotPlayError: If they are not the environment's.
    """
    for name, here in (("observation_space", observations), ("action_space", actions)):
        trained = getattr(policy, name, None)
        if isinstance(trained, spaces.Space) and not _fits(trained, here):
            raise CannotPlayError(
                f"policy {name_of(policy)} has {name} {trained}; allowed: the environment's, which "
                f"is {here}. Wrap the environment as it was in training: "
                "evaluate(policy, lambda: YourWrapper(gym.make(id)))"
            )


def _fits(trained: Any, here: Any) -> bool:
    """Returns whether the spaces agree, but for keys left out and images whose axes SB3 turned."""
    if isinstance(trained, spaces.Dict) and isinstance(here, spaces.Dict | spaces.Tuple):
        inner = dict(here.items()) if isinstance(here, spaces.Dict) else _by_number(here)
        return all(key in inner and _fits(trained[key], inner[key]) for key in trained)
    return bool(trained == here) or len(trained.shape or ()) == 3


def _by_number(parts: Any) -> dict[str, Any]:
    return {str(number): part for number, part in enumerate(parts)}


def read_parts(observations: Any, space: Any) -> Any:
    """Returns the parts of a `Dict` or `Tuple` observation that a policy was trained on.

    Args:
        observations: What the environment gives; a tuple's parts have the keys "0", "1", ...
        space: What the policy was trained on.
    """
    if isinstance(observations, tuple):
        observations = _by_number(observations)
    if isinstance(observations, dict) and isinstance(space, spaces.Dict):
        return {key: observations[key] for key in space}
    return observations


def checked_actions(actions: Any, policy: Any, space: spaces.Space[Any], playing: BoolArray) -> Any:
    """Returns the actions that a policy chose, as the environment takes them.

    Args:
        actions: What the policy returned: ``(B, ...)`` of what can be made an array; for `Dict` and
            `Tuple` spaces what their batched space holds.
        policy: Who chose them, for the message.
        space: The action space of one row.
        playing: Of shape ``(B,)``, the rows that count. Others may show what is no part of an
            episode; what is no action there becomes one.

    Raises:
        CannotPlayError: If one is not in the space, naming the first.
    """
    if isinstance(space, spaces.Dict | spaces.Tuple):
        return actions  # the vector environment takes these apart
    who = f"policy {name_of(policy)} chose actions"
    assert space.shape is not None
    shape = (len(playing), *space.shape)
    try:
        array = np.asarray(actions)
    except Exception as error:  # a stranger's object may raise anything while it is converted
        raise CannotPlayError(f"{who} {shown(actions)}; allowed: an array of {shape}") from error
    if array.shape != shape:
        raise CannotPlayError(f"{who} of shape {array.shape}; allowed: {shape}, of {space}")
    whole = not isinstance(space, spaces.Box) or space.dtype.kind in "iu"
    if array.dtype.kind not in ("iu" if whole else "iuf"):
        allowed = "integers" if whole else "numbers"
        raise CannotPlayError(f"{who} of dtype {array.dtype}; allowed: {allowed}, of {space}")
    low, high = _limits(space)
    inside = (array >= low) & (array <= high)  # NaN is neither
    if not inside.all():
        wrong = ~inside.reshape(len(playing), -1).all(axis=1)
        if (wrong & playing).any():
            row = int(np.argmax(wrong & playing))
            given = f"{who}, in row {row} {array[row].tolist()}"
            raise CannotPlayError(f"{given}; allowed: {space}")
        array = np.where(inside, array, np.clip(0, low, high))
    return array.astype(space.dtype, copy=False)


def _limits(space: Any) -> tuple[Any, Any]:
    """Returns the lowest and highest values of a space that is neither `Dict` nor `Tuple`."""
    if isinstance(space, spaces.Discrete):
        return space.start, space.start + space.n - 1
    if isinstance(space, spaces.MultiDiscrete):
        return space.start, space.start + space.nvec - 1
    if isinstance(space, spaces.Box):
        return space.low, space.high
    if isinstance(space, spaces.MultiBinary):
        return 0, 1
    raise CannotPlayError(
        f"the environment has actions {space}; allowed: Discrete, MultiDiscrete, MultiBinary, Box, "
        "Dict, Tuple"
    )
