"""What the families' pictures share: sizes, colours, cells, letters; drawn with NumPy alone."""

import colorsys
from functools import cache

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

# Sizes in pixels, colours in RGB.
CELL, PITCH, STRIP = 32, 36, 62
MARGIN, LABELS, HEADER, FOOTER, NARROWEST = 18, 76, 48, 64, 520
PAPER, INK, GREY, LINE = (250, 249, 246), (44, 46, 54), (128, 130, 138), (208, 207, 202)
BLUE, PALE_BLUE = (36, 99, 201), (214, 228, 250)
RED, PALE_RED, GREEN = (200, 40, 45), (253, 222, 220), (30, 132, 73)

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


def draw_cell(
    image: Image, x: int, y: int, symbol: int, symbols: int, border: Colour, wrong: bool
) -> None:
    """One cell of a tape: tinted for content, a block for the end mark, empty for a blank."""
    thick = 1 if border == LINE else 2
    fill(image, x, y, CELL, CELL, 6, border)
    inside = (255, 255, 255) if symbol >= symbols else tint(symbol / symbols)
    inner = CELL - 2 * thick
    fill(image, x + thick, y + thick, inner, inner, 6 - thick, PALE_RED if wrong else inside)
    if symbol == symbols:
        fill(image, x + 9, y + 9, CELL - 18, CELL - 18, 3, INK)
    elif symbol < symbols:
        text, scale = str(symbol), 3 if symbols <= 10 else 2 if symbols <= 100 else 1
        wide = (6 * len(text) - 1) * scale
        draw_text(image, x + (CELL - wide) // 2, y + (CELL - 7 * scale) // 2, text, scale, INK)


def tint(share: float) -> Colour:
    """A pale colour; neighbouring symbols have neighbouring hues."""
    red, green, blue = colorsys.hsv_to_rgb(0.08 + 0.78 * share, 0.24, 0.98)
    return int(255 * red), int(255 * green), int(255 * blue)


def fill(image: Image, x: int, y: int, wide: int, high: int, radius: int, colour: Colour) -> None:
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


def draw_pointer(image: Image, x: int, bottom: int, colour: Colour) -> None:
    """A triangle that points down at ``(x, bottom)``."""
    for line in range(8):
        image[bottom - line, x - line : x + line] = colour


def draw_text(image: Image, x: int, y: int, text: str, scale: int, colour: Colour) -> None:
    """Capitals, digits and a little punctuation; other characters leave a gap."""
    for letter in text.upper():
        rows = np.frombuffer(bytes.fromhex(_FONT.get(letter, "00" * 7)), np.uint8)
        dots = np.unpackbits(rows[:, None], axis=1)[:, 3:].astype(bool)
        dots = dots.repeat(scale, axis=0).repeat(scale, axis=1)
        part = image[y : y + 7 * scale, x : x + 5 * scale]
        part[dots[: part.shape[0], : part.shape[1]]] = colour
        x += 6 * scale
