"""What an evaluation found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_envs.scoring.interval import Interval, bootstrap
from memory_envs.scoring.play import EpisodeResults
from memory_envs.scoring.references import References


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Attributes:
        env: The environment's id; the name of its class where it has none.
        model: Name of what was evaluated.
        episodes: Number of episodes, seeded `seed`, ``seed + 1``, ...
        seed: Seed of the first episode.
        deterministic: Whether the most probable actions were taken rather than sampled ones; None
            if the policy does not say.
        success: Share of successful episodes; None if the environment knows no success.
        return_mean: Mean return of the unwrapped environment, undiscounted.
        return_std: Standard deviation of the returns.
        return_interval: Bootstrap interval of the mean return, 95 %; None for one episode.
        length_mean: Mean number of steps.
        score: Score, ``(return - random) / (optimal - random)``; None without an oracle.
        score_interval: Bootstrap interval of the score, 95 %; None without a score and for one
            episode.
        random_return: Return of uniformly random play on the same seeds; None without an oracle.
        optimal_return: Return of optimal play on the same seeds; None without an oracle.
    """

    env: str
    model: str
    episodes: int
    seed: int
    deterministic: bool | None
    success: float | None
    return_mean: float
    return_std: float
    return_interval: Interval | None
    length_mean: float
    score: float | None
    score_interval: Interval | None
    random_return: float | None
    optimal_return: float | None

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields, ready for JSON: intervals are lists."""
        pairs = asdict(self).items()
        return {name: list(field) if isinstance(field, tuple) else field for name, field in pairs}

    def lines(self) -> list[str]:
        """Returns it as lines of text."""
        last_seed = self.seed + self.episodes - 1
        actions = {True: ", most probable actions", False: ", sampled actions", None: ""}
        lines = [
            f"{self.model} on {self.env}: {self.episodes:,} episodes, "
            f"seeds {self.seed} to {last_seed}{actions[self.deterministic]}"
        ]
        if self.success is not None:
            lines.append(f"success  {self.success:.3f}")
        around = ""
        if self.optimal_return is not None:
            around = f"   (random {self.random_return:.3f}, optimal {self.optimal_return:.3f})"
        lines.append(f"return   {self.return_mean:.3f} ± {self.return_std:.3f}{around}")
        if self.score is not None:
            between = ""
            if self.score_interval is not None:
                low, high = self.score_interval
                between = f"   (95 %: {low:.3f} to {high:.3f})"
            lines.append(f"score    {self.score:.3f}{between}")
        lines.append(f"length   {self.length_mean:.1f} steps")
        return lines


def summed_up(
    played: EpisodeResults,
    known: References | None,
    env: str,
    model: str,
    seed: int,
    deterministic: bool | None,
) -> EvaluationResult:
    """Returns the summary of episodes.

    Args:
        played: The episodes.
        known: What random and optimal play get in the same.
        env: Name of the environment.
        model: Name of the policy.
        seed: Seed of the first episode.
        deterministic: See `EvaluationResult`.
    """
    generator = np.random.default_rng(seed)
    score = score_interval = worst = best = None
    if known is not None:
        columns = np.stack([played.returns, known.random, known.optimum])
        worst, best = float(known.random.mean()), float(known.optimum.mean())
        if best > worst:
            score = float(score_of(columns.mean(axis=1)))
            score_interval = bootstrap(columns, score_of, generator)
    return EvaluationResult(
        env=env,
        model=model,
        episodes=len(played.returns),
        seed=seed,
        deterministic=deterministic,
        success=played.success,
        return_mean=float(played.returns.mean()),
        return_std=float(played.returns.std()),
        return_interval=bootstrap(played.returns[None], lambda means: means[0], generator),
        length_mean=float(played.lengths.mean()),
        score=score,
        score_interval=score_interval,
        random_return=worst,
        optimal_return=best,
    )


def score_of(means: npt.NDArray[np.float64]) -> Any:
    """Returns ``(return - random) / (optimal - random)`` of means in this order."""
    mean, random, optimum = means
    return (mean - random) / (optimum - random)
