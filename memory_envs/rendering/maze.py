"""The image of a maze, in Minigrid's tiles."""

import numpy as np
import numpy.typing as npt
from gymnasium.error import DependencyNotInstalled

from memory_envs.view import Maze

_TILE_PIXELS = 32
_DIRECTIONS = (3, 0, 1, 2)  # Minigrid counts from "right"; headings begin with "up"


def draw_maze(maze: Maze, row: int) -> npt.NDArray[np.uint8]:
    """Returns the maze with what the agent sees highlighted; the agent faces its last move.

    Raises:
        DependencyNotInstalled: Without Minigrid.
    """
    try:
        from minigrid.core.grid import Grid
        from minigrid.core.world_object import Goal, Wall
    except ImportError as error:
        raise DependencyNotInstalled(
            'drawing a maze needs Minigrid: pip install "memory-envs[minigrid]"'
        ) from error
    down, right = maze.agents[row].tolist()
    goal_down, goal_right = maze.goals[row].tolist()
    size, radius = len(maze.walls), maze.radius
    grid = Grid(size, size)
    for wall_down, wall_right in np.argwhere(maze.walls).tolist():
        grid.set(wall_right, wall_down, Wall())
    grid.set(goal_right, goal_down, Goal())
    in_view = np.zeros((size, size), np.bool_)  # Minigrid's first axis goes to the right
    in_view[right - radius : right + radius + 1, down - radius : down + radius + 1] = True
    direction = _DIRECTIONS[maze.headings[row]]
    image: npt.NDArray[np.uint8] = grid.render(_TILE_PIXELS, (right, down), direction, in_view)
    return image
