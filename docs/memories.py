"""Draws docs/images/memory-*.svg, one picture for each family of memory cells.

Each shows a step: the state before it, what is written, the state after it, and how that is read.
Run it after changing it: ``python docs/memories.py``. A test compares.
"""

from collections.abc import Callable
from pathlib import Path

from agents.saving.atomic import write_text

IMAGES = Path(__file__).with_name("images")
_WIDTH, _HEIGHT, _MIDDLE = 760, 210, 100
_BLUE, _RED, _PALE, _GREY = "#4a6fa5", "#c0392b", "#eef2f7", "#667"
# What a drawn state holds, between 0 and 1, in the cells of its glyph; the same in every picture.
_LEVELS = (0.2, 0.8, 0.5, 0.1, 0.65, 0.35, 0.9, 0.45)
Glyph = Callable[[int, bool], list[str]]


def _text(x: float, y: float, text: str, size: int = 13, color: str = "#223") -> str:
    font = f'font-size="{size}" fill="{color}" text-anchor="middle"'
    return f'<text x="{x}" y="{y}" {font}>{text}</text>'


def _cell(x: float, y: float, level: float, changed: bool, side: float = 18) -> str:
    color = _RED if changed else _BLUE
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{side:g}" height="{side:g}" fill="{color}" '
        f'fill-opacity="{0.15 + 0.7 * level:.2f}" stroke="white"/>'
    )


def _arrow(x: float, y: float, to_x: float, to_y: float, color: str = _GREY) -> str:
    return (
        f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{color}" stroke-width="1.6" '
        'marker-end="url(#head)"/>'
    )


def _grid(
    x: float, lines: int, columns: int, changed: Callable[[int, int], bool], shift: int = 0
) -> list[str]:
    """A matrix whose middle is at `x`, with its content moved to the left by `shift` columns."""
    side, left, top = 18, x - 9 * columns, _MIDDLE - 9 * lines
    return [
        _cell(
            left + side * j, top + side * i, _LEVELS[(3 * i + 5 * (j + shift)) % 8], changed(i, j)
        )
        for i in range(lines)
        for j in range(columns)
    ]


def _gated(x: int, after: bool) -> list[str]:
    return _grid(x, 6, 1, lambda i, _: after and i in (1, 2, 4))


def _linear(x: int, after: bool) -> list[str]:
    """A bar for each time scale; all shrink, and all get a part of the input."""
    bars = []
    for i, kept in enumerate((0.95, 0.85, 0.7, 0.5, 0.3, 0.1)):
        old, top = 60 * (kept if after else 1.0) * 0.8, _MIDDLE - 54 + 18 * i
        bars.append(
            f'<rect x="{x - 36}" y="{top}" width="{old:.1f}" height="14" fill="{_BLUE}" '
            'fill-opacity="0.6"/>'
        )
        if after:
            bars.append(
                f'<rect x="{x - 36 + old:.1f}" y="{top}" width="12" height="14" fill="{_RED}" '
                'fill-opacity="0.7"/>'
            )
    return bars


def _slots(x: int, after: bool) -> list[str]:
    return _grid(x, 6, 4, lambda i, _: after and i == 2)


def _matrix(x: int, after: bool) -> list[str]:
    return _grid(x, 5, 5, lambda i, j: after and (i in (1, 3) and j in (0, 2, 3)))


def _network(x: int, after: bool) -> list[str]:
    """Three layers of weights, one behind the other."""
    parts = []
    for layer in range(3):
        left = x - 60 + 42 * layer
        parts += _grid(left + 18, 4, 2, lambda i, j: after and (i + j) % 2 == 0)
        if layer < 2:
            parts.append(_arrow(left + 38, _MIDDLE, left + 40, _MIDDLE))
    return parts


def _window(x: int, after: bool) -> list[str]:
    return _grid(x, 4, 6, lambda _, j: after and j == 5, shift=int(after))


# By family: the glyph, what is written, how it is read.
FAMILIES: dict[str, tuple[Glyph, str, str]] = {
    "gated": (_gated, "gates say what is kept of each unit", "the units themselves"),
    "linear": (_linear, "each unit fades at its own pace", "a layer that mixes them"),
    "slots": (_slots, "a weighting says which slots", "a weighted sum of slots"),
    "fast-weights": (_matrix, "value times key, added", "the matrix times a key"),
    "networks": (_network, "a learned step of learning", "the network's answer to a key"),
    "windows": (_window, "the oldest goes, the newest comes", "all at once, or by attention"),
}


def picture(family: str) -> str:
    """Returns the picture of a family as SVG."""
    glyph, write, read = FAMILIES[family]
    before, after = 210, 450
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{_GREY}"/>',
        "</marker></defs>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<rect x="20" y="{_MIDDLE - 16}" width="60" height="32" rx="5" fill="{_PALE}" '
        f'stroke="{_BLUE}"/>',
        _text(50, _MIDDLE + 5, "input"),
        f'<rect x="660" y="{_MIDDLE - 16}" width="76" height="32" rx="5" fill="{_PALE}" '
        f'stroke="{_BLUE}"/>',
        _text(698, _MIDDLE + 5, "output"),
        *glyph(before, False),
        *glyph(after, True),
        _text(before, 28, "state before the step", 12, _GREY),
        _text(after, 28, "state after the step", 12, _GREY),
        _arrow(before + 78, _MIDDLE, after - 78, _MIDDLE),
        f'<path d="M50,{_MIDDLE + 20} C50,190 330,190 330,{_MIDDLE + 10}" fill="none" '
        f'stroke="{_GREY}" stroke-width="1.6" marker-end="url(#head)"/>',
        _arrow(after + 78, _MIDDLE, 656, _MIDDLE),
        _text(330, 202, f"write: {write}", 13, _RED),
        _text(590, 202, f"read: {read}", 13, _BLUE),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def path(family: str) -> Path:
    """Returns where the picture of a family is kept."""
    return IMAGES / f"memory-{family}.svg"


if __name__ == "__main__":
    for name in FAMILIES:
        write_text(path(name), picture(name))
