"""HTML pages that load nothing: templates whose places are filled with style, script and data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any


def read_part(package: str, name: str) -> str:
    """Returns a file that lies in a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def fill_places(template: str, parts: Mapping[str, str]) -> str:
    """Fills each ``{{name}}`` of a template once; what fills it is not searched for places."""
    before, *rest = template.split("{{")
    filled = [before]
    for piece in rest:
        name, _, after = piece.partition("}}")
        filled += [parts[name], after]
    return "".join(filled)


def embedded_json(data: Any) -> str:
    """Returns JSON that may stand in a script element: no character of it ends the element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
