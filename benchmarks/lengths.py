"""Time and state against the length of a sequence: ``python -m benchmarks.lengths``.

Fig. 3 of Munkhdalai et al. (2019): the memories of their figures, with the sizes of their
algorithmic tasks and batches of 32, each update forward and backward, the meta objective included.
The look-up table holds every step of the sequence. Writes benchmarks/results/lengths.json and
docs/images/streams-lengths.png; run it on an idle machine.
"""

import argparse
import json
from pathlib import Path

import torch
from matplotlib.figure import Figure

from agents.cells import make_cell
from agents.cells.state import state_tensors
from agents.evaluation.plots import save_png
from agents.saving.atomic import write_text
from agents.training.provenance import provenance
from benchmarks.cells import INPUT_SIZE, Contestant, measure, ours
from benchmarks.recorded import Record, head, row

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "lengths.json"
FIGURE = ROOT / "docs" / "images" / "streams-lengths.png"
LENGTHS = (16, 32, 64, 128, 256, 512)
ROWS = 32
_SIZES = {
    "lstm": {"hidden_size": 100},
    "mnm-p": {"hidden_size": 100, "memory_width": 100},
    "mnm-g": {"hidden_size": 100, "memory_width": 100},
    "salu": {"hidden_size": 100, "key_size": 100, "value_size": 100},
}


def _arguments(memory: str, length: int) -> dict[str, int]:
    return _SIZES[memory] | ({"memory_size": length} if memory == "salu" else {})


def state_size(memory: str, length: int) -> int:
    """Returns the numbers that a row carries from step to step."""
    cell = make_cell(memory, INPUT_SIZE, **_arguments(memory, length))
    return sum(part[0].numel() for part in state_tensors(cell.initial_state(1)))


def _measure(memories: list[str], lengths: list[int], repeats: int, seconds: float) -> list[Record]:
    """Measures all, length by length; times are the medians of an update, in milliseconds."""
    records: list[Record] = []
    for length in lengths:
        contestants = [
            Contestant(memory, ours(memory, **_arguments(memory, length)), ((ROWS, length),))
            for memory in memories
        ]
        found, _ = measure(contestants, repeats, seconds)
        for measurement in found:
            if "backward" in measurement.section:
                rate = measurement.median
                records.append(
                    {
                        "memory": measurement.name,
                        "length": length,
                        "milliseconds": round(1000 * ROWS * length / rate, 2),
                        "state": state_size(measurement.name, length),
                    }
                )
                print(records[-1], flush=True)
    return records


def table(results: Record) -> list[str]:
    """Returns the table of a page, a row for each length."""
    memories = list(dict.fromkeys(record["memory"] for record in results["records"]))
    numbers = ["steps", *memories, *(f"state of {memory}" for memory in memories)]
    lines = head([], numbers, [])
    for length in dict.fromkeys(record["length"] for record in results["records"]):
        found = {r["memory"]: r for r in results["records"] if r["length"] == length}
        times = [f"{found[memory]['milliseconds']:,.0f} ms" for memory in memories]
        states = [f"{found[memory]['state']:,}" for memory in memories]
        lines.append(row([length, *times, *states]))
    return lines


def _draw(records: list[Record]) -> None:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots(1, 2)
    shown = (("milliseconds", "milliseconds an update"), ("state", "numbers that a row carries"))
    for ax, (name, label) in zip(axes, shown, strict=True):
        for memory in dict.fromkeys(record["memory"] for record in records):
            points = [(r["length"], r[name]) for r in records if r["memory"] == memory]
            ax.plot(*zip(*points, strict=True), marker="o", markersize=3, label=memory)
        ax.set(xlabel="steps", ylabel=label, xscale="log", yscale="log")
        ax.set_xticks(LENGTHS, labels=map(str, LENGTHS))
        ax.xaxis.minorticks_off()
    axes[0].legend(frameon=False, fontsize="small")
    save_png(figure, FIGURE)


def main() -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memories", nargs="+", choices=list(_SIZES), default=list(_SIZES))
    parser.add_argument("--lengths", nargs="+", type=int, default=list(LENGTHS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    records = _measure(arguments.memories, arguments.lengths, arguments.repeats, arguments.seconds)
    results = {"command": "python -m benchmarks.lengths", **provenance(), "records": records}
    write_text(arguments.out, json.dumps(results, indent=1) + "\n")
    if arguments.out == RESULTS:
        _draw(records)


if __name__ == "__main__":
    main()
