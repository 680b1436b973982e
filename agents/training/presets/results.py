"""What the presets have reached, as far as it was tried.

`results.json` is made by ``python -m benchmarks.solved`` from the results of all runs, which are
not in the package; a test holds that it is up to date.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

SOLVED = 0.95


@dataclass(frozen=True)
class PresetResult:
    """The runs of one preset on one environment, with nothing changed but the seed.

    Attributes:
        env: The environment's id.
        agent: Algorithm and memory, such as "ppo/lstm".
        runs: Number of runs.
        solved: How many of them ended with a success of `SOLVED` on fresh episodes.
        lowest: The lowest success of a run.
        highest: The highest.
    """

    env: str
    agent: str
    runs: int
    solved: int
    lowest: float
    highest: float

    def __str__(self) -> str:
        ends = sorted({f"{self.lowest:.2f}", f"{self.highest:.2f}"})
        return f"{self.agent} {self.solved} of {self.runs} ({' - '.join(ends)})"


def preset_results(env_id: str) -> list[PresetResult]:
    """Returns what was tried on an environment, the best first."""
    text = files(__package__ or "").joinpath("results.json").read_text(encoding="utf-8")
    found = [PresetResult(**row) for row in json.loads(text) if row["env"] == env_id]
    return sorted(found, key=lambda result: (-result.solved / result.runs, -result.lowest))
