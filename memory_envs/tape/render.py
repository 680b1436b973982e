"""Drawing a tape environment: tapes, heads, written and expected output, the last action.

Text and image show the same strips. A tape longer than a strip scrolls with its head. Images are
drawn with NumPy alone and have one size for all states of an environment, as videos need it.
"""

from typing import TYPE_CHECKING

import numpy as np

from memory_envs.core.drawing import (
    FOOTER,
    GREEN,
    GREY,
    HEADER,
    INK,
    LABELS,
    MARGIN,
    NARROWEST,
    PAPER,
    PITCH,
    RED,
    STRIP,
    Image,
    draw_text,
)
from memory_envs.core.rules import IntArray
from memory_envs.core.strips import Strip, draw_strip, make_strip
from memory_envs.tape.settings import TapeSettings

if TYPE_CHECKING:
    from memory_envs.tape.layout import TapeState


def render_text(
    settings: TapeSettings, state: "TapeState", row: int, action: IntArray | None
) -> str:
    """One row as lines of text.

    Args:
        settings: of the environment.
        state: of B rows.
        row: the row to draw.
        action: the last sub-actions, of shape ``(sub-actions,)``, or None.
    """
    width = len(str(settings.symbols - 1))
    lines = [_title(settings, state, row)]
    for strip in _strips(settings, state, row):
        cells = [_cell_text(settings, cell) for cell in strip.cells]
        marks = dict.fromkeys(strip.wrong, "✗")
        if strip.head is not None:
            marks[strip.head] = "▲"
        for k, more in zip((0, -1), strip.more, strict=True):
            cells[k] = "…" if more else cells[k]
        lines.append(f"{strip.label:7} " + " ".join(cell.rjust(width) for cell in cells))
        pointers = (marks.get(k, "").rjust(width) for k in range(len(cells)))
        lines.append(" " * 8 + " ".join(pointers))
    lines.append("action   " + ", ".join(_action_words(settings, action)))
    lines.append("status   " + _status(settings, state.rows[row]))
    return "\n".join(line.rstrip() for line in lines if line.strip())


def render_image(
    settings: TapeSettings, state: "TapeState", row: int, action: IntArray | None
) -> Image:
    """One row as an image of shape ``(height, width, 3)``; the arguments are `render_text`'s."""
    strips = _strips(settings, state, row)
    columns = max(len(strip.cells) for strip in strips)
    width = max(LABELS + columns * PITCH + 2 * MARGIN, NARROWEST)
    height = HEADER + len(strips) * STRIP + FOOTER
    image = np.empty((height, width, 3), np.uint8)
    image[:] = PAPER
    draw_text(image, MARGIN, 18, _title(settings, state, row), 2, INK)
    for index, strip in enumerate(strips):
        draw_strip(image, HEADER + index * STRIP, strip, settings.symbols)
    below = height - FOOTER + 10
    words = _action_words(settings, action)
    draw_text(image, MARGIN, below, "   ".join(words[:-2]) or "-", 2, INK)
    draw_text(image, MARGIN, below + 24, "   ".join(words[-2:]), 2, INK)
    status = _status(settings, state.rows[row])
    colour = {"success": GREEN, "running": GREY}.get(status, RED)
    draw_text(image, width - MARGIN - 12 * len(status), below + 24, status, 2, colour)
    return image


def _strips(settings: TapeSettings, state: "TapeState", row: int) -> list[Strip]:
    record = state.rows[row]
    emitted, goal_size = int(record["emitted"]), int(record["target_size"])
    source = state.source[row, : int(record["source_size"])].tolist()
    output, target = (tape[row, :goal_size].tolist() for tape in (state.output, state.target))
    wrong = [cell for cell in range(emitted) if output[cell] != target[cell]]
    sizes = settings.tape_cells()
    # The head may stand one cell beyond the end of the input.
    head, radius = int(record["input_head"]), settings.input_radius
    strips = [make_strip("input", [*source, None], sizes[0] + 1, head, radius)]
    if settings.task.memory:
        head, radius = int(record["memory_head"]), settings.memory_radius
        strips.append(make_strip("memory", state.memory[row].tolist(), sizes[2], head, radius))
    strips.append(make_strip("output", output, sizes[1], emitted, wrong=wrong))
    strips.append(make_strip("target", target, sizes[1], emitted))
    return strips


def _title(settings: TapeSettings, state: "TapeState", row: int) -> str:
    record = state.rows[row]
    return f"{settings.task.name}   step {record['steps']} / {record['limit']}"


def _cell_text(settings: TapeSettings, symbol: int | None) -> str:
    names = {None: "", settings.symbols: "■", settings.symbols + 1: "·"}
    return names.get(symbol, str(symbol))


def _action_words(settings: TapeSettings, action: IntArray | None) -> list[str]:
    """One phrase per sub-action: "input right", "write 3", "emit", "symbol 4"."""
    if action is None:
        return ["none yet"]
    names, values = settings.sub_actions()
    phrases = []
    for name, choices, value in zip(names, values, action.tolist(), strict=True):
        noun = {"input_move": "input", "memory_move": "memory", "memory_write": "write"}.get(name)
        noun = "" if name == "emit" else noun or name
        phrases.append(f"{noun} {choices[value]}".strip())
    return phrases


def _status(settings: TapeSettings, record: np.void) -> str:
    if record["running"]:
        return "running"
    if record["correct"] == record["target_size"]:
        return "success"
    if record["correct"] < record["emitted"] and settings.on_error == "terminate":
        return "wrong symbol"
    finished = record["emitted"] == record["target_size"]
    return "ended with mistakes" if finished else "time limit"
