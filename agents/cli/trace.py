"""`memory-envs trace`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from agents.cli.common import Player, UsageError, checked, find_player, option
from agents.saving.atomic import write_text
from agents.training.run_directory import RunDirectory
from memory_envs.arguments import check_integer

if TYPE_CHECKING:
    from agents.evaluation.trace import Trace

FIRST_SEED = 7  # where seeds start if the user names none


@dataclass(frozen=True)
class TraceCommand:
    """Play one episode and show it step by step: tapes, heads, output, values, memory."""

    model: Annotated[str | None, tyro.conf.Positional, option("MODEL")] = None
    """A model file, the folder of a run, or a policy: random or oracle."""
    pretrained: Annotated[str | None, option("NAME")] = None
    """In place of MODEL: one that comes with the package, such as rl-ntm/Copy."""
    env: Annotated[str | None, option("ID")] = None
    """Environment id. Without it, where the model was trained."""
    seed: Annotated[int | None, option("N")] = None
    """Seed of the environment. Without it, one of 64 with a long episode."""
    deterministic: Annotated[bool, option("")] = False
    """Take the most probable actions. Without this and --stochastic, as the run's settings say."""
    stochastic: Annotated[bool, option("")] = False
    """Sample the actions."""
    out: Annotated[Path | None, option("FOLDER")] = None
    """Folder to write trace.txt to."""
    png: Annotated[bool, option("")] = False
    """Write a picture, trace.png, too; without --out, here."""
    html: Annotated[bool, option("")] = False
    """Write a page with a time slider, trace.html, too; without --out, here."""
    failure: Annotated[bool, option("")] = False
    """Show the first episode that fails, of 1000 from --seed (or 7) on."""

    def run(self) -> int:
        """Plays the episode and shows it."""
        if self.seed is not None:
            checked(check_integer, "--seed", self.seed, 0)
        if self.out is not None and self.out.exists() and not self.out.is_dir():
            raise UsageError(f"--out {self.out} is not a folder")
        player = find_player(
            self.model, self.env, self.deterministic, self.stochastic, self.pretrained
        )
        from agents.evaluation.actors import CannotPlayError
        from agents.evaluation.trace import trace_text
        from agents.evaluation.trace.failure import NoFailureError

        try:
            trace = self._trace(player)
        except (CannotPlayError, NoFailureError) as error:
            raise UsageError(error) from error
        text = trace_text(trace)
        print(text, end="")
        try:
            self._write(trace, text)
        except OSError as error:
            raise UsageError(f"{error.filename} cannot be written: {error.strerror}") from error
        return 0

    def _trace(self, player: Player) -> Trace:
        from agents.evaluation.trace import longest_episode, run_trace
        from agents.evaluation.trace.failure import failing_trace

        seed = self.seed
        if seed is None and not self.failure:
            seed = longest_episode(player.env_id, player.env_kwargs, FIRST_SEED)
        trace_of = failing_trace if self.failure else run_trace
        return trace_of(
            player.policy,
            player.env_id,
            FIRST_SEED if seed is None else seed,
            player.deterministic,
            player.env_kwargs,
            player.name,
        )

    def _write(self, trace: Trace, text: str) -> None:
        files = RunDirectory(self.out or Path())
        if self.out is not None:
            write_text(files.trace_text, text)
        if self.png:
            from agents.evaluation.trace.picture import trace_png

            trace_png(trace, files.trace_image)
        if self.html:
            from agents.evaluation.trace.page import trace_html

            trace_html(trace, files.trace_page)
