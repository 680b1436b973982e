"""Figures: a run's learning curve, and the colours and the saving that all pictures share.

They are drawn on figures of their own, so that nobody's pyplot state is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from agents.saving.atomic import whole_file

INK = "#1f2933"
GREY = "#8a94a0"
PALE = "#eef1f5"
BLUE = "#2f6fde"
ORANGE = "#e08a00"
GREEN = "#1b9e5a"
RED = "#d1495b"
_DPI = 160

# A column of a run's progress: (environment steps, value).
Series = Sequence[tuple[int, float]]


def save_png(figure: Figure, path: Path) -> None:
    """Writes a picture, whole or not at all."""
    FigureCanvasAgg(figure)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, facecolor="white")


def learning_curve_png(
    progress: Mapping[str, Series],
    path: Path,
    title: str,
    optimum: float | None = None,
    random: float | None = None,
) -> None:
    """Draws success, return and curriculum level against environment steps.

    Args:
        progress: The columns of a run's `progress.csv`, by Stable-Baselines3's names.
        path: File of the picture.
        title: Title of the picture.
        optimum: The mean return of optimal play, drawn as a line.
        random: The mean return of random play, likewise.
    """
    panels = [
        ("success", "rollout/success_rate", "evaluation/success"),
        ("return", "rollout/ep_rew_mean", "evaluation/return"),
        ("level", "curriculum/level", ""),
    ]
    shown = [panel for panel in panels if any(progress.get(name) for name in panel[1:])]
    figure = Figure(figsize=(7.0, 0.6 + 1.9 * max(len(shown), 1)), layout="constrained")
    axes = figure.subplots(max(len(shown), 1), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (label, training, evaluation) in zip(axes, shown, strict=False):
        ax.set_ylabel(label)
        if label == "level":
            _draw(ax, progress[training], "C", ORANGE, drawstyle="steps-post", linewidth=1.6)
            ax.yaxis.set_major_locator(MaxNLocator(integer=True))
            ax.set_ylim(-0.3, max(level for _, level in progress[training]) + 1.0)
            continue
        _draw(ax, progress.get(training, ()), "training episodes", BLUE, alpha=0.45, linewidth=1.2)
        marks = {"marker": "o", "markersize": 3.0, "linewidth": 1.4}
        _draw(ax, progress.get(evaluation, ()), "held-out episodes", INK, **marks)
        if label == "success":
            ax.set_ylim(-0.03, 1.03)
        else:
            for value, name, color in ((optimum, "optimum", GREEN), (random, "random play", RED)):
                if value is not None:
                    style: dict[str, Any] = {"color": color, "linewidth": 1.0, "linestyle": "--"}
                    ax.axhline(value, label=f"{name}, held-out episodes", **style)
        ax.legend(loc="best", frameon=False, fontsize=8)
    for ax in axes:
        _tidy(ax)
    axes[-1].set_xlabel("environment steps")
    axes[-1].xaxis.set_major_formatter(EngFormatter(sep=""))
    axes[0].set_title(title, loc="left", fontsize=10, color=INK)
    save_png(figure, path)


def _draw(ax: Axes, series: Series, label: str, color: str, **style: Any) -> None:
    if series:
        steps, values = zip(*series, strict=True)
        ax.plot(steps, values, label=label, color=color, **style)


def _tidy(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color=PALE, linewidth=1.0)
    ax.set_axisbelow(True)
    ax.tick_params(colors=INK, labelsize=8)
