"""The picture of a memory map: likenesses first, then what changes over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from agents.evaluation.memory_map.compute import Map, MemoryMap
from agents.evaluation.plots import BLUE, GREY, INK, ORANGE, PALE, save_png

_SQUARE_INCHES = 4.4  # at least, beside long labels
_LABEL_INCHES = 0.1  # of a step that is named
_LETTER_INCHES = 0.05
_SHORT = 6  # letters of a label for which there is room
_SLIM = 0.75  # of the room above and below, what is enough at the side: squares grow with it
_ROW_INCHES = 0.16
_TITLE_INCHES = 0.2  # of a line
_LOWEST_INCHES, _HIGHEST_INCHES = 0.8, 2.4  # of what changes over time
_MOST_LABELS = 100
_COLORS = {
    -1: LinearSegmentedColormap.from_list("likeness", ["#7a4300", ORANGE, PALE, BLUE, "#0b2a66"]),
    0: LinearSegmentedColormap.from_list("share", [PALE, "#b9a5e2", "#4b2e83"]),
}


def memory_map_png(found: MemoryMap, path: Path) -> None:
    """Draws all maps, those of steps against steps two in a line."""
    squares = [part for part in found.maps if part.right == part.down]
    courses = [part for part in found.maps if part.right != part.down]
    lines = (len(squares) + 1) // 2
    room = _label_room(found.labels)
    side = max(_SQUARE_INCHES, 1.2 + _LABEL_INCHES * len(_shown(found.labels)))
    heights = [side] * lines + [_course_inches(course) for course in courses]
    named = lines + bool(courses)  # of the courses, only the last has the names of the steps
    title = "\n".join(filter(None, ["   ".join(found.facts), found.note]))
    height = sum(heights) + named * room + 0.5 + _TITLE_INCHES * (1 + title.count("\n"))
    figure = Figure(figsize=(2.0 * (side + _SLIM * room) + 0.6, height), layout="compressed")
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    for k, square in enumerate(squares):
        _draw(figure, figure.add_subplot(grid[k // 2, k % 2]), square, found)
    for k, course in enumerate(courses):
        ax = figure.add_subplot(grid[lines + k, :])
        _draw(figure, ax, course, found)
        if course is not courses[-1]:
            ax.set_xlabel("")
            ax.tick_params(axis="x", labelbottom=False)
    figure.suptitle(title, fontsize=10, color=INK)
    save_png(figure, path)


def _shown(labels: list[str]) -> list[str]:
    """Returns the names of the steps if there is room for them, else none."""
    return labels if len(labels) <= _MOST_LABELS else []


def _label_room(labels: list[str]) -> float:
    """Returns how many inches long names need, beyond those that short ones have."""
    letters = max(map(len, _shown(labels)), default=0)
    return _LETTER_INCHES * max(0, letters - _SHORT)


def _course_inches(course: Map) -> float:
    height = 0.6 + _ROW_INCHES * len(course.numbers)
    return min(max(height, _LOWEST_INCHES), _HIGHEST_INCHES)


def _draw(figure: Figure, ax: Axes, part: Map, found: MemoryMap) -> None:
    labels = _shown(found.labels)
    rows, columns = part.numbers.shape
    top, left = (float(name == "step") for name in (part.down, part.right))  # steps count from 1
    square = part.down == part.right
    image = ax.imshow(
        np.ma.masked_invalid(part.numbers),
        cmap=_COLORS[part.lowest],
        vmin=part.lowest,
        vmax=1.0,
        extent=(left - 0.5, left + columns - 0.5, top + rows - 0.5, top - 0.5),
        aspect="equal" if square else "auto",
        interpolation="nearest",
    )
    bar = figure.colorbar(image, ax=ax, shrink=0.7 if square else 1.0, pad=0.01, aspect=25)
    bar.set_ticks([part.lowest, 0, 1] if part.lowest else [0, 1])
    bar.ax.tick_params(labelsize=6)
    ax.set_title(part.name, loc="left", fontsize=8, color=INK)
    both = square and part.down == "step"
    ax.set_xlabel(f"{part.right} t1" if both else part.right, fontsize=7, color=GREY)
    ax.set_ylabel(f"{part.down} t2" if both else part.down, fontsize=7, color=GREY)
    for axis, name in ((ax.xaxis, part.right), (ax.yaxis, part.down)):
        if name == "step" and labels:
            axis.set_ticks(range(1, len(labels) + 1), labels)
            for label, marked in zip(axis.get_ticklabels(), found.marked, strict=True):
                label.set_fontweight("bold" if marked else "normal")
        else:
            axis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    ax.tick_params(labelsize=6, colors=INK, length=2)
    long = max(map(len, labels), default=0) > 2
    ax.tick_params(axis="x", labelrotation=90 if long and part.right == "step" else 0)
    ax.spines[:].set_visible(False)
