"""What optimal and random play get in the environments of `memory_envs`, as ``list`` shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# Made by ``python -m benchmarks.optima``.
FILE = Path(__file__).with_suffix(".json")


def read_optima() -> dict[str, dict[str, Any]]:
    """Returns, by id, the mean returns of optimal and random play and the longest time limit."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found
