"""How the errors of trainings went down: read from their progress, and drawn in panels."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from agents.evaluation.plots import save_png
from benchmarks.recorded import Record, progress, read_preset_run
from benchmarks.runs import PresetRun, parts

_POINTS = 60  # of a curve of errors that is kept
Curve = Callable[[Record], list[list[float]]]


def read_run(run: PresetRun, folder: Path) -> Record | None:
    """What a training and its continuations did; None if it has not begun."""
    record = read_preset_run(run, folder)
    if record is None:
        return None
    rows = [line for part in parts(folder) for line in progress(part)]
    return {**record, "errors": _errors(rows)}


def _errors(rows: Iterable[dict[str, str]]) -> list[list[float]]:
    """Steps, and the share of wrong answers in training since the point before."""
    points = [
        (int(float(line["time/total_timesteps"])), float(line["train/wrong_answers"]))
        for line in rows
        if line.get("train/wrong_answers")
    ]
    size = max(1, -(-len(points) // _POINTS))
    chunks = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        [chunk[-1][0], round(sum(wrong for _, wrong in chunk) / len(chunk), 4)] for chunk in chunks
    ]


def panels(
    runs: Sequence[Record],
    path: Path,
    curve: Curve,
    labels: tuple[str, str],
    twins: Sequence[Record] = (),
) -> None:
    """Draws a panel for each task, a line for each training, a colour for each agent.

    Args:
        runs: The trainings.
        path: The picture.
        curve: Returns the points of a training's line.
        labels: What is written at the two axes.
        twins: Trainings of the same tasks and memories by another algorithm: dashed.
    """
    envs = list(dict.fromkeys(run["env"] for run in runs))
    figure = Figure(figsize=(3.2 * len(envs) + 1.2, 3.0), layout="constrained")
    axes = figure.subplots(1, len(envs), squeeze=False)[0]
    colours: dict[str, str] = {}
    for ax, env in zip(axes, envs, strict=True):
        ax.set_title(env.removeprefix("Stream-").removesuffix("-v0"), fontsize="small")
        for run in (run for run in runs if run["env"] == env and curve(run)):
            label = None if run["agent"] in colours else run["agent"]
            colour = colours.setdefault(run["agent"], f"C{len(colours)}")
            x, y = zip(*curve(run), strict=True)
            ax.plot(x, y, color=colour, linewidth=1.2, label=label)
        for twin in (twin for twin in twins if twin["env"] == env):
            x, y = zip(*curve(twin), strict=True)
            ax.plot(x, y, color=_colour_of(memory_of(twin), colours), linewidth=1.0, linestyle="--")
        ax.set_ylim(bottom=-0.02)
        ax.set_xlabel(labels[0], fontsize="small")
    axes[0].set_ylabel(labels[1], fontsize="small")
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    save_png(figure, path)


def memory_of(run: Record) -> str:
    """Returns the name of a training's memory."""
    return str(run["agent"]).partition("/")[2]


def _colour_of(memory: str, colours: dict[str, str]) -> str:
    return next(colour for agent, colour in colours.items() if agent.partition("/")[2] == memory)
