"""`memory-envs play`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from agents.cli.common import UsageError, checked, find_env, option
from memory_envs.arguments import check_integer


@dataclass(frozen=True)
class Play:
    """Play an environment at the keyboard; what can be typed is shown first."""

    env: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ENV")]
    """Environment id."""
    seed: Annotated[int | None, option("N")] = None
    """Seed of the first episode."""

    def run(self) -> int:
        """Plays."""
        if self.seed is not None:
            checked(check_integer, "--seed", self.seed, 0)
        from agents.cli.keyboard import InputError, play

        try:
            play(find_env(self.env), self.seed, sys.stdin, sys.stdout)
        except InputError as error:
            raise UsageError(error) from error
        return 0
