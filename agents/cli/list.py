"""`memory-envs list`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from rich.table import Table

from agents.algorithms.pretrained import read_index
from agents.cli.common import checked, make_console, option
from agents.cli.optima import read_optima
from agents.training.presets.results import preset_results
from memory_envs import ENVIRONMENTS
from memory_envs.arguments import check_choice

_WIDE = 120  # what all columns need


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
        optima = read_optima()
        rows = [
            _row(env_id, optima[env_id])
            for env_id, spec in ENVIRONMENTS.items()
            if self.family in (None, spec.family)
        ]
        if self.json:
            print(json.dumps(rows, indent=2))
        else:
            console = make_console()
            with console.capture() as shown:  # by itself it would take a closed pipe for a failure
                console.print(_table(rows, wide=console.width >= _WIDE))
            print(shown.get(), end="")
        return 0


def _row(env_id: str, optimum: dict[str, Any]) -> dict[str, Any]:
    spec, results = ENVIRONMENTS[env_id], preset_results(env_id)
    return {
        "id": env_id,
        "family": spec.family,
        "task": spec.task,
        "tier": spec.tier,
        **optimum,
        "solved_by": str(results[0]) if results and results[0].solved else None,
        "results": [asdict(result) for result in results],
        "pretrained": [name for name, model in read_index().items() if model.env == env_id],
    }


def _table(rows: list[dict[str, Any]], wide: bool) -> Table:
    # What the id says, too, makes room in a narrow terminal for what it does not say.
    names = ("id", "family", "task", "tier") if wide else ("id",)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=True)
    table.add_column("optimum", justify="right", no_wrap=True)
    table.add_column("steps", justify="right", no_wrap=True)
    table.add_column("solved by the preset; pretrained", overflow="fold")
    for row in rows:
        solved = [row["solved_by"]] if row["solved_by"] else []
        table.add_row(
            *(row[name] for name in names),
            f"{row['optimum']:.2f}",
            str(row["max_steps"]),
            "; ".join([*solved, *row["pretrained"]]),
        )
    return table
