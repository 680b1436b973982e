"""Memory cells, one a file; their states, and the time loop."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

from agents.cells.base import MemoryCell
from agents.cells.gru import GRU
from agents.cells.lstm import LSTM
from agents.cells.none import NoMemory
from agents.cells.ntm import NTM
from agents.saving.registry import find_class, register, registered_names

__all__ = ["CELLS", "MemoryCell", "make_cell"]

CELLS: dict[str, type[MemoryCell[Any]]] = {
    "none": NoMemory,
    "lstm": LSTM,
    "gru": GRU,
    "ntm": NTM,
}


def make_cell(
    memory: str | type[MemoryCell[Any]], input_size: int, **memory_kwargs: Any
) -> MemoryCell[Any]:
    """Makes a cell.

    Args:
        memory: A name in `CELLS`, the name of a cell that was registered with `agents.register`, or
            a class, which is registered by that.
        input_size: Width of the cell's input.
        **memory_kwargs: The cell's own arguments.

    Raises:
        ValueError: If the cell does not exist, or has no such argument or no such value for it.
        TypeError: If it is a class of another kind.
    """
    cls = _find_cell(memory)
    arguments = [p for p in inspect.signature(cls).parameters if p != "input_size"]
    for argument, value in memory_kwargs.items():
        if argument not in arguments:
            name = memory if isinstance(memory, str) else cls.__name__
            given = f"{argument} is {value!r}, but memory {name!r} has no such argument"
            raise ValueError(f"{given}; {_allowed(argument, arguments)}")
    cell: MemoryCell[Any] = cls(input_size, **memory_kwargs)
    return cell


def _find_cell(memory: str | type[MemoryCell[Any]]) -> type[Any]:
    if isinstance(memory, type):
        if not issubclass(memory, MemoryCell):
            raise TypeError(f"memory is {memory!r}; allowed: a name, or a subclass of MemoryCell")
        return register(memory)
    if memory in CELLS:
        return CELLS[memory]
    known = registered_names(MemoryCell)
    if memory not in known:
        raise ValueError(f"memory is {memory!r}; {_allowed(memory, [*CELLS, *known])}")
    return find_class(memory, MemoryCell)


def _allowed(name: str, names: list[str]) -> str:
    nearest = get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    return f"allowed: {', '.join(names) or 'nothing'}{hint}"
