"""Who plays: policies that can be bound to an environment."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

BoolArray = npt.NDArray[np.bool_]

# An actor chooses actions (B, ...) for observations (B, ...). It is told which rows start an
# episode, and the action masks (B, choices) where the environment has them.
Actor = Callable[[Any, BoolArray, BoolArray | None], Any]
# A policy binds an actor to a scalar environment or a GymnasiumVecEnv, and to a seed for its
# randomness.
Policy = Callable[[Any, int], Actor]
# A watch is told, after every step of a model, the observations, the model's states before and
# after, and the action masks.
Watch = Callable[[Any, Any, Any, BoolArray | None], None]


class CannotPlayError(ValueError):
    """A policy does not fit an environment."""


def random_policy(env: Any, seed: int) -> Actor:
    """Plays uniformly over the allowed actions."""
    generator = np.random.default_rng(seed)
    space = env.action_space
    if not isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        space.seed(seed)
        return lambda _obs, starts, _masks: np.stack([space.sample() for _ in starts])
    shape = () if isinstance(space, spaces.Discrete) else space.shape
    sizes = np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec)
    splits = np.cumsum(sizes)[:-1]

    def act(_obs: Any, starts: BoolArray, masks: BoolArray | None) -> Any:
        draws = generator.random((len(starts), int(sizes.sum())))
        if masks is not None:
            draws = np.where(masks, draws, -1.0)
        chosen = [part.argmax(axis=1) for part in np.split(draws, splits, axis=1)]
        return np.stack(chosen, axis=1).reshape(len(starts), *shape) + space.start

    return act


def model_policy(model: Any, deterministic: bool, watch: Watch | None = None) -> Policy:
    """Lets a model with SB3's `predict` play: ours, PPO, RecurrentPPO, MaskablePPO, ...

    Args:
        model: The model; it carries a memory state, and takes action masks, if its `predict` does.
        deterministic: Whether to take the most probable action rather than a sampled one.
        watch: Function that is told of every step.

    Returns:
        A policy that raises CannotPlayError where observations or actions are not the model's.
    """
    takes_masks = "action_masks" in inspect.signature(model.predict).parameters

    def bind(env: Any, seed: int) -> Actor:
        _check_spaces(model, env)
        if hasattr(model, "predict_generator"):
            model.predict_generator.manual_seed(seed)
        state: Any = None

        def act(obs: Any, starts: BoolArray, masks: BoolArray | None) -> Any:
            nonlocal state
            arguments = {"action_masks": masks} if takes_masks and masks is not None else {}
            before = state
            actions, state = model.predict(
                obs, state=before, episode_start=starts, deterministic=deterministic, **arguments
            )
            if watch is not None:
                watch(obs, before, state, masks)
            return actions

        return act

    return bind


def _check_spaces(model: Any, env: Any) -> None:
    for name in ("observation_space", "action_space"):
        trained, here = getattr(model, name, None), getattr(env, name)
        if trained is not None and not _fits(trained, here):
            raise CannotPlayError(f"the model's {name} is {trained}, the environment's is {here}")


def _fits(trained: Any, here: Any) -> bool:
    """Returns whether the spaces agree, but for keys left out and images whose axes SB3 turned."""
    if isinstance(trained, spaces.Dict) and isinstance(here, spaces.Dict):
        inner = here.spaces
        return all(key in inner and _fits(trained[key], inner[key]) for key in trained)
    return trained == here or len(trained.shape or ()) == 3
