"""A report as a table: for the terminal, and as Markdown for the documentation."""

import statistics
from itertools import groupby
from operator import attrgetter

from rich.console import Group
from rich.table import Table
from rich.text import Text

from benchmarks.results import Measurement, Report

_EMPTY = "-"


def terminal(report: Report) -> Group:
    """The table, and below it what it was made with."""
    table = Table(title=report.title, title_justify="left")
    for index, name in enumerate(_header(report)):
        table.add_column(name, justify="left" if index < 2 else "right")
    for section, measurements in _sections(report):
        table.add_row(Text(section, style="bold"))
        for measurement in measurements:
            table.add_row(*map(Text, _cells(report, measurement)))
        table.add_section()
    return Group(table, *map(Text, _circumstances(report)))


def markdown(report: Report) -> str:
    """The same as Markdown."""
    header = _header(report)
    lines = [f"**{report.title}**", "", _line(header)]
    lines.append(_line(["---" if index < 2 else "---:" for index in range(len(header))]))
    for section, measurements in _sections(report):
        lines.append(_line([f"**{section}**"] + [""] * (len(header) - 1)))
        lines += [_line(_cells(report, measurement)) for measurement in measurements]
    return "\n".join([*lines, "", *(f"- {line}" for line in _circumstances(report))]) + "\n"


def _sections(report: Report) -> list[tuple[str, list[Measurement]]]:
    groups = groupby(report.measurements, key=attrgetter("section"))
    return [(section, list(measurements)) for section, measurements in groups]


def _header(report: Report) -> list[str]:
    returns = [f"return at {steps:,}" for steps in report.checkpoints]
    return ["", "", report.unit, "min - max", "ratio", "target", *returns]


def _cells(report: Report, measurement: Measurement) -> list[str]:
    rates, comparison = measurement.steps_per_second, report.compare(measurement)
    ratio = target = _EMPTY
    if comparison is not None:
        ratio = f"{comparison.ratio:.2f} ({comparison.lowest:.2f} - {comparison.highest:.2f})"
        if measurement.is_reference and comparison.ratio == 1.0:
            ratio = "reference"
    if measurement.target is not None:
        verdict = "unknown"
        if comparison is not None:
            verdict = "reached" if comparison.reached else "missed"
        target = f">= {measurement.target:g}: {verdict}"
    returns = _return_cells(measurement, len(report.checkpoints))
    spread = f"{min(rates):,.0f} - {max(rates):,.0f}"
    found = [f"{measurement.median:,.0f}", spread, ratio, target]
    return [measurement.name, measurement.variant, *found, *returns]


def _return_cells(measurement: Measurement, checkpoints: int) -> list[str]:
    cells = []
    for column in range(checkpoints):
        values = [row[column] for row in measurement.returns or []]
        known = [value for value in values if value is not None]
        text = (
            f"{statistics.fmean(known):.0f} ({min(known):.0f} - {max(known):.0f})" if known else ""
        )
        cells.append(text or _EMPTY)
    return cells


def _circumstances(report: Report) -> list[str]:
    machine = report.machine
    loads = [
        " ".join(map(str, load)) for load in (machine["load_average"], report.load_average_after)
    ]
    versions = ", ".join(f"{name} {found}" for name, found in report.versions.items() if found)
    return [
        f"{report.command}, commit {report.commit or 'unknown'}, {report.date}",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, "
        f"load average before {loads[0]} and after {loads[1]}",
        f"Python {machine['python']}, {versions}",
        ", ".join(f"{name} {value:g}" for name, value in report.settings.items()),
        *report.notes,
    ]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
