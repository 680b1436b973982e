"""The streams' results as a page: ``python -m benchmarks.stream_results --runs FOLDER``.

Reads what `benchmarks.stream_runs` left in FOLDER and adds it to benchmarks/results/streams.json,
where earlier results of other runs stay. From that it writes docs/results/streams.md and its
pictures. Each file is written whole or not at all.
"""

import json
from operator import itemgetter
from pathlib import Path

from agents.saving.atomic import write_text
from benchmarks import copy_lengths, lengths
from benchmarks.curves import memory_of, panels, read_run
from benchmarks.memory_results import RESULTS as MEMORIES
from benchmarks.recorded import (
    CUT_OFF,
    Record,
    head,
    machines,
    notes,
    row,
    short_commit,
    shown_value,
    update,
)
from benchmarks.stream_runs import BATCH, DICTIONARY, LOOK_STEPS, PLANS, STEPS, plan

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "streams.json"
PAGE = ROOT / "docs" / "results" / "streams.md"
IMAGES = ROOT / "docs" / "images"
_DASHED = [
    "Dashed: the same memory learnt from the right answers, where that was trained; of recall and",
    "of gated-delta it is the first look below, with other sizes.",
]
_LOOKS = [
    f"All have their default sizes and the same settings, {LOOK_STEPS:,} steps, seed 0: which",
    "learns what quickly; no ranking. Of dictionary inference it is the success, of recall how",
    "many of three vectors are right, bit by bit (guessing comes to 1.5); beside them the returns",
    "of [the first looks](memories.md) at the maze (750,000 steps) and Tape-Reverse (a million).",
]
_TITLES = {
    "dictionary": "Dictionary inference (Fig. 2)",
    "variants": "Dictionary inference with other settings",
    "sequences": "Double copy and priority sort (Fig. 4)",
    "copy": "Copy",
    "by-reward": "The same by reward",
    "first-look": "Every memory: a first look",
}


def _updates(run: Record) -> int | None:
    """Updates of a supervised training, where all streams have the same number of steps."""
    steps = STEPS.get(run["env"])
    return (
        None
        if steps is None or "supervised" not in run["agent"]
        else run["steps"] // (steps * BATCH)
    )


def _table(runs: list[Record]) -> list[str]:
    numbers = ["seed", "success", "return", "updates", "steps", "minutes", "processor's"]
    lines = head(["task", "agent"], numbers, ["commit"])
    for run in runs:
        updates = _updates(run)
        cells = [run["env"].split(":")[-1].removeprefix("Stream-").removesuffix("-v0")]
        cells += [run["agent"], run["seed"]]
        cells += [shown_value(run, "success", 3), shown_value(run, "return_mean", 2)]
        cells += ["" if updates is None else f"{updates:,}", f"{run['steps']:,}"]
        cells += [run["minutes"], run["cpu_minutes"], short_commit(run)]
        lines.append(row(cells))
    return lines


def _look_table(looks: list[Record], known: dict[str, list[Record]]) -> list[str]:
    """A line for each memory, beside its first looks at the maze and at a tape."""
    cells = {
        (memory_of(run), _column(run)): shown_value(run, *_shown(run))
        for run in [*looks, *known["maze-first-look"], *known["tape-first-look"]]
    }
    columns = list(dict.fromkeys(column for _, column in cells))
    lines = head(["memory"], columns, [])
    for memory in dict.fromkeys(memory_of(run) for run in looks):
        lines.append(row([memory, *(cells.get((memory, column), "") for column in columns)]))
    return lines


def _column(run: Record) -> str:
    env = run["env"].removeprefix("Stream-").removesuffix("-v0")
    return f"{env}, {run['agent'].partition('/')[0]}"


def _shown(run: Record) -> tuple[str, int]:
    """Success where streams are solved as wholes, the return where parts of them count."""
    return ("success", 3) if run["env"] == DICTIONARY else ("return_mean", 2)


def _twins(results: dict[str, list[Record]]) -> list[Record]:
    """Returns, of each task and memory learnt by reward, a training by right answers."""
    wanted = {(run["env"], memory_of(run)) for run in results["by-reward"]}
    found: dict[tuple[str, str], Record] = {}
    for name in ("dictionary", "copy", "first-look"):
        for run in results.get(name, []):
            key = run["env"], memory_of(run)
            if key in wanted and run["agent"].startswith("supervised/"):
                found.setdefault(key, run)
    return list(found.values())


def page(results: dict[str, list[Record]]) -> str:
    """The page in Markdown."""
    lines = [
        "# Streams: results",
        "",
        "Written by `python -m benchmarks.stream_results` from the folders that",
        "`python -m benchmarks.stream_runs` left. Success is the share of 1,000 fresh streams",
        "whose answers were all right; return the mean number of right answers, of bit vectors",
        "the share of right bits. An update is a gradient step on 32 streams. A training with",
        "`--stop-at-success` ended when all of 256 fresh streams, and then all of 1,000 others,",
        "were answered without a mistake.",
        *CUT_OFF,
    ]
    for name, title in _TITLES.items():
        runs = results.get(name)
        if runs:
            lines += ["", f"## {title}", "", f"For example: `{runs[0]['command']}`", ""]
            lines += [*_DASHED, ""] if name == "by-reward" else []
            for picture in _PICTURES.get(name, ()):
                lines += [f"![{title}](../images/{picture})", ""]
            if name == "first-look":
                known = json.loads(MEMORIES.read_text(encoding="utf-8"))
                lines += [*_LOOKS, "", *_look_table(runs, known)]
            else:
                lines += _table(runs)
        if runs and name == "copy" and copy_lengths.RESULTS.exists():
            measured = json.loads(copy_lengths.RESULTS.read_text(encoding="utf-8"))
            lines += ["", *copy_lengths.section(measured)]
    lines += machines(run for runs in results.values() for run in runs)
    if lengths.RESULTS.exists():
        lines += ["", *_lengths_section(json.loads(lengths.RESULTS.read_text(encoding="utf-8")))]
    return "\n".join(lines) + "\n" + notes(PAGE)


def _lengths_section(measured: Record) -> list[str]:
    """What time and state do while streams grow."""
    return [
        "## Time and state against length (Fig. 3)",
        "",
        f"`{measured['command']}` at {short_commit(measured)}: an update, forward and backward,",
        f"of {lengths.ROWS} streams, on one thread of an idle machine, medians; and the numbers",
        "that a stream carries from step to step.",
        "",
        f"![Time and state against length](../images/{lengths.FIGURE.name})",
        "",
        *lengths.table(measured),
    ]


def _errors_by_update(run: Record) -> list[list[float]]:
    steps = STEPS[run["env"]] * BATCH
    return [[at / steps, wrong] for at, wrong in run["errors"]]


_PICTURES = {
    "dictionary": ("streams-dictionary.png",),
    "sequences": ("streams-sequences.png",),
    "by-reward": ("streams-by-reward.png",),
}


def draw(results: dict[str, list[Record]]) -> None:
    """Draws the pictures for which there are results."""
    for name, (picture,) in _PICTURES.items():
        runs = results.get(name, [])
        if runs:
            if name == "by-reward":
                labels = ("steps", "return")
                panels(runs, IMAGES / picture, itemgetter("curve"), labels, _twins(results))
            else:
                labels = ("updates", "share of wrong answers")
                panels(runs, IMAGES / picture, _errors_by_update, labels)


def main() -> None:
    """Write the results, their page and the pictures."""
    results = update(__doc__.splitlines()[0], RESULTS, PLANS, plan, read_run)
    draw(results)
    write_text(PAGE, page(results))


if __name__ == "__main__":
    main()
