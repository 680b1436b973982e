"""Plays one episode and keeps what there was to see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from agents.environments.readable import readable_env
from agents.evaluation.trace.episode import Trace
from agents.evaluation.trace.history import find_history
from agents.evaluation.trace.memory import with_own_memory, with_own_moves
from agents.evaluation.trace.watcher import Watcher
from memory_envs.scoring.makers import from_predict
from memory_envs.scoring.play import turn_seeds
from memory_envs.scoring.policy import Turn, check_spaces, checked_actions, name_of
from memory_envs.scoring.references import named_policy
from memory_envs.spec import episode_success


def run_trace(
    policy: Any,
    env_id: str,
    seed: int = 7,
    deterministic: bool = True,
    env_kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Trace:
    """Plays one episode and keeps what happened.

    Args:
        policy: A model with SB3's `predict`, a policy of `memory_envs.scoring.policy`, "random" or
            "oracle".
        env_id: A registered id.
        seed: Seed of the environment and of sampled actions.
        deterministic: Whether a model takes its most probable action.
        env_kwargs: Arguments of the environment.
        name: What the trace calls the policy; by default what its code calls it.
    """
    env = readable_env(gym.make(env_id, disable_env_checker=True, **(env_kwargs or {})))
    base: Any = env.unwrapped
    watcher = Watcher(policy)
    player = player_of(policy, env, deterministic)
    check_spaces(player, env.observation_space, env.action_space)
    playing = np.ones(1, np.bool_)
    state: Any = None
    observations: list[Any] = []
    actions: list[Any] = []
    rewards: list[float] = []
    views: list[Any] = []
    masked, has_view = hasattr(base, "action_masks"), hasattr(base, "view")
    try:
        observation, info = env.reset(seed=seed)
        starts, ended = np.ones(1, np.bool_), False
        while not ended:
            if has_view:
                views.append(base.view())
            masks = base.action_masks()[None] if masked else None
            turn = Turn(_batch(observation), starts, masks, turn_seeds([seed], len(actions)))
            before = state
            chosen, state = player(turn, before)
            watcher.look(turn.observations, before, state, masks)
            action = np.asarray(checked_actions(chosen, player, env.action_space, playing))[0]
            observations.append(observation)
            observation, reward, terminated, truncated, info = env.step(action)
            actions.append(action)
            rewards.append(float(reward))
            starts, ended = np.zeros(1, np.bool_), terminated or truncated
        if has_view:
            views.append(base.view())
    finally:
        env.close()
    seen, choices = watcher.seen(), _choices(env)
    history = find_history(views)
    named = [_named(env.action_space, choices, action) for action in actions]
    choices, named = with_own_moves(choices, named, seen, history)
    heads = [key for key in seen if key.endswith("_weights")]
    return Trace(
        env=env_id,
        model=name or name_of(player),
        seed=seed,
        success=episode_success(info, sum(rewards), env.spec),
        observations=observations,
        actions=named,
        rewards=np.array(rewards),
        values=seen.get("value"),
        choices=choices,
        probabilities=seen.get("probabilities") if choices else None,
        weightings={key.removesuffix("_weights"): seen[key] for key in heads},
        seen=seen,
        history=with_own_memory(history, seen),
    )


def player_of(policy: Any, env: Any, deterministic: bool) -> Any:
    """Returns the policy that plays an environment.

    Args:
        policy: As `run_trace` takes it.
        env: The scalar or vector environment.
        deterministic: Whether a model takes its most probable action.

    Raises:
        memory_envs.scoring.policy.CannotPlayError: If there is no oracle for the environment.
    """
    if isinstance(policy, str):
        return named_policy(policy, env)
    return from_predict(policy, deterministic) if hasattr(policy, "predict") else policy


def longest_episode(
    env_id: str, env_kwargs: Mapping[str, Any] | None = None, first: int = 7, tries: int = 64
) -> int:
    """Returns the seed of the most complex of several episodes, by ``info["complexity"]``.

    Args:
        env_id: A registered id.
        env_kwargs: Arguments of the environment.
        first: The first seed, and the answer if all are alike.
        tries: Number of seeds to look at.
    """
    env = gym.make(env_id, disable_env_checker=True, **(env_kwargs or {}))
    try:
        seeds = range(first, first + tries)
        return max(seeds, key=lambda seed: float(env.reset(seed=seed)[1].get("complexity", 0)))
    finally:
        env.close()


def _batch(observation: Any) -> Any:
    """Returns a batch of one."""
    if isinstance(observation, dict):
        return {name: np.asarray(value)[None] for name, value in observation.items()}
    return np.asarray(observation)[None]


def _choices(env: gym.Env[Any, Any]) -> dict[str, tuple[str, ...]]:
    """Returns the values that each sub-action can take, by name; {} if they have no names."""
    base: Any = env.unwrapped
    if hasattr(base, "action_names") and hasattr(getattr(base, "rules", None), "action_values"):
        return dict(zip(base.action_names, base.rules.action_values, strict=True))
    if isinstance(env.action_space, spaces.Discrete):
        first, number = int(env.action_space.start), int(env.action_space.n)
        return {"action": tuple(str(first + choice) for choice in range(number))}
    return {}


def _named(
    space: spaces.Space[Any], choices: Mapping[str, tuple[str, ...]], action: Any
) -> dict[str, str]:
    """Returns the value that each sub-action took, by name."""
    if not choices:
        return {"action": str(action)}
    numbers = np.ravel(action - getattr(space, "start", 0)).tolist()
    pairs = zip(choices.items(), numbers, strict=True)
    return {name: values[number] for (name, values), number in pairs}
