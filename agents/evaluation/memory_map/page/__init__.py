"""A memory map as one HTML page that needs nothing else: pointing at a cell tells its number."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

import numpy as np

from agents.evaluation.memory_map.compute import Map, MemoryMap
from agents.evaluation.pages import embedded_json, fill_places, read_part
from agents.saving.atomic import write_text

_BLANK = -128  # a byte that is no hundredth


def memory_map_html(found: MemoryMap, path: Path) -> None:
    """Writes the page, whole or not at all."""
    write_text(path, memory_map_page(found))


def memory_map_page(found: MemoryMap) -> str:
    """Returns the page; its colours are those of a trace's page."""
    parts = {
        "title": html.escape(", ".join(found.facts[:2])),
        "style": read_part("agents.evaluation.trace.page", "style.css")
        + read_part(__name__, "maps.css"),
        "script": read_part(__name__, "maps.js"),
        "data": embedded_json(page_data(found)),
    }
    return fill_places(read_part(__name__, "page.html"), parts)


def page_data(found: MemoryMap) -> dict[str, Any]:
    """Returns what the page shows, ready for JSON."""
    return {
        "facts": found.facts,
        "note": found.note,
        "labels": found.labels,
        "marked": found.marked,
        "maps": [_map(part) for part in found.maps],
    }


def _map(part: Map) -> dict[str, Any]:
    """Returns a map whose numbers are hundredths, a byte each, line by line, as base64."""
    blank = ~np.isfinite(part.numbers)
    numbers = np.where(blank, 0.0, part.numbers).clip(-1.0, 1.0)
    hundredths = np.where(blank, _BLANK, np.round(100.0 * numbers))
    rows, columns = part.numbers.shape
    return {
        "name": part.name,
        "down": part.down,
        "right": part.right,
        "rows": rows,
        "columns": columns,
        "lowest": part.lowest,
        "hundredths": base64.b64encode(hundredths.astype(np.int8).tobytes()).decode("ascii"),
    }
