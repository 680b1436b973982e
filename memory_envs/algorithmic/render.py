"""Drawing an algorithmic environment: the input with its head, written and expected output.

Symbols are drawn as numbers. A head further off the input than one cell is drawn one cell off it;
the title says where it really is.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from memory_envs.algorithmic.settings import LENGTHS, AlgorithmicSettings
from memory_envs.core.drawing import (
    GREEN,
    GREY,
    INK,
    LABELS,
    MARGIN,
    NARROWEST,
    PAPER,
    PITCH,
    RED,
    STRIP,
    draw_text,
)
from memory_envs.core.rules import IntArray
from memory_envs.core.strips import Strip, draw_strip, make_strip

if TYPE_CHECKING:
    from memory_envs.algorithmic.rules import AlgorithmicState

_WORD, _LINE = 12, 24  # pixels of a letter and of a line of text


def render_text(
    settings: AlgorithmicSettings, state: "AlgorithmicState", row: int, action: IntArray | None
) -> str:
    """One row as lines of text; ▲ is under the head, ✗ under a wrong symbol.

    Args:
        settings: of the environment.
        state: of B rows.
        row: the row to draw.
        action: the last sub-actions, of shape ``(3,)``, or None.
    """
    width = len(str(settings.base - 1))
    lines = _title(settings, state, row)
    for strip in _strips(settings, state, row, action):
        cells = ("·" if cell is None else str(cell) for cell in strip.cells)
        lines.append(f"{strip.label:8}" + " ".join(cell.rjust(width) for cell in cells))
        marks = dict.fromkeys(strip.wrong, "✗")
        if strip.head is not None:
            marks[strip.head] = "▲"
        pointers = (marks.get(k, "").rjust(width) for k in range(len(strip.cells)))
        lines.append(" " * 8 + " ".join(pointers))
    lines += [f"action  {_action_words(settings, action)}", f"status  {_status(state, row)}"]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def render_image(
    settings: AlgorithmicSettings, state: "AlgorithmicState", row: int, action: IntArray | None
) -> npt.NDArray[np.uint8]:
    """One row as an image of shape ``(height, width, 3)``; the arguments are `render_text`'s."""
    strips = _strips(settings, state, row, action)
    columns = max(len(strip.cells) for strip in strips)
    margin = MARGIN
    width = max(LABELS + columns * PITCH + 2 * margin, NARROWEST)
    top = margin + 2 * _LINE
    bottom = top + len(strips) * STRIP
    image = np.empty((bottom + _LINE + margin, width, 3), np.uint8)
    image[:] = PAPER
    for k, line in enumerate(_title(settings, state, row)):
        draw_text(image, margin, margin + k * _LINE, line, 2, INK)
    for k, strip in enumerate(strips):
        draw_strip(image, top + k * STRIP, strip, settings.base)
    words, status = _action_words(settings, action), _status(state, row)
    draw_text(image, margin, bottom, words, 2, INK)
    colours = {"success": GREEN, "running": GREY}
    left = width - margin - _WORD * len(status)
    draw_text(image, left, bottom, status, 2, colours.get(status, RED))
    return image


def _strips(
    settings: AlgorithmicSettings, state: "AlgorithmicState", row: int, action: IntArray | None
) -> list[Strip]:
    record, height = state.rows[row], settings.task.height
    width, correct = int(record["width"]), int(record["correct"])
    head_x, head_y = min(max(record["x"], -1), width), min(max(record["y"], -1), height)
    strips = []
    widest = settings.top_min_length + LENGTHS - 1
    for y in range(height) if height == 1 else range(-1, height + 1):
        inside = 0 <= y < height
        cells = state.source[row, :width, y].tolist() if inside else [None] * width
        strip = make_strip("input" if y == 0 else "", [*cells, None], widest + 1, int(head_x))
        strips.append(strip if y == head_y or height == 1 else strip._replace(head=None))
    target: list[int | None] = state.target[row, : int(record["target_size"])].tolist()
    output, wrong = target[:correct], []
    if _status(state, row) == "wrong symbol" and action is not None:
        output, wrong = [*output, int(action[2])], [correct]
    longest, written = settings.task.target_cells(widest), len(output)
    output += [None] * (len(target) - written)
    strips.append(make_strip("output", output, longest, written, wrong=wrong))
    strips.append(make_strip("target", target, longest, written))
    return strips


def _title(settings: AlgorithmicSettings, state: "AlgorithmicState", row: int) -> list[str]:
    record = state.rows[row]
    place = f"{record['x']}" if settings.task.height == 1 else f"{record['x']} / {record['y']}"
    return [
        f"{settings.task.name}   step {record['steps']} / {record['limit']}",
        f"level {record['min_length']}   head {place}   return {record['score']:.1f}",
    ]


def _action_words(settings: AlgorithmicSettings, action: IntArray | None) -> str:
    if action is None:
        return "none yet"
    _, (moves, _, symbols) = settings.sub_actions()
    move, write, symbol = action.tolist()
    return f"{moves[move]}, write {symbols[symbol]}" if write else moves[move]


def _status(state: "AlgorithmicState", row: int) -> str:
    record = state.rows[row]
    if record["running"]:
        return "running"
    if record["steps"] > record["limit"]:
        return "time limit"
    return "success" if record["correct"] == record["target_size"] else "wrong symbol"
