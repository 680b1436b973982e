"""Drawing a tape environment: tapes, heads, written and expected output, the last action.

Text and image show the same strips. A tape longer than a strip scrolls with its head. Images are
drawn with NumPy alone and have one size for all states of an environment, as videos need it.
"""

import colorsys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.core.rules import IntArray
from memory_envs.tape.settings import TapeSettings

if TYPE_CHECKING:
    from memory_envs.tape.layout import TapeState

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

_WIDEST = 33  # columns of a strip, the gap before cell 0 included


class _Strip(NamedTuple):
    """A stretch of a tape."""

    label: str
    cells: list[int | None]  # symbols; None where the tape has no cell
    head: int | None  # the column
    radius: int  # of what the agent sees around the head
    wrong: list[int]  # the columns of mistakes
    more: tuple[bool, bool]  # whether the tape goes on beyond the first and the last column


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
    width = max(_LABELS + columns * _PITCH + 2 * _MARGIN, _NARROWEST)
    height = _HEADER + len(strips) * _STRIP + _FOOTER
    image = np.empty((height, width, 3), np.uint8)
    image[:] = _PAPER
    _draw_text(image, _MARGIN, 18, _title(settings, state, row), 2, _INK)
    for index, strip in enumerate(strips):
        _draw_strip(image, _HEADER + index * _STRIP, strip, settings.symbols)
    below = height - _FOOTER + 10
    words = _action_words(settings, action)
    _draw_text(image, _MARGIN, below, "   ".join(words[:-2]) or "-", 2, _INK)
    _draw_text(image, _MARGIN, below + 24, "   ".join(words[-2:]), 2, _INK)
    status = _status(settings, state.rows[row])
    colour = {"success": _GREEN, "running": _GREY}.get(status, _RED)
    _draw_text(image, width - _MARGIN - 12 * len(status), below + 24, status, 2, colour)
    return image


def _strips(settings: TapeSettings, state: "TapeState", row: int) -> list[_Strip]:
    record = state.rows[row]
    emitted, goal_size = int(record["emitted"]), int(record["target_size"])
    source = state.source[row, : int(record["source_size"])].tolist()
    output, target = (tape[row, :goal_size].tolist() for tape in (state.output, state.target))
    wrong = [cell for cell in range(emitted) if output[cell] != target[cell]]
    sizes = settings.tape_cells()
    # The head may stand one cell beyond the end of the input.
    head, radius = int(record["input_head"]), settings.input_radius
    strips = [_strip("input", [*source, None], sizes[0] + 1, head, radius)]
    if settings.task.memory:
        head, radius = int(record["memory_head"]), settings.memory_radius
        strips.append(_strip("memory", state.memory[row].tolist(), sizes[2], head, radius))
    strips.append(_strip("output", output, sizes[1], emitted, wrong=wrong))
    strips.append(_strip("target", target, sizes[1], emitted))
    return strips


def _strip(
    label: str,
    tape: list[int | None],
    largest: int,
    head: int,
    radius: int = 0,
    wrong: Sequence[int] = (),
) -> _Strip:
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
    return _Strip(
        label,
        shown,
        column - first if column < len(cells) else None,
        radius,
        [k for cell in wrong if 0 <= (k := cell + 1 - first) < width and shown[k] is not None],
        more,
    )


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


# Sizes in pixels, colours in RGB.
_CELL, _PITCH, _STRIP = 32, 36, 62
_MARGIN, _LABELS, _HEADER, _FOOTER, _NARROWEST = 18, 76, 48, 64, 520
_PAPER, _INK, _GREY, _LINE = (250, 249, 246), (44, 46, 54), (128, 130, 138), (208, 207, 202)
_BLUE, _PALE_BLUE = (36, 99, 201), (214, 228, 250)
_RED, _PALE_RED, _GREEN = (200, 40, 45), (253, 222, 220), (30, 132, 73)

# Five by seven pixels per letter: seven rows of two hexadecimal digits, the top row first.
_FONT_TABLE = """
    0=0E11131519110E 1=040C040404040E 2=0E11010204081F 3=1F02040201110E 4=02060A121F0202
    5=1F101E0101110E 6=0608101E11110E 7=1F010204080808 8=0E11110E11110E 9=0E11110F01020C
    A=0E11111F111111 B=1E11111E11111E C=0E11101010110E D=1C12111111121C E=1F10101E10101F
    F=1F10101E101010 G=0E11101711110F H=1111111F111111 I=0E04040404040E J=0702020202120C
    K=11121418141211 L=1010101010101F M=111B1515111111 N=11111915131111 O=0E11111111110E
    P=1E11111E101010 Q=0E11111115120D R=1E11111E141211 S=0F10100E01011E T=1F040404040404
    U=1111111111110E V=11111111110A04 W=1111111515150A X=11110A040A1111 Y=1111110A040404
    Z=1F01020408101F /=00010204081000 -=0000001F000000 _=0000000000001F .=00000000000C0C
"""
_FONT = dict(entry.split("=") for entry in _FONT_TABLE.split())


def _draw_strip(image: Image, top: int, strip: _Strip, symbols: int) -> None:
    cell_top = top + 16
    _draw_text(image, _MARGIN, cell_top + 9, strip.label, 2, _GREY)
    left = _MARGIN + _LABELS
    plan = strip.label == "target"
    if strip.head is not None and strip.label in ("input", "memory"):
        low = max(strip.head - strip.radius, 0)
        high = min(strip.head + strip.radius, len(strip.cells) - 1)
        span = (high - low + 1) * _PITCH
        _fill(image, left + low * _PITCH - 2, cell_top - 2, span, _PITCH, 8, _PALE_BLUE)
    for k, symbol in enumerate(strip.cells):
        x, here = left + k * _PITCH, k == strip.head and not plan
        border = _BLUE if here else _RED if k in strip.wrong else _LINE
        if symbol is not None:
            _draw_cell(image, x, cell_top, symbol, symbols, border, k in strip.wrong)
        elif here:
            _fill(image, x, cell_top, _CELL, _CELL, 6, _BLUE)
            _fill(image, x + 2, cell_top + 2, _CELL - 4, _CELL - 4, 4, _PALE_BLUE)
        if k == strip.head:
            _draw_pointer(image, x + _CELL // 2, cell_top - 4, _GREY if plan else _BLUE)
        if k in strip.wrong:
            _draw_text(image, x + _CELL // 2 - 5, cell_top - 18, "X", 2, _RED)
    for more, k in zip(strip.more, (0, len(strip.cells) - 1), strict=True):
        if more:
            _draw_text(image, left + k * _PITCH + 5, cell_top + 9, "..", 2, _GREY)


def _draw_cell(
    image: Image, x: int, y: int, symbol: int, symbols: int, border: Colour, wrong: bool
) -> None:
    thick = 1 if border == _LINE else 2
    _fill(image, x, y, _CELL, _CELL, 6, border)
    inside = (255, 255, 255) if symbol >= symbols else _tint(symbol / symbols)
    inner = _CELL - 2 * thick
    _fill(image, x + thick, y + thick, inner, inner, 6 - thick, _PALE_RED if wrong else inside)
    if symbol == symbols:
        _fill(image, x + 9, y + 9, _CELL - 18, _CELL - 18, 3, _INK)
    elif symbol < symbols:
        text, scale = str(symbol), 3 if symbols <= 10 else 2 if symbols <= 100 else 1
        wide = (6 * len(text) - 1) * scale
        _draw_text(image, x + (_CELL - wide) // 2, y + (_CELL - 7 * scale) // 2, text, scale, _INK)


def _tint(share: float) -> Colour:
    """A pale colour; neighbouring symbols have neighbouring hues."""
    red, green, blue = colorsys.hsv_to_rgb(0.08 + 0.78 * share, 0.24, 0.98)
    return int(255 * red), int(255 * green), int(255 * blue)


def _fill(image: Image, x: int, y: int, wide: int, high: int, radius: int, colour: Colour) -> None:
    """A filled rectangle with rounded, smooth corners."""
    cover = _cover(wide, high, radius)
    part = image[y : y + high, x : x + wide]
    part[:] = np.rint(cover * colour + (1.0 - cover) * part)


@cache
def _cover(wide: int, high: int, radius: int) -> npt.NDArray[np.float64]:
    """How much of each pixel lies inside the rounded rectangle."""
    across = np.abs(np.arange(wide) - (wide - 1) / 2) - (wide / 2 - radius)
    down = np.abs(np.arange(high) - (high - 1) / 2) - (high / 2 - radius)
    distance = np.hypot(np.maximum(across, 0)[None, :], np.maximum(down, 0)[:, None]) - radius
    cover: npt.NDArray[np.float64] = np.clip(0.5 - distance, 0.0, 1.0)[:, :, None]
    return cover


def _draw_pointer(image: Image, x: int, bottom: int, colour: Colour) -> None:
    """A triangle that points down at ``(x, bottom)``."""
    for line in range(8):
        image[bottom - line, x - line : x + line] = colour


def _draw_text(image: Image, x: int, y: int, text: str, scale: int, colour: Colour) -> None:
    """Capitals, digits and a little punctuation; other characters leave a gap."""
    for letter in text.upper():
        rows = np.frombuffer(bytes.fromhex(_FONT.get(letter, "00" * 7)), np.uint8)
        dots = np.unpackbits(rows[:, None], axis=1)[:, 3:].astype(bool)
        dots = dots.repeat(scale, axis=0).repeat(scale, axis=1)
        part = image[y : y + 7 * scale, x : x + 5 * scale]
        part[dots[: part.shape[0], : part.shape[1]]] = colour
        x += 6 * scale
