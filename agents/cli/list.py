"""`memory-envs list`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from rich.console import Console
from rich.table import Table

from agents.algorithms.pretrained import read_index
from agents.cli.common import checked, option
from agents.training.presets.results import preset_results
from memory_envs import ENVIRONMENTS
from memory_envs.arguments import check_choice

_PIPE_WIDTH = 200  # wide enough that no id is broken where there is no terminal


@dataclass(frozen=True)
class List:
    """Show every environment.

    The optimum is the mean return of optimal play, the steps are the longest time limit; both over
    the episodes with the seeds 0 to 999. Beside a preset stands on how many of the seeds that were
    tried it came to a success of 0.95, and the lowest and highest success.
    """

    family: Annotated[str | None, option("NAME")] = None
    """Show one family only: tape, algorithmic or maze."""
    json: Annotated[bool, option("")] = False
    """Print one JSON array instead of a table."""

    def run(self) -> int:
        """Prints the list."""
        families = {spec.family for spec in ENVIRONMENTS.values()}
        if self.family is not None:
            checked(check_choice, "--family", self.family, families)
        rows = [
            _row(env_id)
            for env_id, spec in ENVIRONMENTS.items()
            if self.family in (None, spec.family)
        ]
        if self.json:
            print(json.dumps(rows, indent=2))
        else:
            console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
            with console.capture() as shown:  # by itself it would take a closed pipe for a failure
                console.print(_table(rows))
            print(shown.get(), end="")
        return 0


def _row(env_id: str) -> dict[str, Any]:
    from agents.evaluation.evaluate import summarize

    spec = ENVIRONMENTS[env_id]
    summary, results = summarize(env_id), preset_results(env_id)
    return {
        "id": env_id,
        "family": spec.family,
        "task": spec.task,
        "tier": spec.tier,
        "optimum": round(summary.optimum, 6),
        "max_steps": summary.max_steps,
        "solved_by": str(results[0]) if results and results[0].solved else None,
        "results": [asdict(result) for result in results],
        "pretrained": [name for name, model in read_index().items() if model.env == env_id],
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "family", "task", "tier"):
        table.add_column(name, no_wrap=True)
    table.add_column("optimum", justify="right", no_wrap=True)
    table.add_column("steps", justify="right", no_wrap=True)
    table.add_column("solved by the preset")
    table.add_column("pretrained")
    for row in rows:
        table.add_row(
            *(row[name] for name in ("id", "family", "task", "tier")),
            f"{row['optimum']:.2f}",
            str(row["max_steps"]),
            row["solved_by"] or "",
            ", ".join(row["pretrained"]),
        )
    return table
