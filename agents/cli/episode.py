"""What the commands share that play one episode and show it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from agents.cli.common import UsageError, checked, find_player, option
from memory_envs.arguments import check_integer

if TYPE_CHECKING:
    from agents.evaluation.trace import Trace

FIRST_SEED = 7  # where seeds start if the user names none


@dataclass(frozen=True)
class EpisodeCommand:
    """Who plays which episode, and where files go."""

    model: Annotated[str | None, tyro.conf.Positional, option("MODEL")] = None
    """A model file, the folder of a run, or a policy: random or oracle."""
    pretrained: Annotated[str | None, option("NAME")] = None
    """In place of MODEL: one that comes with the package, such as rl-ntm/Copy."""
    env: Annotated[str | None, option("ID")] = None
    """Environment id. Without it, where the model was trained."""
    seed: Annotated[int | None, option("N")] = None
    """Seed of the environment. Without it, one of 64 with a long episode."""
    stochastic: Annotated[bool, option("")] = False
    """Sample the actions, rather than take the most probable ones."""
    failure: Annotated[bool, option("")] = False
    """Show the first episode that fails, of 1000 from --seed (or 7) on."""
    out: Annotated[Path | None, option("FOLDER")] = None
    """Folder to write files to."""
    changes: Annotated[tuple[str, ...], option("NAME=VALUE ...", name="set")] = ()
    """Arguments of the environment, in place of the model's: min_length=40 max_length=40."""

    def find_trace(self) -> Trace:
        """Plays the episode.

        Raises:
            UsageError: If an option is wrong, there is no such player or it cannot play there, or
                no episode fails that should.
        """
        if self.seed is not None:
            checked(check_integer, "--seed", self.seed, 0)
        if self.out is not None and self.out.exists() and not self.out.is_dir():
            raise UsageError(f"--out {self.out} is not a folder")
        player = find_player(self.model, self.env, self.pretrained, self.changes)
        from agents.evaluation.trace import longest_episode, run_trace
        from agents.evaluation.trace.failure import NoFailureError, failing_trace
        from memory_envs.scoring.policy import CannotPlayError

        seed = self.seed
        if seed is None and not self.failure:
            seed = longest_episode(player.env, player.env_kwargs, FIRST_SEED)
        trace_of = failing_trace if self.failure else run_trace
        try:
            return trace_of(
                player.policy,
                player.env,
                FIRST_SEED if seed is None else seed,
                not self.stochastic,
                player.env_kwargs,
                player.name,
            )
        except (CannotPlayError, NoFailureError) as error:
            raise UsageError(error) from error


@contextmanager
def written() -> Iterator[None]:
    """Turns what the system says of a file into a line for the user.

    Raises:
        UsageError: If a file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}") from error
