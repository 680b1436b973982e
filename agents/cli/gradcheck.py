"""`memory-envs gradcheck`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from agents.algorithms.table import ALGORITHMS
from agents.cli.common import (
    UsageError,
    check_algorithm,
    check_env,
    check_memory,
    checked,
    option,
)
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
    limit: int = 10_000
    """The most sequences that are enumerated."""
    changes: Annotated[tuple[str, ...], option("NAME=VALUE ...", name="set")] = ()
    """Arguments of the environment: max_steps=4 symbols=3."""
    json: Annotated[bool, option("")] = False
    """Print one JSON array instead of text."""

    def run(self) -> int:
        """Checks the gradient."""
        check_algorithm(self.algo)
        if self.memory is not None:
            check_memory(self.memory, self.algo)
        env_id = None if self.env is None else check_env(self.env)
        checked(check_integer, "--seed", self.seed, 0)
        arguments = dict(_assignment(change) for change in self.changes)
        from agents.evaluation.gradcheck import EnumerationError, tiny

        try:
            reports = tiny.check_algorithm(
                self.algo, env_id, self.memory, self.seed, self.limit, **arguments
            )
        except (EnumerationError, TypeError, ValueError) as error:
            raise UsageError(error) from error
        if self.json:
            print(json.dumps([report.to_dict() for report in reports], indent=2, allow_nan=False))
        else:
            print("\n\n".join(str(report) for report in reports))
        return 0 if all(report.passed() for report in reports) else 1


def _assignment(text: str) -> tuple[str, Any]:
    """Returns a name and its value; what is not JSON is a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set is {text!r}; allowed: name=value")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
