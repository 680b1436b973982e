"""Stretches of tapes with their heads: what the texts and the images of tapes show alike."""

from collections.abc import Sequence
from typing import NamedTuple

from memory_envs.view import Grid, Output, View

_WIDEST = 33  # most columns of a strip, the gap before cell 0 included


class Strip(NamedTuple):
    """A stretch of a tape.

    Attributes:
        label: What stands before it.
        cells: Symbols; None where the tape has no cell.
        head: The column under the head; None if that is not among them.
        radius: Number of columns that the agent sees on either side of the head; None if the head
            reads nothing.
        wrong: The columns of mistakes.
        more: Whether the tape goes on beyond the first and beyond the last column.
        followed: Whether the strip only shows where another one's head is.
    """

    label: str
    cells: list[int | None]
    head: int | None
    radius: int | None
    wrong: list[int]
    more: tuple[bool, bool]
    followed: bool = False


def find_strips(view: View, row: int, widest: int = _WIDEST) -> list[Strip]:
    """Returns what one row shows: its tapes or its grid, then output and target.

    Args:
        view: The view.
        row: The row.
        widest: Most columns of a strip, where that is less than usual.
    """
    widest = min(widest, _WIDEST)
    strips = []
    for tape in view.tapes:
        size = int(tape.sizes[row])
        cells = [*tape.cells[row, :size].tolist(), None]  # a head may stand behind the last one
        head = min(max(int(tape.heads[row]), -1), size)
        strips.append(_strip(tape.name, cells, tape.cells.shape[1] + 1, widest, head, tape.radius))
    if view.grid is not None:
        strips += _grid_strips(view.grid, row, widest)
    if view.output is not None:
        strips += _output_strips(view.output, row, widest)
    return strips


def _grid_strips(grid: Grid, row: int, widest: int) -> list[Strip]:
    """Returns a strip for each line, and an empty one above and below for a head off the grid."""
    _, height, most = grid.cells.shape
    size, (down, right) = int(grid.sizes[row]), grid.heads[row].tolist()
    down, right = min(max(down, -1), height), min(max(right, -1), size)
    strips = []
    for line in range(-1, height + 1):
        inside = 0 <= line < height
        cells = grid.cells[row, line, :size].tolist() if inside else [None] * size
        label = grid.name if line == 0 else ""
        strip = _strip(label, [*cells, None], most + 1, widest, right, 0)
        strips.append(strip if line == down else strip._replace(head=None))
    return strips


def _output_strips(output: Output, row: int, widest: int) -> list[Strip]:
    size, most = int(output.target_sizes[row]), output.target.shape[1]
    head, target = int(output.sizes[row]), output.target[row, :size].tolist()
    wrong = output.wrong[row].nonzero()[0].tolist()
    cells = output.cells[row, :size].tolist()
    return [
        _strip("output", cells, most, widest, head, None, wrong),
        _strip("target", target, most, widest, head, None)._replace(followed=True),
    ]


def _strip(
    label: str,
    tape: list[int | None],
    largest: int,
    widest: int,
    head: int,
    radius: int | None,
    wrong: Sequence[int] = (),
) -> Strip:
    """Returns the stretch of `tape` around its head, at most as wide as the largest tape.

    Before cell 0 comes a gap, which is where the input head may stand, and which all strips have so
    that their cells are in line.
    """
    cells, column = [None, *tape], head + 1
    width = min(largest + 1, widest)
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
