"""What optimal and random play get in every environment: ``python -m benchmarks.optima``.

Writes it for `memory-envs list`, in a file that comes with the package: to compute it, every
environment has to be compiled, which takes a quarter of a minute after an installation. Run it
after changing the table of ids, the rules or the oracles; a test compares.
"""

import argparse
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import gymnasium as gym

from agents.cli import optima
from agents.saving.atomic import write_text
from memory_envs import ENVIRONMENTS
from memory_envs.scoring.references import references


class Summary(NamedTuple):
    """What can be said about an environment without an agent."""

    optimum: float
    random: float
    max_steps: int


def summarize(env_id: str, episodes: int = 1000, seed: int = 0) -> Summary:
    """Returns mean optimal and random return and longest time limit of episodes seeded `seed`, ...

    Args:
        env_id: An id of memory_envs.
        episodes: Number of episodes.
        seed: Seed of the first episode.
    """
    env = gym.make_vec(env_id, num_envs=episodes)
    known = references(env, episodes, seed)
    assert known is not None
    env.reset(seed=seed)
    base: Any = env.unwrapped
    limit = int(base.view().limits.max())
    return Summary(float(known.optimum.mean()), float(known.random.mean()), limit)


def summaries(ids: Iterable[str] = ENVIRONMENTS) -> dict[str, dict[str, Any]]:
    """Returns, by id, the mean returns of optimal and random play and the longest time limit."""
    found = {env_id: summarize(env_id) for env_id in ids}
    return {
        env_id: {
            "optimum": round(summary.optimum, 6),
            "random": round(summary.random, 6),
            "max_steps": summary.max_steps,
        }
        for env_id, summary in found.items()
    }


def main() -> None:
    """Writes the file."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    write_text(optima.FILE, json.dumps(summaries(), indent=1) + "\n")


if __name__ == "__main__":
    main()
