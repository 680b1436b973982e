"""What each argument of the streams moves: ``python -m benchmarks.knobs``.

Writes the table of docs/knobs.md. All of it is computed, nothing is sampled or trained.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from agents.saving.atomic import write_text
from memory_envs.certificates.bits import carried
from memory_envs.certificates.streams import certify_stream
from memory_envs.stream.settings import StreamSettings

PAGE = Path(__file__).parents[1] / "docs" / "knobs.md"
_MARK = "<!-- Written by python -m benchmarks.knobs -->\n"
QUANTITIES = ("share without memory", "bits to carry", "bits to ignore", "horizon")
_WINDOW = 8


class Group(NamedTuple):
    """Rows in which one quantity moves and the others are held.

    Attributes:
        knob: What moves it.
        moves: Which of `QUANTITIES`.
        task: The task.
        rows: The arguments of each row; ``length`` stands for both of its ends.
    """

    knob: str
    moves: str
    task: str
    rows: tuple[dict[str, int], ...]


GROUPS = (
    Group(
        "`delay`",
        "horizon",
        "Copy",
        tuple({"length": 3, "bits": 8, "delay": delay} for delay in (0, 2, 10, 100)),
    ),
    Group(
        "`delay`",
        "horizon",
        "AssociativeRecall",
        tuple({"length": 2, "bits": 6, "item_length": 1, "delay": d} for d in (0, 2, 10, 100)),
    ),
    Group(
        "`distractors`",
        "bits to ignore",
        "Copy",
        tuple({"length": 3, "bits": 8, "delay": 10, "distractors": n} for n in (0, 5, 10)),
    ),
    Group(
        "`bits`",
        "bits to carry",
        "Copy",
        tuple({"length": 10, "bits": bits} for bits in (1, 2, 8)),
    ),
    Group(
        "length, with `delay`",
        "bits to carry",
        "DoubleCopy",
        (
            {"length": 10, "symbols": 4, "delay": 90},
            {"length": 20, "symbols": 4, "delay": 60},
            {"length": 40, "symbols": 4, "delay": 0},
        ),
    ),
    Group(
        "`symbols`, with length and `delay`",
        "share without memory",
        "DoubleCopy",
        (
            {"length": 40, "symbols": 2, "delay": 0},
            {"length": 20, "symbols": 4, "delay": 60},
            {"length": 10, "symbols": 16, "delay": 90},
        ),
    ),
    Group(
        "`repeats`",
        "horizon",
        "RepeatCopy",
        tuple({"length": 10, "bits": 2, "repeats": repeats} for repeats in (1, 3, 9)),
    ),
)
# Bits of what a distractor shows, where its numbers are independent.
_SHOWN: dict[str, Callable[[dict[str, int]], float]] = {
    "Copy": lambda row: row["bits"],
    "RepeatCopy": lambda row: row["bits"],
    "DoubleCopy": lambda row: math.log2(row["symbols"]),
}


class Measured(NamedTuple):
    """What is known of one row; the first are `QUANTITIES`, as they are printed."""

    memoryless: str
    carried: str
    ignored: str
    horizon: str
    window: str


def measure(task: str, row: dict[str, int]) -> Measured:
    """Computes a row of the table."""
    arguments: dict[str, Any] = dict(row)
    length = arguments.pop("length")
    delay, distractors = arguments.pop("delay", 0), arguments.pop("distractors", 0)
    settings = StreamSettings(task, length, length, None, arguments, delay, distractors)
    found = certify_stream(task, settings, (_WINDOW,))
    best = found.best.upper
    ignored = distractors * _SHOWN[task](row) if distractors else 0.0
    return Measured(
        f"{found.memoryless.upper / best:.2f}",
        f"{carried(settings):.4g}",
        f"{ignored:.4g}",
        str(settings.steps),
        f"{found.observations[_WINDOW].upper / best:.2f}",
    )


def moved(found: list[Measured]) -> list[str]:
    """Returns which of `QUANTITIES` differ between rows."""
    columns = zip(*found, strict=True)
    return [name for name, cells in zip(QUANTITIES, columns, strict=False) if len(set(cells)) > 1]


def table() -> str:
    """Returns the table as Markdown; what moves is bold."""
    heads = (*QUANTITIES, f"with {_WINDOW} in view, at most")
    lines = [f"| knob | task | {' | '.join(heads)} |", "| --- | --- |" + " ---: |" * len(heads)]
    for group in GROUPS:
        found = [measure(group.task, row) for row in group.rows]
        moving = moved(found)
        for row, one in zip(group.rows, found, strict=True):
            told = ", ".join(f"{name}={value}" for name, value in row.items())
            cells = [
                f"**{cell}**" if name in moving else cell
                for name, cell in zip(heads, one, strict=True)
            ]
            lines.append(f"| {group.knob} | {group.task}, {told} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """Returns the page, with the table as it is computed now."""
    text = PAGE.read_text(encoding="utf-8")
    return text[: text.index(_MARK)] + _MARK + "\n" + table()


if __name__ == "__main__":
    write_text(PAGE, page())
