"""Memory cells, each in a file or a folder of its own; their states, and the time loop."""

from __future__ import annotations

from typing import Any

from agents.cells.base import MemoryCell
from agents.cells.delta import DeltaNet
from agents.cells.dnc.cell import DNC
from agents.cells.ffm import FFM
from agents.cells.framestack import FrameStack
from agents.cells.fwp import FastWeightProgrammer
from agents.cells.gated_delta import GatedDeltaNet
from agents.cells.gru import GRU
from agents.cells.gtrxl import GTrXL
from agents.cells.lru import LRU
from agents.cells.lstm import LSTM
from agents.cells.memory_net import MemoryNetCell
from agents.cells.mingru import MinGRU
from agents.cells.mnm.mnm_g import MNMG
from agents.cells.mnm.mnm_p import MNMP
from agents.cells.none import NoMemory
from agents.cells.ntm import NTM
from agents.cells.plastic import Plastic
from agents.cells.salu import SALU
from agents.cells.titans import Titans
from agents.saving.registry import find_class, register, registered_names
from memory_envs.arguments import argument_names, check_choice

__all__ = ["CELLS", "MemoryCell", "make_cell"]

CELLS: dict[str, type[MemoryCell[Any]]] = {
    "none": NoMemory,
    # gated units
    "lstm": LSTM,
    "gru": GRU,
    # a layer
    "memory-net": MemoryNetCell,
    # linear recurrences
    "mingru": MinGRU,
    "lru": LRU,
    "ffm": FFM,
    # slots
    "ntm": NTM,
    "dnc": DNC,
    "salu": SALU,
    # fast weights
    "fwp": FastWeightProgrammer,
    "delta": DeltaNet,
    "gated-delta": GatedDeltaNet,
    "plastic": Plastic,
    # networks
    "mnm-g": MNMG,
    "mnm-p": MNMP,
    "titans": Titans,
    # windows
    "gtrxl": GTrXL,
    "framestack": FrameStack,
}
# So that a file of a model to which one of them was passed as a class loads in every process.
for _cell in CELLS.values():
    register(_cell)


def make_cell(
    memory: str | type[MemoryCell[Any]], input_size: int, /, **memory_kwargs: Any
) -> MemoryCell[Any]:
    """Makes a cell.

    Args:
        memory: A name in `CELLS`, the name of a cell that was registered with `agents.register`, or
            a class, which is registered by that.
        input_size: Width of the cell's input.
        **memory_kwargs: The cell's own arguments.

    Raises:
        ValueError: If the cell does not exist, or has no such argument or no such value for it.
        TypeError: If it is a class of another kind, or a value is of another type.
    """
    cls = _find_cell(memory)
    name = memory if isinstance(memory, str) else cls.__name__
    arguments = [name for name in argument_names(cls) if name != "input_size"]
    for argument in memory_kwargs:
        check_choice(f"argument of memory {name!r}", argument, arguments)
    cell: MemoryCell[Any] = cls(input_size, **memory_kwargs)
    return cell


def _find_cell(memory: str | type[MemoryCell[Any]]) -> type[Any]:
    if isinstance(memory, type):
        if not issubclass(memory, MemoryCell):
            raise TypeError(f"memory is {memory!r}; allowed: a name, or a subclass of MemoryCell")
        return register(memory)
    ours = {cls.__name__ for cls in CELLS.values()}
    others = [name for name in registered_names(MemoryCell) if name not in ours]
    check_choice("memory", memory, [*CELLS, *others])
    return CELLS[memory] if memory in CELLS else find_class(memory, MemoryCell)
