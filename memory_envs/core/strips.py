"""A stretch of a tape with its head: what the tape and the algorithmic family show alike."""

from collections.abc import Sequence
from typing import NamedTuple

from memory_envs.core.drawing import (
    BLUE,
    CELL,
    GREY,
    LABELS,
    LINE,
    MARGIN,
    PALE_BLUE,
    PITCH,
    RED,
    Image,
    draw_cell,
    draw_pointer,
    draw_text,
    fill,
)

_WIDEST = 33  # columns of a strip, the gap before cell 0 included


class Strip(NamedTuple):
    """A stretch of a tape."""

    label: str
    cells: list[int | None]  # symbols; None where the tape has no cell
    head: int | None  # the column
    radius: int  # of what the agent sees around the head
    wrong: list[int]  # the columns of mistakes
    more: tuple[bool, bool]  # whether the tape goes on beyond the first and the last column


def make_strip(
    label: str,
    tape: list[int | None],
    largest: int,
    head: int,
    radius: int = 0,
    wrong: Sequence[int] = (),
) -> Strip:
    """The stretch of `tape` around its head, as wide as the largest tape allows.

    Before cell 0 comes a gap, which is where the input head may stand, and which all strips have so
    that their cells are in line.
    """
    cells, column = [None, *tape], head + 1
    width = min(largest + 1, _WIDEST)
    first = min(max(column - width // 2, 0), max(len(cells) - width, 0))
    shown = cells[first : first + width]
    shown += [None] * (width - len(shown))
    more = (first > 0, first + width < len(cells))
    if more[0]:
        shown[0] = None
    if more[1]:
        shown[-1] = None
    return Strip(
        label,
        shown,
        column - first if column < len(cells) else None,
        radius,
        [k for cell in wrong if 0 <= (k := cell + 1 - first) < width and shown[k] is not None],
        more,
    )


def draw_strip(image: Image, top: int, strip: Strip, symbols: int) -> None:
    """Draw a strip with its label, what is seen, its head and its mistakes, from line `top` on."""
    cell_top = top + 16
    draw_text(image, MARGIN, cell_top + 9, strip.label, 2, GREY)
    left = MARGIN + LABELS
    plan = strip.label == "target"
    if strip.head is not None and strip.label in ("input", "memory"):
        low = max(strip.head - strip.radius, 0)
        high = min(strip.head + strip.radius, len(strip.cells) - 1)
        span = (high - low + 1) * PITCH
        fill(
            image,
            left + low * PITCH - 2,
            cell_top - 2,
            span,
            PITCH,
            8,
            PALE_BLUE,
        )
    for k, symbol in enumerate(strip.cells):
        x, here = left + k * PITCH, k == strip.head and not plan
        border = BLUE if here else RED if k in strip.wrong else LINE
        if symbol is not None:
            draw_cell(image, x, cell_top, symbol, symbols, border, k in strip.wrong)
        elif here:
            fill(image, x, cell_top, CELL, CELL, 6, BLUE)
            fill(image, x + 2, cell_top + 2, CELL - 4, CELL - 4, 4, PALE_BLUE)
        if k == strip.head:
            draw_pointer(image, x + CELL // 2, cell_top - 4, GREY if plan else BLUE)
        if k in strip.wrong:
            draw_text(image, x + CELL // 2 - 5, cell_top - 18, "X", 2, RED)
    for more, k in zip(strip.more, (0, len(strip.cells) - 1), strict=True):
        if more:
            draw_text(image, left + k * PITCH + 5, cell_top + 9, "..", 2, GREY)
