"""The image of tapes: strips of cells with their heads, drawn by Pillow."""

import colorsys
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from memory_envs.rendering.strips import Strip, find_strips
from memory_envs.view import View

_Colour = tuple[int, int, int]

# Sizes are in pixels, colours in RGB.
_CELL, _PITCH, _STRIP = 32, 36, 62
_MARGIN, _LABELS, _LINE_HEIGHT, _FOOTER, _NARROWEST = 18, 76, 24, 64, 520
_TEXT = 15
_SIZES = (15, 15, 15, 12, 11, 10, 8)  # of texts in a cell, by the number of characters
_PAPER, _INK, _GREY, _LINE = (250, 249, 246), (44, 46, 54), (128, 130, 138), (208, 207, 202)
_WHITE, _BLUE, _PALE_BLUE = (255, 255, 255), (36, 99, 201), (214, 228, 250)
_RED, _PALE_RED, _GREEN = (200, 40, 45), (253, 222, 220), (30, 132, 73)


def draw_tapes(
    view: View, row: int, title: list[str], action: str, status: str
) -> npt.NDArray[np.uint8]:
    """Returns one row's strips below the title, and the last action and the status below them."""
    strips, names = find_strips(view, row), view.symbol_names(row)
    columns = max((len(strip.cells) for strip in strips), default=0)
    width = max(_LABELS + columns * _PITCH + 2 * _MARGIN, _NARROWEST)
    top = (1 + len(title)) * _LINE_HEIGHT
    below = top + len(strips) * _STRIP
    image = Image.new("RGB", (width, below + _FOOTER), _PAPER)
    pen = ImageDraw.Draw(image)
    for k, line in enumerate(title):
        pen.text((_MARGIN, 18 + k * _LINE_HEIGHT), line, _INK, _font(_TEXT))
    for k, strip in enumerate(strips):
        _draw_strip(pen, top + k * _STRIP, strip, view, names)
    pen.text((_MARGIN, below + 10), action, _INK, _font(_TEXT))
    colour = {"success": _GREEN, "running": _GREY}.get(status, _RED)
    pen.ellipse((_MARGIN, below + 39, _MARGIN + 10, below + 49), colour)
    pen.text((_MARGIN + 18, below + 35), status, colour, _font(_TEXT))
    return np.array(image)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _draw_strip(
    pen: ImageDraw.ImageDraw, top: int, strip: Strip, view: View, names: dict[int, str]
) -> None:
    """Draws a strip with its label, what is seen, its head and its mistakes, from `top` on."""
    y, left = top + 16, _MARGIN + _LABELS
    pen.text((_MARGIN, y + _CELL // 2), strip.label, _GREY, _font(_TEXT), anchor="lm")
    if strip.head is not None and strip.radius is not None:
        low = left + max(strip.head - strip.radius, 0) * _PITCH
        high = left + min(strip.head + strip.radius, len(strip.cells) - 1) * _PITCH
        pen.rounded_rectangle((low - 2, y - 2, high + _CELL + 1, y + _CELL + 1), 8, _PALE_BLUE)
    for k, symbol in enumerate(strip.cells):
        x, here, wrong = left + k * _PITCH, k == strip.head and not strip.followed, k in strip.wrong
        border = _BLUE if here else _RED if wrong else _LINE
        if symbol is not None:
            _draw_cell(pen, x, y, symbol, names.get(symbol, str(symbol)), view, border, wrong)
        elif here:
            _draw_box(pen, x, y, _PALE_BLUE, _BLUE)
        if k == strip.head:
            pen.polygon(
                [(x + 9, y - 12), (x + _CELL - 10, y - 12), (x + _CELL // 2, y - 4)],
                _GREY if strip.followed else _BLUE,
            )
        if wrong:
            _write(pen, x, y - 28, "x", _TEXT, _RED)
    for more, k in zip(strip.more, (0, len(strip.cells) - 1), strict=True):
        if more:
            _write(pen, left + k * _PITCH, y, "...", _TEXT, _GREY)


def _draw_cell(
    pen: ImageDraw.ImageDraw,
    x: int,
    y: int,
    symbol: int,
    text: str,
    view: View,
    border: _Colour,
    wrong: bool,
) -> None:
    """Draws a cell: tinted for content, a block for the end mark, empty for a blank."""
    content = symbol < view.symbols and text != ""
    inside = _tint(symbol / view.symbols) if content else _WHITE
    _draw_box(pen, x, y, _PALE_RED if wrong else inside, border)
    if content:
        _write(pen, x, y, text, _SIZES[min(len(text), len(_SIZES) - 1)], _INK)
    elif symbol == view.end_mark:
        pen.rounded_rectangle((x + 9, y + 9, x + _CELL - 10, y + _CELL - 10), 3, _INK)


def _draw_box(pen: ImageDraw.ImageDraw, x: int, y: int, inside: _Colour, border: _Colour) -> None:
    width = 1 if border == _LINE else 2
    pen.rounded_rectangle((x, y, x + _CELL - 1, y + _CELL - 1), 6, inside, border, width)


def _write(pen: ImageDraw.ImageDraw, x: int, y: int, text: str, size: int, colour: _Colour) -> None:
    """Writes in the middle of a cell."""
    pen.text((x + _CELL // 2, y + _CELL // 2), text, colour, _font(size), anchor="mm")


def _tint(share: float) -> _Colour:
    """Returns a pale colour; neighbouring symbols have neighbouring hues."""
    red, green, blue = colorsys.hsv_to_rgb(0.08 + 0.78 * share, 0.24, 0.98)
    return int(255 * red), int(255 * green), int(255 * blue)
