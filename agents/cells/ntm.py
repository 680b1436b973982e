"""Neural Turing machine (Graves, Wayne and Danihelka 2014, arXiv:1410.5401).

Order within a step. The controller sees the input and the last step's read vectors. The write
heads address the memory as the step finds it: they cannot do otherwise, since the memory after the
write depends on their weightings. They turn memory M(t-1) into M(t) (equations 3 and 4). Then the
read heads address M(t) (equation 5) and read it (equation 2), so that what a step writes can be
found by its content in the same step. Code that reads before it writes returns what the memory held
one step ago.

The paper leaves open how the interface's parameters get into their ranges. Here: softplus for key
strengths, 1 + softplus for sharpening, sigmoid for interpolation gates and erase vectors, softmax
for shifts, tanh for add vectors, which bounds what one step writes; keys are free, because only
their direction counts.

The variant ``"notebook"`` is another machine, one that is met in tutorials, taken as it is from a
notebook on external memory in reinforcement learning. Its heads address by content alone, both the
memory that the step finds, and reading comes before writing. Its likeness is no cosine
(`agents.cells.parts.addressing.column_weighting`). The memory starts at zero, and all weights as
small as PyTorch makes them.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.cells.base import MemoryCell
from agents.cells.controllers import CONTROLLERS
from agents.cells.lstm import LSTMState
from agents.cells.none import NoState
from agents.cells.parts import addressing
from memory_envs.arguments import check_choice, check_flag, check_integer

INITIAL_MEMORY = 1e-6
VARIANTS = ("paper", "notebook")


class NTMState(NamedTuple):
    """State of a neural Turing machine with N slots of W numbers.

    Attributes:
        memory: ``(B, N, W)``.
        read_weights: ``(B, num_read_heads, N)``.
        write_weights: ``(B, num_write_heads, N)``.
        reads: What the read heads read last, ``(B, num_read_heads, W)``.
        controller: The controller's state.
    """

    memory: Tensor
    read_weights: Tensor
    write_weights: Tensor
    reads: Tensor
    controller: LSTMState | NoState


class Location(NamedTuple):
    """What the controller tells the heads of location."""

    interpolation_gates: Tensor
    shifts: Tensor
    exponents: Tensor


class Interface(NamedTuple):
    """What the controller tells the heads; read heads come first, then write heads.

    Heads that address by content alone are told nothing of location.
    """

    keys: Tensor
    strengths: Tensor
    location: Location | None
    erase: Tensor
    add: Tensor


class NTM(MemoryCell[NTMState]):
    """A controller with an external memory; the output is the controller's beside all reads.

    Every head starts focused on slot 0. From equal weightings over equal slots no head could ever
    tell one slot from another.

    Args:
        input_size: Width of the input.
        hidden_size: Number of the controller's units.
        memory_size: Number of slots, N.
        word_size: Numbers in a slot, W.
        num_read_heads: Number of read heads.
        num_write_heads: Number of write heads.
        shift_range: How far a head may move in one step, at most; 0 for no moves. The notebook's
            heads do not move.
        controller: A name in `agents.cells.controllers.CONTROLLERS`.
        learned_initial_memory: Whether the memory at an episode's start is learned. Otherwise it is
            `INITIAL_MEMORY` throughout, or zero in the notebook's variant.
        variant: ``"paper"``, or ``"notebook"``, which the module describes.

    Raises:
        TypeError, ValueError: If an argument is not valid.
    """

    source: ClassVar[str] = "Graves et al. 2014, arXiv:1410.5401"

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 128,
        memory_size: int = 32,
        word_size: int = 16,
        num_read_heads: int = 1,
        num_write_heads: int = 1,
        shift_range: int = 1,
        controller: str = "lstm",
        learned_initial_memory: bool = False,
        variant: str = "paper",
    ) -> None:
        check_integer("hidden_size", hidden_size, 1)
        check_integer("memory_size", memory_size, 1)
        check_integer("word_size", word_size, 1)
        check_integer("num_read_heads", num_read_heads, 1)
        check_integer("num_write_heads", num_write_heads, 1)
        check_integer("shift_range", shift_range, 0)
        check_choice("variant", variant, VARIANTS)
        if variant == "paper" and 2 * shift_range >= memory_size:
            allowed = f"at most {(memory_size - 1) // 2} with {memory_size} slots"
            raise ValueError(f"shift_range is {shift_range}; allowed: {allowed}")
        check_choice("controller", controller, CONTROLLERS)
        check_flag("learned_initial_memory", learned_initial_memory)
        reads = num_read_heads * word_size
        super().__init__(input_size, hidden_size + reads)
        self.memory_size = memory_size
        self.word_size = word_size
        self.num_read_heads = num_read_heads
        self.num_write_heads = num_write_heads
        self.shift_range = shift_range
        self.variant = variant
        self.controller = CONTROLLERS[controller](input_size + reads, hidden_size)
        # Of every head key and strength, then gate, shifts and exponent; of every write head erase
        # and add.
        location = (1, 2 * shift_range + 1, 1) if variant == "paper" else ()
        self._address_sizes = (word_size, 1, *location)
        addresses = (num_read_heads + num_write_heads) * sum(self._address_sizes)
        self._interface_sizes = (addresses, num_write_heads * 2 * word_size)
        self.interface = nn.Linear(hidden_size, sum(self._interface_sizes))
        if variant == "paper":
            nn.init.xavier_uniform_(self.interface.weight)
            nn.init.zeros_(self.interface.bias)
        else:
            end = hidden_size**-0.5
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -end, end)
        value = INITIAL_MEMORY if variant == "paper" else 0.0
        memory = torch.full((memory_size, word_size), value)
        if learned_initial_memory:
            self.initial_memory: Tensor = nn.Parameter(nn.init.xavier_uniform_(memory))
        else:
            self.register_buffer("initial_memory", memory, persistent=False)

    def initial_state(self, batch_size: int) -> NTMState:
        """Returns the initial memory, all heads on slot 0, nothing read yet."""
        memory = self.initial_memory.expand(batch_size, -1, -1)
        heads = self.num_read_heads + self.num_write_heads
        weights = memory.new_zeros(batch_size, heads, self.memory_size)
        weights[..., 0] = 1
        return NTMState(
            memory,
            weights[:, : self.num_read_heads],
            weights[:, self.num_read_heads :],
            memory.new_zeros(batch_size, self.num_read_heads, self.word_size),
            self.controller.initial_state(batch_size),
        )

    def forward(self, x: Tensor, state: NTMState) -> tuple[Tensor, NTMState]:
        """Takes one step; see `MemoryCell.forward`."""
        out, state, _ = self._step(x, state)
        return out, state

    def trace(self, x: Tensor, state: NTMState) -> tuple[Tensor, NTMState, dict[str, Tensor]]:
        """Takes the same step, and returns weightings, reads and the interface besides."""
        out, state, interface = self._step(x, state)
        location = interface.location
        seen = {
            "read_weights": state.read_weights,
            "write_weights": state.write_weights,
            "read_keys": interface.keys[:, : self.num_read_heads],
            "write_keys": interface.keys[:, self.num_read_heads :],
            "read_values": state.reads,
            "write_values": interface.add,
            "strengths": interface.strengths,
            "erase": interface.erase,
        }
        return out, state, seen | (location._asdict() if location else {})

    def _step(self, x: Tensor, state: NTMState) -> tuple[Tensor, NTMState, Interface]:
        seen = torch.cat((x, state.reads.flatten(1)), dim=1)
        hidden, controller = self.controller(seen, state.controller)
        interface = self._interface(hidden)
        read_heads, write_heads = slice(self.num_read_heads), slice(self.num_read_heads, None)
        write_weights = _address(state.memory, state.write_weights, interface, write_heads)
        memory = addressing.erase_and_add(
            state.memory, write_weights, interface.erase, interface.add
        )
        readable = memory if self.variant == "paper" else state.memory
        read_weights = _address(readable, state.read_weights, interface, read_heads)
        reads = addressing.read(readable, read_weights)
        out = torch.cat((hidden, reads.flatten(1)), dim=1)
        return out, NTMState(memory, read_weights, write_weights, reads, controller), interface

    def _interface(self, hidden: Tensor) -> Interface:
        addresses, writes = self.interface(hidden).split(self._interface_sizes, dim=1)
        heads = self.num_read_heads + self.num_write_heads
        addresses = addresses.view(-1, heads, sum(self._address_sizes))
        keys, strengths, *location = addresses.split(self._address_sizes, dim=2)
        erase, add = writes.view(-1, self.num_write_heads, 2 * self.word_size).chunk(2, dim=2)
        return Interface(
            keys if location else keys.tanh(),
            F.softplus(strengths),
            _location(*location) if location else None,
            erase.sigmoid(),
            add.tanh(),
        )


def _location(gates: Tensor, shifts: Tensor, exponents: Tensor) -> Location:
    return Location(gates.sigmoid(), shifts.softmax(dim=2), 1 + F.softplus(exponents))


def _address(memory: Tensor, previous: Tensor, interface: Interface, heads: slice) -> Tensor:
    """Returns the new weightings of some heads, ``(B, heads, N)`` (the paper's figure 2)."""
    keys, strengths = interface.keys[:, heads], interface.strengths[:, heads]
    if interface.location is None:
        return addressing.column_weighting(memory, keys, strengths)
    gates, shifts, exponents = (part[:, heads] for part in interface.location)
    weights = addressing.content_weighting(memory, keys, strengths)
    weights = addressing.interpolate(weights, previous, gates)
    weights = addressing.circular_shift(weights, shifts)
    return addressing.sharpen(weights, exponents)
