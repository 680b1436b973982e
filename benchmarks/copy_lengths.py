"""Copying longer than trained: ``python -m benchmarks.copy_lengths --runs FOLDER``.

Graves et al. (2014) train on up to 20 vectors and test on up to 120. Plays the models that
`benchmarks.stream_runs copy` left in FOLDER, at fixed lengths, and writes
benchmarks/results/copy-lengths.json, which `benchmarks.stream_results` shows.
"""

import argparse
from pathlib import Path
from typing import Any

from agents.algorithms.loading import load
from agents.evaluation.answers import play_model
from agents.saving.atomic import write_json
from agents.training.provenance import provenance
from agents.training.run_directory import RunDirectory
from benchmarks.recorded import Record, head, row
from benchmarks.runs import parts
from benchmarks.stream_runs import COPIERS, COPY
from memory_envs.scoring.opening import opened
from memory_envs.scoring.references import optimal_returns

RESULTS = Path(__file__).with_name("results") / "copy-lengths.json"
LENGTHS = (10, 20, 30, 40, 60, 80, 120)
EPISODES, FIRST_SEED = 256, 3 * 10**9


def at_length(model: Any, length: int) -> Record:
    """Share of right bits, and of streams without a mistake, on fresh streams of one length."""
    kwargs = {"min_length": length, "max_length": length}
    seed = FIRST_SEED + length * EPISODES
    with opened(COPY, EPISODES, kwargs) as rows:
        played = play_model(model, True, rows, EPISODES, seed)
        best = optimal_returns(rows.env, EPISODES, seed)
    assert best is not None
    right = float((played.returns / best).mean())
    return {"length": length, "right": round(right, 4), "success": played.success}


def measure(runs: Path) -> dict[str, list[Record]]:
    """All memories that were trained, at all lengths."""
    found = {}
    for memory in COPIERS:
        trained = parts(runs / "copy" / f"copy-{memory}-0")
        if trained:
            model = load(RunDirectory(trained[-1]).newest_model())
            found[memory] = [at_length(model, length) for length in LENGTHS]
            print(memory, found[memory], flush=True)
    return found


def section(measured: Record) -> list[str]:
    """What the page of the streams says of it, in Markdown."""
    lines = [
        "## Copying longer than trained",
        "",
        f"Trained on 1 to 20 vectors; {EPISODES} fresh streams of each length: the share of right",
        "bits, and in brackets of streams without a mistake. Guessing comes to 0.5.",
        "",
        *head(["memory"], [str(length) for length in LENGTHS], []),
    ]
    for memory, points in measured["memories"].items():
        cells = [f"{point['right']:.3f} ({point['success']:.2f})" for point in points]
        lines.append(row([memory, *cells]))
    return lines


def main() -> None:
    """Plays, and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True, help="folder of all trainings")
    arguments = parser.parse_args()
    write_json(RESULTS, {**provenance(), "memories": measure(arguments.runs)})


if __name__ == "__main__":
    main()
