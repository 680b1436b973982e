"""What a run of measurements found, as data and as JSON."""

import dataclasses
import json
import shlex
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Two learning curves count as the same if the mean return over one is at least this share of that
# over the other.
SAME_CURVE = 0.9


@dataclass(frozen=True)
class Measurement:
    """What was measured of one contestant.

    Attributes:
        section: of the table; contestants of one section are compared.
        name: of the contestant.
        variant: what else tells it from the others.
        steps_per_second: environment steps per second, one number per repeat.
        is_reference: whether its section is compared with it, if it is the fastest of these.
        target: how many times as fast as the reference it has to be, or None.
        returns: mean episode return, one row per seed and one column per checkpoint; None where
            no episode ended since the checkpoint before.
    """

    section: str
    name: str
    variant: str
    steps_per_second: list[float]
    is_reference: bool = False
    target: float | None = None
    returns: list[list[float | None]] | None = None

    @property
    def median(self) -> float:
        """Environment steps per second."""
        return statistics.median(self.steps_per_second)


@dataclass(frozen=True)
class Comparison:
    """A contestant beside its section's reference.

    Attributes:
        ratio: of the medians of the steps per second.
        lowest: of the ratios, repeat by repeat.
        highest: of them.
        return_ratio: of the mean returns over the learning curves; None without curves.
        reached: whether the target is; None without one.
    """

    ratio: float
    lowest: float
    highest: float
    return_ratio: float | None
    reached: bool | None


@dataclass(frozen=True)
class Report:
    """A run: what was measured, with what, on what.

    Attributes:
        title: of the table.
        command: that made it.
        commit: of the code; None if unknown.
        date: and time, UTC.
        machine: see `benchmarks.machine`; the load average is that before the run.
        load_average_after: that after it.
        versions: of the distributions that matter.
        settings: of the run.
        measurements: in the table's order.
        notes: on what is missing.
        checkpoints: in environment steps; empty without learning curves.
        unit: of the rates.
    """

    title: str
    command: str
    commit: str | None
    date: str
    machine: dict[str, Any]
    load_average_after: list[float]
    versions: dict[str, str | None]
    settings: dict[str, float]
    measurements: list[Measurement]
    notes: list[str]
    checkpoints: list[int]
    unit: str = "steps/s"

    def compare(self, measurement: Measurement) -> Comparison | None:
        """How `measurement` does beside the fastest reference of its section; None without one."""
        mates = [other for other in self.measurements if other.section == measurement.section]
        references = [mate for mate in mates if mate.is_reference]
        if not references:
            return None
        best = max(references, key=lambda mate: mate.median)
        ratio = measurement.median / best.median
        pairs = zip(measurement.steps_per_second, best.steps_per_second, strict=True)
        ratios = [ours / theirs for ours, theirs in pairs]
        return_ratio, reached = _return_ratio(measurement, best), None
        if measurement.target is not None:
            learns = return_ratio is None or return_ratio >= SAME_CURVE
            reached = ratio >= measurement.target and learns
        return Comparison(ratio, min(ratios), max(ratios), return_ratio, reached)

    def to_json(self) -> str:
        """The fields, and beside each measurement its median and its comparison."""
        fields = dataclasses.asdict(self)
        for measurement, item in zip(self.measurements, fields["measurements"], strict=True):
            comparison = self.compare(measurement)
            item["median"] = measurement.median
            item["comparison"] = comparison and dataclasses.asdict(comparison)
        return json.dumps(fields, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The report that `to_json` wrote."""
        fields = json.loads(text)
        names = [field.name for field in dataclasses.fields(Measurement)]
        fields["measurements"] = [
            Measurement(**{name: item[name] for name in names}) for item in fields["measurements"]
        ]
        return cls(**fields)


def mean_curve(curves: list[list[float | None]]) -> list[float | None]:
    """At each checkpoint the mean over the seeds that have a value there."""
    found = ([v for v in column if v is not None] for column in zip(*curves, strict=True))
    return [statistics.fmean(values) if values else None for values in found]


def _return_ratio(measurement: Measurement, reference: Measurement) -> float | None:
    if measurement.returns is None or reference.returns is None:
        return None
    pairs = zip(mean_curve(measurement.returns), mean_curve(reference.returns), strict=True)
    common = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not common:
        return None
    return statistics.fmean(a for a, _ in common) / statistics.fmean(b for _, b in common)


def without_folder(command: str) -> str:
    """A command without ``--out FOLDER`` and without where the run that it started from lies."""
    words = shlex.split(command)
    if "--out" in words:
        place = words.index("--out")
        del words[place : place + 2]
    if "--start-from" in words:
        start = words.index("--start-from") + 1
        if Path(words[start]).is_absolute():
            words[start] = Path(words[start]).name
    return shlex.join(words)
