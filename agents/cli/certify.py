"""`memory-envs certify`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated

import gymnasium as gym
import tyro
from rich.table import Table

from agents.cli.common import UsageError, checked, find_env, make_console, option
from agents.training.recipes import read_assignments
from memory_envs.arguments import check_integer
from memory_envs.certificates import (
    KINDS,
    LARGEST_WINDOW,
    WINDOWS,
    Certificate,
    Interval,
    certify,
    read_certificates,
)


@dataclass(frozen=True)
class Certify:
    """Show how much memory a task needs: what can be had without, and with a window.

    Between two bounds stands what the best policy gets that sees the present observation alone, the
    last k observations, or the last k observations and actions; beside the best that can be had
    with all of the past. Each bound says what it is: exact, proven, found, sampled, or trivial. For
    ids of the package the figures come with it; others, tasks of your own too, are computed.
    """

    id: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ID")]
    """Environment id; module:id imports the module first, which may register tasks of your own."""
    window: Annotated[int | None, option("K")] = None
    """Show this window only, from 1 to 10; else 1, 2, 4 and 8."""
    changes: Annotated[tuple[str, ...], option("NAME=VALUE ...", name="set")] = ()
    """Arguments of the environment, such as max_length=3."""
    json: Annotated[bool, option("")] = False
    """Print one JSON object instead of a table."""

    def run(self) -> int:
        """Prints the certificate."""
        env_id = find_env(self.id)
        arguments = checked(read_assignments, self.changes, "--set")
        if self.window is not None:
            checked(check_integer, "--window", self.window, 1, LARGEST_WINDOW)
        ks = WINDOWS if self.window is None else (self.window,)
        found = None if arguments else read_certificates().get(env_id)
        if found is not None and set(ks) <= set(found.windows):
            found = replace(
                found,
                observations={k: found.observations[k] for k in ks},
                windows={k: found.windows[k] for k in ks},
            )
        else:
            try:
                found = certify(env_id, ks, **arguments)
            except (OSError, TypeError, ValueError, gym.error.Error) as error:
                raise UsageError(error) from error
        if self.json:
            print(json.dumps(found.to_dict(), indent=2))
        else:
            console = make_console()
            console.print(_table(found))
            console.print(_verdict(found), highlight=False)
        return 0


def _table(found: Certificate) -> Table:
    table = Table(title=found.id, title_justify="left", box=None, pad_edge=False)
    for name in ("what is seen", "at least", "at most"):
        table.add_column(name, no_wrap=True)
    rows = {"everything so far": found.best, "the present observation": found.memoryless}
    rows |= {f"the last {k} observations": found.observations[k] for k in found.observations}
    rows |= {f"the last {k} observations and actions": found.windows[k] for k in found.windows}
    for name, interval in rows.items():
        table.add_row(name, *_ends(interval))
    return table


def _ends(interval: Interval) -> tuple[str, str]:
    lower = f"{interval.lower:.3f}  {interval.lower_by}"
    return lower, f"{interval.upper:.3f}  {interval.upper_by}"


def _verdict(found: Certificate) -> str:
    verdict = "It is not known whether memory is needed."
    if found.needs_memory:
        verdict = "It is certified that memory is needed."
    elif found.needs_none:
        verdict = "It is certified that no memory is needed."
    interval_ends = [found.best, found.memoryless, *found.observations.values()]
    interval_ends += found.windows.values()
    kinds = {kind for end in interval_ends for kind in (end.lower_by, end.upper_by)}
    words = [f"{kind}: {text}" for kind, text in KINDS.items() if kind in kinds]
    return "\n".join([f"{verdict} Method: {found.method}.", *words])
