"""The maze as tables over its free cells, which are numbered in reading order."""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MOVES = ("up", "right", "down", "left")
_OFFSETS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # line, column
WALL = -1  # stands in place of a neighbour


class Layout(NamedTuple):
    """A maze of F free cells; all arrays are read-only.

    Attributes:
        walls: Of shape ``(size, size)``, line by line.
        cells: Of shape ``(F, 2)``, line and column of each free cell.
        neighbours: Of shape ``(F, 4)``, the free cell that each of `MOVES` leads to, or `WALL`.
        views: Of shape ``(F, 9)``, the 3x3 cells around each free cell line by line, 1 for a wall.
        start: The free cell in the centre.
    """

    walls: npt.NDArray[np.bool_]
    cells: npt.NDArray[np.int32]
    neighbours: npt.NDArray[np.int32]
    views: npt.NDArray[np.float32]
    start: int


@cache
def make_layout(size: int) -> Layout:
    """Returns a maze: outer walls, a pillar wherever line and column are even, a free centre.

    Args:
        size: Cells on a side, outer walls included; odd.
    """
    walls = np.zeros((size, size), np.bool_)
    walls[::2, ::2] = True
    walls[[0, -1], :] = walls[:, [0, -1]] = True
    centre = size // 2
    walls[centre, centre] = False
    cells = np.argwhere(~walls).astype(np.int32)
    numbers = np.full((size, size), WALL, np.int32)
    numbers[~walls] = np.arange(len(cells))
    rows, columns = cells.T
    neighbours = [numbers[rows + down, columns + right] for down, right in _OFFSETS]
    around = range(-1, 2)
    views = [walls[rows + down, columns + right] for down in around for right in around]
    layout = Layout(
        walls=walls,
        cells=cells,
        neighbours=np.stack(neighbours, axis=1),
        views=np.stack(views, axis=1).astype(np.float32),
        start=int(numbers[centre, centre]),
    )
    for array in layout[:-1]:
        array.setflags(write=False)
    return layout
