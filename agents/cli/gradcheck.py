"""`memory-envs gradcheck`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from agents.cli.common import UsageError, check_env, check_memory, checked, option
from memory_envs.arguments import check_choice, check_integer

# The keys of `agents.evaluation.gradcheck.tiny.VARIANTS`, here without PyTorch.
_ALGORITHMS = ("rl_ntm", "reinforce", "a2c", "ppo")


@dataclass(frozen=True)
class GradCheck:
    """Check a policy gradient exactly, by enumeration of all sequences of actions.

    A tiny model plays a tiny environment. Its expected gradient is compared with that of the exact
    expected objective, and that with central differences. The exit code is 1 if they differ.
    """

    algo: Annotated[str, tyro.conf.arg(metavar="NAME")] = "rl_ntm"
    """rl_ntm, reinforce, a2c or ppo."""
    memory: Annotated[str | None, option("NAME")] = None
    """A memory cell; for rl_ntm a controller: lstm, direct_access or feedforward."""
    env: Annotated[str | None, option("ID")] = None
    """Environment id. Those of the tape family are made tiny, others must be."""
    seed: int = 0
    """Of the parameters and of the episode."""
    limit: int = 10_000
    """The most sequences."""
    changes: Annotated[tuple[str, ...], option("NAME=VALUE ...", name="set")] = ()
    """Arguments of the environment: max_steps=4 symbols=3."""
    json: Annotated[bool, option("")] = False
    """Print one JSON array instead of text."""

    def run(self) -> int:
        """Check."""
        checked(check_choice, "algorithm", self.algo, _ALGORITHMS)
        if self.memory is not None:
            self._check_memory(self.memory)
        env_id = None if self.env is None else check_env(self.env)
        checked(check_integer, "--seed", self.seed, 0)
        arguments = dict(_assignment(change) for change in self.changes)
        from agents.evaluation.gradcheck import EnumerationError
        from agents.evaluation.gradcheck.tiny import check_algorithm

        try:
            reports = check_algorithm(
                self.algo, env_id, self.memory, self.seed, self.limit, **arguments
            )
        except (EnumerationError, TypeError, ValueError) as error:
            raise UsageError(error) from error
        if self.json:
            print(json.dumps([report.to_dict() for report in reports], indent=2, allow_nan=False))
        else:
            print("\n\n".join(str(report) for report in reports))
        return 0 if all(report.passed() for report in reports) else 1

    def _check_memory(self, memory: str) -> None:
        if self.algo != "rl_ntm":
            check_memory(memory)
            return
        from agents.algorithms.rl_ntm.controller import KINDS

        checked(check_choice, "controller", memory, KINDS)


def _assignment(text: str) -> tuple[str, Any]:
    """A name and its value; what is not JSON is a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set is {text!r}; allowed: name=value")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
