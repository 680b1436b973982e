"""Memory cells: one table of names, and a constructor that checks its arguments."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

from agents.cells.base import MemoryCell
from agents.cells.gru import GRU
from agents.cells.lstm import LSTM
from agents.cells.none import NoMemory
from agents.cells.ntm import NTM

__all__ = ["CELLS", "MemoryCell", "make_cell"]

CELLS: dict[str, type[MemoryCell[Any]]] = {
    "none": NoMemory,
    "lstm": LSTM,
    "gru": GRU,
    "ntm": NTM,
}


def make_cell(name: str, input_size: int, **memory_kwargs: Any) -> MemoryCell[Any]:
    """Makes a cell by its name in `CELLS`.

    Args:
        name: A name in `CELLS`.
        input_size: Width of the cell's input.
        **memory_kwargs: The cell's own arguments.

    Raises:
        ValueError: If the cell does not exist, or has no such argument or no such value for it.
    """
    if name not in CELLS:
        raise ValueError(f"memory is {name!r}; {_allowed(name, list(CELLS))}")
    arguments = [p for p in inspect.signature(CELLS[name]).parameters if p != "input_size"]
    for argument, value in memory_kwargs.items():
        if argument not in arguments:
            given = f"{argument} is {value!r}, but memory {name!r} has no such argument"
            raise ValueError(f"{given}; {_allowed(argument, arguments)}")
    return CELLS[name](input_size, **memory_kwargs)


def _allowed(name: str, names: list[str]) -> str:
    nearest = get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    return f"allowed: {', '.join(names) or 'nothing'}{hint}"
