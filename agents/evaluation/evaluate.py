"""Evaluation on fresh episodes, and the two policies that scores are measured against.

Episode k is the first episode of an environment seeded with ``seed + k``, however long it lasts, so
short episodes weigh no more than long ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from agents.evaluation.actors import Actor, CannotPlayError, Policy, model_policy, random_policy
from memory_envs.arguments import check_integer
from memory_envs.oracles import optimal_return, oracle

if TYPE_CHECKING:  # imported when an evaluation runs: `list` needs no torch
    from agents.environments.vec_env import GymnasiumVecEnv

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

_MAX_ROWS = 512


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Attributes:
        env: The environment's id.
        model: Name of what was evaluated.
        episodes: Number of episodes, seeded `seed`, ``seed + 1``, ...
        seed: Seed of the first episode.
        deterministic: Whether the most probable action was taken rather than a sampled one.
        success: Share of successful episodes; None if the environment knows no success.
        return_mean: Mean return, undiscounted.
        return_std: Standard deviation of the returns.
        length_mean: Mean number of steps.
        score: Score, ``(return - random) / (optimal - random)``; None without an oracle.
        random_return: Return of uniformly random play on the same seeds; None without an oracle.
        optimal_return: Return of optimal play on the same seeds; None without an oracle.
    """

    env: str
    model: str
    episodes: int
    seed: int
    deterministic: bool
    success: float | None
    return_mean: float
    return_std: float
    length_mean: float
    score: float | None
    random_return: float | None
    optimal_return: float | None

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields, ready for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Returns it as lines of text."""
        last_seed = self.seed + self.episodes - 1
        actions = "most probable" if self.deterministic else "sampled"
        lines = [
            f"{self.model} on {self.env}: {self.episodes:,} episodes, "
            f"seeds {self.seed} to {last_seed}, {actions} actions"
        ]
        if self.success is not None:
            lines.append(f"success  {self.success:.3f}")
        around = ""
        if self.optimal_return is not None:
            around = f"   (random {self.random_return:.3f}, optimal {self.optimal_return:.3f})"
        lines.append(f"return   {self.return_mean:.3f} ± {self.return_std:.3f}{around}")
        if self.score is not None:
            lines.append(f"score    {self.score:.3f}")
        lines.append(f"length   {self.length_mean:.1f} steps")
        return lines


class EpisodeResults(NamedTuple):
    """One entry per episode, ``(episodes,)``."""

    returns: FloatArray
    lengths: npt.NDArray[np.int64]
    successes: BoolArray | None

    @property
    def success(self) -> float | None:
        """Share of successful episodes; None if the environment knows no success."""
        return None if self.successes is None else float(self.successes.mean())


def oracle_policy(env: Any, seed: int) -> Actor:
    """Plays optimally from the full state, for the environments of memory_envs.

    Raises:
        CannotPlayError: For any other environment.
    """
    shape = env.action_space.shape
    base = env if isinstance(env, gym.Env) else env.env
    try:
        optimal_return(base)
    except TypeError as error:
        raise CannotPlayError(f"there is no oracle for {base}") from error
    return lambda _obs, starts, _masks: np.reshape(oracle(base), (len(starts), *shape))


def play(policy: Policy, env: GymnasiumVecEnv, episodes: int, seed: int) -> EpisodeResults:
    """Plays the first episodes of environments seeded `seed`, ``seed + 1``, ...

    Args:
        policy: The policy that plays.
        env: A vector environment whose rows play in turn; rows of memory_envs are bound by no
            earlier episode.
        episodes: Number of episodes.
        seed: Seed of the first episode.
    """
    import torch

    returns, lengths = np.zeros(episodes), np.zeros(episodes, np.int64)
    successes: list[bool | None] = [None] * episodes
    masked = env.has_attr("action_masks")
    with torch.random.fork_rng():  # SB3's own models draw from the global one
        torch.random.manual_seed(seed)
        for first in range(0, episodes, env.num_envs):
            env.seed(seed + first)
            obs: Any = env.reset()
            actor = policy(env, seed + first)
            playing = np.arange(first, first + env.num_envs) < episodes
            starts = np.ones(env.num_envs, np.bool_)
            while playing.any():
                masks = env.action_masks() if masked else None
                obs, _, starts, infos = env.step(actor(obs, starts, masks))
                for row in np.flatnonzero(starts & playing).tolist():
                    info = infos[row]
                    returns[first + row] = info["episode"]["r"]
                    lengths[first + row] = info["episode"]["l"]
                    successes[first + row] = info.get("is_success")
                playing &= ~starts
    known = [success for success in successes if success is not None]
    return EpisodeResults(returns, lengths, np.array(known) if len(known) == episodes else None)


def play_model(
    model: Any, deterministic: bool, env: GymnasiumVecEnv, episodes: int, seed: int
) -> EpisodeResults:
    """Lets a model play, see `play`; streams are answered whole, which is many times faster.

    Args:
        model: A model with SB3's `predict`.
        deterministic: Whether it takes its most probable action.
        env: See `play`.
        episodes: Number of episodes.
        seed: Seed of the first episode.
    """
    from agents.algorithms.supervised import Supervised
    from memory_envs.stream import StreamVectorEnv

    streams = env.env
    if not (deterministic and isinstance(model, Supervised)):
        return play(model_policy(model, deterministic), env, episodes, seed)
    if not isinstance(streams, StreamVectorEnv):
        return play(model_policy(model, deterministic), env, episodes, seed)
    from agents.evaluation.answers import play_streams

    model_policy(model, deterministic)(env, seed)  # which checks the spaces
    played = []
    for first in range(0, episodes, env.num_envs):
        env.seed(seed + first)
        env.reset()
        played.append(play_streams(model.policy, streams.batch()))
    joined = (np.concatenate(part)[:episodes] for part in zip(*played, strict=True))
    return EpisodeResults(*joined)


def optimal_returns(
    env: gym.vector.VectorEnv[Any, Any, Any], episodes: int, seed: int
) -> FloatArray | None:
    """Returns what optimal play gets on episodes seeded `seed`, ``seed + 1``, ...

    Args:
        env: A vector environment; its episodes are cut off.
        episodes: Number of episodes.
        seed: Seed of the first episode.

    Returns:
        One return per episode, or None if `env` is not of memory_envs and so has no oracle.
    """
    batches = []
    for first in range(0, episodes, env.num_envs):
        env.reset(seed=seed + first)
        try:
            batches.append(np.asarray(optimal_return(env)))
        except TypeError:
            return None
    return np.concatenate(batches)[:episodes]


class References(NamedTuple):
    """The mean returns between which an agent's is to be read."""

    random: float
    optimum: float


def references(env: GymnasiumVecEnv, episodes: int, seed: int) -> References | None:
    """Returns what random and optimal play get on episodes seeded `seed`, ``seed + 1``, ...

    Args:
        env: The environments; without an oracle there is nothing to return.
        episodes: Number of episodes.
        seed: Seed of the first episode.
    """
    optimum = optimal_returns(env.env, episodes, seed)
    if optimum is None:
        return None
    random = play(random_policy, env, episodes, seed)
    return References(float(random.returns.mean()), float(optimum.mean()))


class Summary(NamedTuple):
    """What can be said about an environment without playing it."""

    optimum: float
    max_steps: int


def summarize(env_id: str, episodes: int = 1000, seed: int = 0) -> Summary:
    """Returns mean optimal return and longest time limit over episodes seeded `seed`, ...

    Args:
        env_id: An id of memory_envs.
        episodes: Number of episodes.
        seed: Seed of the first episode.
    """
    env = gym.make_vec(env_id, num_envs=episodes)
    optimum = optimal_returns(env, episodes, seed)
    assert optimum is not None
    base: Any = env.unwrapped
    limits = base.view().limits
    return Summary(float(optimum.mean()), int(limits.max()))


def evaluation_env(env_id: str, episodes: int, **env_kwargs: Any) -> GymnasiumVecEnv:
    """Returns a vector environment of a good size for `episodes` episodes."""
    from agents.environments.make_env import make_vec_env

    batches = math.ceil(episodes / _MAX_ROWS)
    return make_vec_env(env_id, math.ceil(episodes / batches), **env_kwargs)


def evaluate(
    policy: Policy | Any,
    env_id: str,
    episodes: int = 1000,
    seed: int = 7,
    deterministic: bool = False,
    env_kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> EvaluationResult:
    """Plays fresh episodes and sums them up.

    Args:
        policy: A model with SB3's `predict`, or `random_policy`, `oracle_policy` or another
            `Policy`.
        env_id: A registered id.
        episodes: Number of episodes.
        seed: Episode k plays an environment seeded ``seed + k``; sampled actions are seeded too.
        deterministic: Whether a model takes its most probable action.
        env_kwargs: Arguments of the environment.
        name: Name of the policy in the result.

    Raises:
        ValueError: If `episodes` is not positive.
        CannotPlayError: If the policy does not fit the environment.
    """
    check_integer("episodes", episodes, 1)
    kwargs = dict(env_kwargs or {})
    env = evaluation_env(env_id, episodes, **kwargs)
    try:
        if hasattr(policy, "predict"):
            name = name or type(policy).__name__
            played = play_model(policy, deterministic, env, episodes, seed)
        else:
            played = play(policy, env, episodes, seed)
        known = references(env, episodes, seed)
    finally:
        env.close()
    return_mean, score = float(played.returns.mean()), None
    worst, best = (None, None) if known is None else known
    if best is not None and worst is not None and best > worst:
        score = (return_mean - worst) / (best - worst)
    return EvaluationResult(
        env=env_id,
        model=name or str(getattr(policy, "__name__", "policy")),
        episodes=episodes,
        seed=seed,
        deterministic=deterministic,
        success=played.success,
        return_mean=return_mean,
        return_std=float(played.returns.std()),
        length_mean=float(played.lengths.mean()),
        score=score,
        random_return=worst,
        optimal_return=best,
    )
