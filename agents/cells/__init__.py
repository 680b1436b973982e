"""Memory cells: one table of names, and a constructor that checks its arguments."""

from __future__ import annotations

import inspect
from typing import Any

from agents.cells.base import MemoryCell
from agents.cells.gru import GRU
from agents.cells.lstm import LSTM
from agents.cells.none import NoMemory
from agents.cells.ntm import NTM
from memory_envs.arguments import check_choice

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
        TypeError, ValueError: If the cell does not exist, or has no such argument or no such value
            for it.
    """
    cell = CELLS[check_choice("memory", name, CELLS)]
    arguments = [p for p in inspect.signature(cell).parameters if p != "input_size"]
    for argument in memory_kwargs:
        check_choice(f"argument of memory {name!r}", argument, arguments)
    return cell(input_size, **memory_kwargs)
