"""Draws one row of a `memory_envs.view.View`, as text or as an image. It knows no family."""

import numpy as np

from memory_envs.rendering.strips import Strip, find_strips
from memory_envs.view import NOTHING, Maze, View

__all__ = ["render_image", "render_text"]

_LINE = 100  # characters for a strip, if its cells are as wide as that
_FEWEST = 9  # columns of a strip


def render_text(view: View, row: int) -> str:
    """Returns one row as lines of text; ▲ is under a head, ✗ under a wrong symbol."""
    lines = title_lines(view, row)
    if view.maze is not None:
        lines += _maze_lines(view.maze, row)
    width = _word_width(view, row)
    for strip in find_strips(view, row, max(_LINE // (width + 1), _FEWEST)):
        lines += _strip_lines(strip, view.symbol_names(row), width)
    lines += [f"action   {action_words(view, row)}", f"status   {view.statuses[row]}"]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def render_image(view: View, row: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """Returns one row as an image of shape ``(height, width, 3)``, of one size for all states.

    Raises:
        DependencyNotInstalled: For a maze, without Minigrid.
    """
    if view.maze is not None:
        from memory_envs.rendering.maze import draw_maze

        return draw_maze(view.maze, row)
    from memory_envs.rendering.tapes import draw_tapes

    words = action_words(view, row)
    return draw_tapes(view, row, title_lines(view, row), words, str(view.statuses[row]))


def title_lines(view: View, row: int) -> list[str]:
    """Returns the task and its steps, and in a second line the facts, if there are any."""
    facts = "   ".join(f"{name} {values[row]:g}" for name, values in view.facts)
    first = f"{view.task}   step {view.steps[row]} / {view.limits[row]}"
    return [first, facts] if facts else [first]


def action_words(view: View, row: int) -> str:
    """Returns the last action, such as "input right, emit, symbol 4"."""
    phrases: list[str] = []
    parts = view.output.parts if view.output is not None else ()
    together: list[str] = []
    for name, values, value in zip(
        view.action_names, view.action_values, view.actions[row].tolist(), strict=True
    ):
        if value == NOTHING:
            return "none yet"
        if name in parts:
            together.append(values[value])
            continue
        noun = name.removesuffix("_move").replace("_", " ")
        phrases.append(values[value] if name in values else f"{noun} {values[value]}")
    if together:
        gap = "" if all(len(word) == 1 for word in together) else " "
        phrases.append(f"{parts[0].rpartition('_')[0]} {gap.join(together)}")
    return ", ".join(phrases)


def _word_width(view: View, row: int) -> int:
    """Returns the width of a cell, which is the same for all states of an episode."""
    width = len(str(view.symbols - 1))
    if view.names and view.output is not None:
        cells = [*(tape.cells[row] for tape in view.tapes), view.output.target[row]]
        width = max(len(view.names[row][cell]) for cell in np.concatenate(cells).tolist())
    return width


def _strip_lines(strip: Strip, names: dict[int, str], width: int) -> list[str]:
    cells = ["" if cell is None else names.get(cell, str(cell)) for cell in strip.cells]
    for k, more in zip((0, -1), strip.more, strict=True):
        cells[k] = "…" if more else cells[k]
    marks = dict.fromkeys(strip.wrong, "✗")
    if strip.head is not None:
        marks[strip.head] = "▲"
    pointers = (marks.get(k, "").rjust(width) for k in range(len(cells)))
    return [
        f"{strip.label:7} " + " ".join(cell.rjust(width) for cell in cells),
        " " * 8 + " ".join(pointers),
    ]


def _maze_lines(maze: Maze, row: int) -> list[str]:
    """Returns the maze: # wall, . free, G goal, A agent, X the agent on the goal."""
    lines = [list(line) for line in np.where(maze.walls, "#", ".")]
    for cells, mark in ((maze.goals, "G"), (maze.agents, "A")):
        down, right = cells[row].tolist()
        lines[down][right] = "X" if lines[down][right] == "G" else mark
    return ["".join(line) for line in lines]
