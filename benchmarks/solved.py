"""Which environments the presets solve: ``python -m benchmarks.solved``.

Sums up benchmarks/results/presets.json and benchmarks/results/rl-ntm.json for `memory-envs list`,
in a file that comes with the package. Runs whose settings were changed are left out.
"""

import argparse
import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.saving.atomic import write_text
from agents.training.presets import results
from agents.training.presets.results import SOLVED, PresetResult

RESULTS = Path(__file__).parent / "results"
SUMMARY = Path(results.__file__).with_suffix(".json")
_FREE = {"--seed", "--stop-at-success"}  # what may be given and leaves a preset as it is


def summary() -> list[dict[str, Any]]:
    """Returns the fields of a `PresetResult` for each environment and agent."""
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in json.loads((RESULTS / "presets.json").read_text(encoding="utf-8")):
        runs.setdefault((run["env"], run["agent"]), []).append(run)
    groups = json.loads((RESULTS / "rl-ntm.json").read_text(encoding="utf-8"))
    for run in (run for group in ("table4", "paper", "hard") for run in groups[group]):
        if (key := preset_of(run["command"])) is not None:
            runs.setdefault(key, []).append(run)
    found = []
    for (env, agent), these in sorted(runs.items()):
        success = [run["success"] or 0.0 for run in these]
        solved = [run for run in these if run["finished"] and run["success"] >= SOLVED]
        result = PresetResult(env, agent, len(these), len(solved), min(success), max(success))
        found.append(asdict(result))
    return found


def preset_of(command: str) -> tuple[str, str] | None:
    """Returns environment and agent of a training's command; None if it changed the preset."""
    words = shlex.split(command)[2:]
    if not words[0].startswith("--"):
        words.insert(0, "--env")
    given = dict(zip(words[::2], words[1::2], strict=False))
    env, algo, memory = (given.pop(name, None) for name in ("--env", "--algo", "--memory"))
    if given.keys() - _FREE or None in (env, algo, memory):
        return None
    return str(env), f"{algo}/{memory}"


def main() -> None:
    """Writes the summary."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    write_text(SUMMARY, json.dumps(summary(), indent=1) + "\n")


if __name__ == "__main__":
    main()
