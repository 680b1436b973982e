"""Names that a user may have mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def nearest(name: str, known: Collection[str], otherwise: str | None = None) -> str:
    """The end of a message about an unknown name: the nearest known one, or all of them.

    Args:
        name: unknown.
        known: what would have been right.
        otherwise: in place of all of them.
    """
    lower = {other.lower(): other for other in known}
    if near := difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5):
        return f"did you mean {lower[near[0]]}?"
    return otherwise or f"known: {', '.join(sorted(known))}"
