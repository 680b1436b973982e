"""The picture of a trace, after Fig. 7 of Zaremba & Sutskever (2015): time runs downwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D

from agents.evaluation.plots import BLUE, GREEN, GREY, INK, ORANGE, save_png
from agents.evaluation.trace.episode import Trace
from agents.evaluation.trace.history import Path as MazePath
from agents.evaluation.trace.panels import Cell, Panel, tape_panels

_CELL_INCHES = 0.27
_TALLEST_INCHES = 16.0
_GAP = 1.6  # cells between panels
_HEADER = 3.9  # cells above the first step
_FOOTER = 0.6  # cells below the last step
_LETTERS = 2.7  # of a cell's text, before it becomes smaller
_TITLE_CELLS = 0.28  # cells that a letter of the title takes


def trace_png(trace: Trace, path: Path) -> None:
    """Draws a trace: tapes, output and the memory's heads; or a way through a maze; or rewards."""
    if trace.history.tapes:
        figure = _tapes_figure(trace)
    elif trace.history.path is not None:
        figure = _maze_figure(trace, trace.history.path)
    else:
        figure = _rewards_figure(trace)
    save_png(figure, path)


def _tapes_figure(trace: Trace) -> Figure:
    panels = tape_panels(trace)
    steps = len(trace.rewards)
    title = trace.title()
    width = sum(len(panel.rows[0]) + _GAP for panel in panels) + 1.0
    width = max(width, _TITLE_CELLS * len(title) + 2.0)
    scale = min(_CELL_INCHES, _TALLEST_INCHES / (steps + _HEADER))
    figure = Figure(figsize=(width * scale, (steps + _HEADER + _FOOTER) * scale))
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_xlim(-1.6, width - 1.6)
    ax.set_ylim(steps + _FOOTER, -_HEADER)
    ax.axis("off")
    point = scale * 72.0  # points in a cell
    ax.text(0.0, -3.1, title, fontsize=0.5 * point, color=INK, va="center")
    for t in range(steps):
        small: dict[str, Any] = {"fontsize": 0.36 * point, "color": GREY, "va": "center"}
        ax.text(-0.4, t + 0.5, str(t + 1), ha="right", **small)
    left = 0.0
    for panel in panels:
        _draw_panel(ax, panel, left, point)
        left += len(panel.rows[0]) + _GAP
    return figure


def _draw_panel(ax: Axes, panel: Panel, left: float, point: float) -> None:
    style: dict[str, Any] = {"fontsize": 0.5 * point, "va": "center"}
    ax.text(left, -1.75, panel.name, color=INK, fontweight="bold", **style)
    if panel.above:
        style["fontsize"] = 0.36 * point
        ax.text(left - 0.15, -0.62, "target", color=GREY, ha="right", **style)
    cells = [
        (left + column, y, cell)
        for y, row in [(-1.15, panel.above), *enumerate(panel.rows)]
        for column, cell in enumerate(row)
    ]
    for strong in (False, True):  # the line that joins the strong cells lies over the others
        some = [(x, y, cell) for x, y, cell in cells if cell.strong == strong]
        patches = [Rectangle((x + 0.04, y + 0.04), 0.92, 0.92) for x, y, _ in some]
        faces = [cell.face for _, _, cell in some]
        order = 3 if strong else 1
        ax.add_collection(PatchCollection(patches, facecolors=faces, linewidths=0, zorder=order))
    for color in sorted({cell.border for _, _, cell in cells} - {""}):
        bordered = [(x, y) for x, y, cell in cells if cell.border == color]
        patches = [Rectangle((x + 0.08, y + 0.08), 0.84, 0.84) for x, y in bordered]
        width = 0.06 * point
        ax.add_collection(
            PatchCollection(patches, facecolors="none", edgecolors=color, linewidths=width)
        )
    _draw_texts(ax, cells, 0.48 * point)
    heads = panel.heads
    points = np.stack([left + heads + 0.5, np.arange(len(heads)) + 0.5], axis=1)
    # A head that goes round a circular tape, or off what is shown, makes no line.
    joined = (np.abs(np.diff(heads)) <= 1) & (heads[1:] >= 0) & (heads[:-1] >= 0)
    segments = list(np.stack([points[:-1], points[1:]], axis=1)[joined])
    width = 0.14 * point
    ax.add_collection(LineCollection(segments, colors=panel.line, linewidths=width, zorder=2))


def _draw_texts(ax: Axes, cells: list[tuple[float, float, Cell]], size: float) -> None:
    """Draws the cells' texts, each in the middle of its cell.

    One collection for each text that occurs: thousands of texts of their own would take a minute.
    """
    places: dict[tuple[str, str, bool], list[tuple[float, float]]] = {}
    for x, y, cell in cells:
        if cell.text.strip():
            key = (cell.text, cell.ink, cell.strong)
            places.setdefault(key, []).append((x + 0.5, y + 0.5))
    figure = ax.get_figure()
    assert figure is not None
    for (text, ink, strong), offsets in places.items():
        font = FontProperties(weight="bold" if strong else "normal")
        fitting = size * min(1.0, _LETTERS / len(text))
        path = TextPath((0.0, 0.0), text, size=fitting, prop=font)
        box = path.get_extents()
        middle = Affine2D().translate(-(box.x0 + box.x1) / 2.0, -(box.y0 + box.y1) / 2.0)
        glyphs = PathCollection(
            [path.transformed(middle)],
            offsets=offsets,
            offset_transform=ax.transData,
            facecolors=ink,
            linewidths=0,
            zorder=4,
        )
        glyphs.set_transform(Affine2D().scale(1.0 / 72.0) + figure.dpi_scale_trans)
        ax.add_collection(glyphs)


def _maze_figure(trace: Trace, path: MazePath) -> Figure:
    """Draws the way, coloured by time, and how long each way to the goal was."""
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    ax, bars = figure.subplots(1, 2, width_ratios=(1.15, 1.0))
    ax.imshow(np.where(path.walls, 0.75, 0.0), cmap="Greys", vmin=0.0, vmax=1.0)
    # Ways that share cells are drawn side by side.
    shift = np.random.default_rng(0).uniform(-0.22, 0.22, path.cells.shape)
    points = (path.cells + shift)[:, ::-1]
    # A step onto the goal ends there; the next one begins where the agent was put.
    ends = np.where(path.reached[:, None], path.goal[::-1], points[1:])
    segments = list(np.stack([points[:-1], ends], axis=1))
    steps = np.arange(1, len(segments) + 1)
    line = LineCollection(segments, array=steps, cmap="viridis", linewidths=1.6)
    ax.add_collection(line)
    figure.colorbar(line, ax=ax, label="step", shrink=0.85)
    row, column = path.goal
    ax.plot(column, row, marker="*", markersize=20, color=ORANGE, markeredgecolor="white")
    ax.plot(*path.cells[0][::-1], marker="o", markersize=9, color=BLUE, markeredgecolor="white")
    ax.set_axis_off()
    ax.set_title("way (blue: start, star: goal)", fontsize=9, color=INK)
    ways = np.diff(np.flatnonzero(path.reached) + 1, prepend=0)
    bars.bar(np.arange(1, len(ways) + 1), ways, color=GREEN)
    bars.set_xlabel("visit to the goal")
    bars.set_title("steps since the last one", fontsize=9, color=INK)
    bars.spines[["top", "right"]].set_visible(False)
    bars.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    bars.set_xlim(0.4, max(len(ways), 1) + 0.6)
    figure.suptitle(trace.title(), fontsize=10, color=INK)
    return figure


def _rewards_figure(trace: Trace) -> Figure:
    """Draws rewards, and the critic's values if there are any."""
    figure = Figure(figsize=(7.0, 2.6), layout="constrained")
    ax = figure.subplots()
    steps = np.arange(1, len(trace.rewards) + 1)
    ax.plot(steps, np.cumsum(trace.rewards), color=GREEN, label="return so far")
    if trace.values is not None:
        ax.plot(steps, trace.values, color=BLUE, label="value")
    ax.set_xlabel("step")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    ax.set_title(trace.title(), loc="left", fontsize=9, color=INK)
    return figure
