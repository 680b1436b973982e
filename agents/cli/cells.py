"""`memory-envs cells`."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Annotated, Any

from rich.table import Table

from agents.cli.common import make_console, option

INPUT_SIZE, ROWS = 64, 64
_SECONDS = 0.1  # for each cell


@dataclass(frozen=True)
class Cells:
    """Show every memory cell: its sizes, its cost, and where it comes from.

    All have their default sizes and inputs of 64 numbers. The state is counted in numbers a row.
    The cost is measured anew each time, on the machine that the command runs on, with one thread: a
    step forward of 64 rows, without gradients, as in a rollout; in microseconds of the processor
    for one row.
    """

    json: Annotated[bool, option("")] = False
    """Print one JSON array instead of a table."""

    def run(self) -> int:
        """Prints the table."""
        from agents.cells import CELLS  # PyTorch takes a second, which no help text needs

        rows = [_row(name) for name in CELLS]
        if self.json:
            print(json.dumps(rows, indent=2))
        else:
            make_console().print(_table(rows))
        return 0


def _row(name: str) -> dict[str, Any]:
    from agents.cells import make_cell
    from agents.cells.state import state_tensors

    cell = make_cell(name, INPUT_SIZE)
    return {
        "name": name,
        "input_size": INPUT_SIZE,
        "output_size": cell.output_size,
        "parameters": sum(parameter.numel() for parameter in cell.parameters()),
        "state_size": sum(part[0].numel() for part in state_tensors(cell.initial_state(1))),
        "microseconds": round(_microseconds(cell), 3),
        "source": cell.source,
    }


def _microseconds(cell: Any) -> float:
    """The mean cost of a step, for one row."""
    import torch

    x = torch.randn(ROWS, INPUT_SIZE, generator=torch.Generator().manual_seed(0))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more would wait for one another on a busy machine
    try:
        with torch.no_grad():
            _, state = cell(x, cell.initial_state(ROWS))  # code is compiled, memory is taken
            # Not by the clock: a busy machine interrupts long steps, and hardly short ones.
            start, steps, spent = time.process_time(), 0, 0.0
            while spent < _SECONDS:
                _, state = cell(x, state)
                spent, steps = time.process_time() - start, steps + 1
    finally:
        torch.set_num_threads(threads)
    return 1e6 * spent / steps / ROWS


def _table(rows: list[dict[str, Any]]) -> Table:
    title = f"Default sizes, inputs of {INPUT_SIZE} numbers; cost of a step forward on this machine"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("cell", no_wrap=True)
    for name in ("parameters", "state", "output", f"µs a row ({ROWS} rows)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("source")
    for row in rows:
        sizes = (f"{row[name]:,}" for name in ("parameters", "state_size", "output_size"))
        table.add_row(row["name"], *sizes, f"{row['microseconds']:.2f}", row["source"])
    return table
