"""`memory-envs gradcheck`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

import tyro

from agents.algorithms.table import ALGORITHMS, check_algorithm, check_memory
from agents.cli.common import Count, UsageError, checked, find_env, option
from agents.training.recipes import read_assignments
from memory_envs.arguments import check_integer


@dataclass(frozen=True)
class GradCheck:
    """Check a policy gradient exactly, by enumeration of all sequences of actions.

    A tiny model plays a tiny environment. Its expected gradient is compared with that of the exact
    expected objective, and that with central differences; the gradient of a whole training step
    with that of a loss written out by hand. The exit code is 1 if two differ.
    """

    algo: Annotated[
        str, tyro.conf.arg(metavar="NAME", help=f"Algorithm: {', '.join(ALGORITHMS)}.")
    ] = "rl_ntm"
    memory: Annotated[str | None, option("NAME")] = None
    """Memory cell, such as lstm or none; for rl_ntm a controller, such as direct_access."""
    env: Annotated[str | None, option("ID")] = None
    """Environment id. Those of the tape family are made tiny, others must be."""
    seed: int = 0
    """Seed of the parameters and of the episode."""
    limit: Count = 10_000
    """The most sequences that are enumerated."""
    changes: Annotated[tuple[str, ...], option("NAME=VALUE ...", name="set")] = ()
    """Arguments of the environment: max_steps=4 symbols=3."""
    json: Annotated[bool, option("")] = False
    """Print one JSON array instead of text."""

    def run(self) -> int:
        """Checks the gradient."""
        checked(check_algorithm, self.algo, "--algo")
        if self.memory is not None:
            checked(check_memory, self.memory, self.algo, "--memory")
        env_id = None if self.env is None else find_env(self.env)
        checked(check_integer, "--seed", self.seed, 0)
        checked(check_integer, "--limit", self.limit, 1)
        arguments = checked(read_assignments, self.changes, "--set")
        from agents.evaluation.gradcheck import EnumerationError, tiny

        try:
            reports = tiny.check_algorithm(
                self.algo, env_id, self.memory, self.seed, self.limit, **arguments
            )
        except (EnumerationError, OSError, TypeError, ValueError) as error:
            raise UsageError(error) from error
        if self.json:
            print(json.dumps([report.to_dict() for report in reports], indent=2, allow_nan=False))
        else:
            print("\n\n".join(str(report) for report in reports))
        return 0 if all(report.passed() for report in reports) else 1
