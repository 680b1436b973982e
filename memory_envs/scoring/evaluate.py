"""`memory_envs.evaluate`: a score for anybody's agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memory_envs.arguments import check_choice, check_integer, shown
from memory_envs.core.seeding import check_seed
from memory_envs.scoring.makers import from_predict
from memory_envs.scoring.opening import opened
from memory_envs.scoring.play import play
from memory_envs.scoring.policy import REFERENCES, Policy, check_spaces, name_of
from memory_envs.scoring.references import base_env, find_rules, named_policy, references
from memory_envs.scoring.result import EvaluationResult, summed_up
from memory_envs.scoring.rows import Rows


def evaluate(
    policy: Policy | Any,
    env: Any,
    episodes: int = 1000,
    seed: int = 7,
    *,
    env_kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> EvaluationResult:
    """Plays fresh episodes and sums them up.

    The score is ``(return - random) / (optimal - random)``: 0 for random play, 1 for optimal play,
    both in the unwrapped environment on the same seeds. The return is that of the unwrapped
    environment, too, unless its rows are other processes.

    Args:
        policy: A policy, ``policy(turn, state) -> actions, state``, see
            `memory_envs.scoring.policy`, or what one of `memory_envs.scoring.makers` makes; a model
            with SB3's `predict`, which takes its most probable actions; or "random" or "oracle",
            which play the unwrapped environment.
        env: An id, which is played in up to 512 rows at once; a `gymnasium.Env`, which plays one
            episode after the other; a `gymnasium.vector.VectorEnv`, whose rows are copies of one
            environment, in any autoreset mode; or a function without arguments that makes one of
            the two, of an environment up to 512.
        episodes: Number of episodes.
        seed: Episode k is the first of an environment seeded ``seed + k``; the bootstrap and the
            turns' `seeds` depend on it, too.
        env_kwargs: Arguments of the environment, with an id.
        name: Name of the policy in the result.

    Raises:
        TypeError, ValueError: If an argument is not valid; says what is allowed. It is a
            `memory_envs.scoring.policy.CannotPlayError` if the policy does not fit the environment,
            or chooses what is no action.
    """
    check_integer("episodes", episodes, 1)
    check_seed(seed)
    player = _player(policy)
    with opened(env, episodes, env_kwargs) as rows:
        if isinstance(player, str):
            player, played = _play_named(player, rows, episodes, seed)
        else:
            check_spaces(player, rows.observation_space, rows.action_space)
            played = play(player, rows, episodes, seed)
        return summed_up(
            played,
            references(rows.env, episodes, seed),
            env=_env_name(env, rows),
            model=name or name_of(player),
            seed=seed,
            deterministic=getattr(player, "deterministic", None),
        )


def _player(policy: Any) -> Policy | str:
    if isinstance(policy, str):
        return check_choice("policy", policy, REFERENCES)
    if hasattr(policy, "predict"):
        return from_predict(policy)
    if not callable(policy):
        raise TypeError(
            f"policy is {shown(policy)}; allowed: a function policy(turn, state) that returns "
            "actions and state, a model with SB3's predict, 'random', 'oracle', and what "
            "memory_envs.scoring.makers make of models"
        )
    checked: Policy = policy
    return checked


def _play_named(name: str, rows: Rows, episodes: int, seed: int) -> Any:
    """Plays the unwrapped environment, or what was given if it is not of `memory_envs`."""
    rules = find_rules(rows.env)
    if rules is not None:
        rows = Rows(base_env(rules, episodes), rows.spec)
    player = named_policy(name, rows.env)
    return player, play(player, rows, episodes, seed)


def _env_name(env: Any, rows: Rows) -> str:
    if isinstance(env, str):
        return env
    if rows.spec is not None:
        return rows.spec.id
    base: Any = rows.env.unwrapped
    return type(base.envs[0].unwrapped if hasattr(base, "envs") else base).__name__
