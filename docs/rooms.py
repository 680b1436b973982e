"""Draws docs/images/rooms.svg, the rooms of the code and who imports whom, from the imports.

Run it after a change of the imports: ``python docs/rooms.py``. A test compares.
"""

import importlib
import inspect
import math
from collections import Counter
from pathlib import Path

import grimp

from agents.saving.atomic import write_text

PICTURE = Path(__file__).with_name("images") / "rooms.svg"
# From the top floor down; an import points down. The docstring of a room tells its purpose;
# `benchmarks`, which is no package, has none.
ROOMS = {
    "benchmarks": "What is measured against what, and the published results.",
    "agents.cli": "",
    "agents.benchmark": "",
    "agents.training": "",
    "agents.evaluation": "",
    "agents.algorithms": "",
    "agents.networks": "",
    "agents.cells": "",
    "agents.environments": "",
    "agents.saving": "",
    "memory_envs": "",
}
# A box is as wide as its longest sentence is in the widest of the usual fonts.
_LEFT, _TOP, _WIDTH, _HEIGHT, _STEP = 20, 16, 700, 38, 56
_RIGHT = _LEFT + _WIDTH
_ALL = _RIGHT + 280  # with the arcs


def arrows() -> Counter[tuple[str, str]]:
    """Returns, for every two rooms, how many modules of the first import one of the second."""
    graph = grimp.build_graph(
        "memory_envs", "agents", "benchmarks", exclude_type_checking_imports=True
    )
    found: set[tuple[str, str, str]] = set()
    for module in graph.modules:
        for target in graph.find_modules_directly_imported_by(module):
            here, there = _room(module), _room(target)
            if here and there and here != there:
                found.add((here, there, module))
    return Counter((here, there) for here, there, _ in found)


def _room(module: str) -> str | None:
    return next((room for room in ROOMS if f"{module}.".startswith(f"{room}.")), None)


def _purpose(room: str) -> str:
    told = ROOMS[room] or inspect.getdoc(importlib.import_module(room)) or ""
    return told.splitlines()[0]


def picture() -> str:
    """Returns the picture as SVG: a box a room, and arcs to the rooms that it imports from."""
    middles = {room: _TOP + k * _STEP + _HEIGHT // 2 for k, room in enumerate(ROOMS)}
    height = _TOP + len(ROOMS) * _STEP - (_STEP - _HEIGHT) + _TOP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_ALL}" height="{height}"',
        '  font-family="sans-serif" font-size="13">',
        f'<rect width="{_ALL}" height="{height}" fill="white"/>',
    ]
    places = list(ROOMS)
    for (here, there), count in sorted(arrows().items()):
        start, end = middles[here] + 6, middles[there] - 6
        reach = _RIGHT + 24 * abs(places.index(there) - places.index(here)) + 18
        color = "#4a6fa5" if start < end else "#c0392b"
        parts.append(
            f'<path d="M{_RIGHT},{start} C{reach},{start} {reach},{end} {_RIGHT + 4},{end}" '
            f'fill="none" stroke="{color}" stroke-opacity="0.6" stroke-width="{_thickness(count)}">'
            f"<title>{count} modules of {here} import from {there}</title></path>"
        )
        parts.append(f'<path d="M{_RIGHT},{end} l9,-4 v8 z" fill="{color}" fill-opacity="0.8"/>')
    for room, middle in middles.items():
        parts.append(
            f'<rect x="{_LEFT}" y="{middle - _HEIGHT // 2}" width="{_WIDTH}" height="{_HEIGHT}" '
            'rx="5" fill="#eef2f7" stroke="#4a6fa5"/>'
        )
        parts.append(
            f'<text x="{_LEFT + 12}" y="{middle + 5}"><tspan font-weight="bold">'
            f"{room.replace('.', '/')}</tspan></text>"
            f'<text x="{_LEFT + 185}" y="{middle + 5}" font-size="12">{_purpose(room)}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _thickness(count: int) -> float:
    """Of an arc: grows with the number of modules, slower and slower."""
    return round(1.0 + math.sqrt(count) / 2, 1)


if __name__ == "__main__":
    write_text(PICTURE, picture())
