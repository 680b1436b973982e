"""Drawing a maze: walls, the agent, the goal (which the agent does not see), the last move."""

import numpy as np
import numpy.typing as npt
from gymnasium.error import DependencyNotInstalled

from memory_envs.core.rules import IntArray, State
from memory_envs.maze.layout import MOVES, Layout

_TILE_PIXELS = 32
_MINIGRID_DIRECTIONS = (3, 0, 1, 2)  # Minigrid counts from "right"; ours are in the order of MOVES


def render_text(
    layout: Layout, max_steps: int, state: State, row: int, action: IntArray | None
) -> str:
    """The maze as text: # wall, . free, G goal, A agent, X the agent on the goal."""
    record = state.rows[row]
    lines = [list(line) for line in np.where(layout.walls, "#", ".")]
    for name, mark in (("goal", "G"), ("cell", "A")):
        down, right = layout.cells[record[name]]
        lines[down][right] = "X" if lines[down][right] == "G" else mark
    move = "none" if action is None else MOVES[action[0]]
    caption = f"step {record['steps']} of {max_steps}   goals {record['goals']}   last move {move}"
    return "\n".join([caption, *("".join(line) for line in lines)]) + "\n"


def render_image(
    layout: Layout, state: State, row: int, action: IntArray | None
) -> npt.NDArray[np.uint8]:
    """The maze in Minigrid's tiles, what the agent sees highlighted; the agent faces its last move.

    Raises:
        DependencyNotInstalled: without Minigrid.
    """
    try:
        from minigrid.core.grid import Grid
        from minigrid.core.world_object import Goal, Wall
    except ImportError as error:
        raise DependencyNotInstalled(
            'drawing a maze needs Minigrid: pip install "memory-envs[minigrid]"'
        ) from error
    record = state.rows[row]
    down, right = layout.cells[record["cell"]].tolist()
    goal_down, goal_right = layout.cells[record["goal"]].tolist()
    size = len(layout.walls)
    grid = Grid(size, size)
    for wall_down, wall_right in np.argwhere(layout.walls).tolist():
        grid.set(wall_right, wall_down, Wall())
    grid.set(goal_right, goal_down, Goal())
    in_view = np.zeros((size, size), np.bool_)  # Minigrid's first axis goes to the right
    in_view[right - 1 : right + 2, down - 1 : down + 2] = True
    direction = _MINIGRID_DIRECTIONS[0 if action is None else action[0]]
    image: npt.NDArray[np.uint8] = grid.render(_TILE_PIXELS, (right, down), direction, in_view)
    return image
