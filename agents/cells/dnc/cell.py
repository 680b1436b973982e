"""Differentiable neural computer (Graves et al. 2016, Nature 538, Methods).

Order within a step. The controller sees the input and the last step's read vectors, and its output
makes the interface. What the read heads read last is freed as far as their free gates say; usage
follows, and from it the allocation weighting. The write head addresses the memory as the step finds
it, by content and by allocation, and writes. Precedence and links take note of the write. Then the
read heads address the memory as it has become, by content or along the links, from where they were
last; so what a step writes can be found in the same step.

Functions name the headings of the paper's Methods. Its output ``y = W_h h + W_r r`` is left to
whatever reads this cell, which gets h beside all reads.

What the paper leaves open. Everything starts at zero: memory, usage, links, precedence, weightings
and reads. Of slots that are as good as equally used, by at most a thousandth, the first is
allocated first (`agents.cells.dnc.addressing.LIST_SPREAD`). The weights of the interface start as
Xavier's, its biases at zero, the controller orthogonal. Lengths in the cosine are at least
`agents.cells.parts.addressing.MIN_NORM`. Gradients pass through everything but the order of the
free list; some published code stops them where usage sees write weightings, the paper does not. The
controller is one layer. Nothing is clipped.

Four options come from later papers. Of Csordas and Schmidhuber 2019 (arXiv:1904.10278): masks
(section 3.1) hide parts of key and slots from the comparison, but are at least 0.1, so that what is
hidden still gets a gradient; de-allocation (equation 1) wipes what is freed, before the write and
after the write head's look-up; sharpening (equation 2) of the forward and the backward weighting.
Of Franke et al. 2018 (arXiv:1807.02658): layer normalisation of the interface before its parts get
into their ranges.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.cells.base import FusedCell, Unrolled
from agents.cells.controllers import CONTROLLERS
from agents.cells.dnc.addressing import (
    allocate,
    follow_links,
    retention,
    update_links,
    update_precedence,
    update_usage,
)
from agents.cells.dnc.fast.sequence import DNCSequence
from agents.cells.lstm import LSTMState
from agents.cells.none import NoState
from agents.cells.parts import addressing
from memory_envs.arguments import check_choice, check_flag, check_integer

MASK_MIN = 0.1


class DNCState(NamedTuple):
    """State of a differentiable neural computer with N slots of W numbers and R read heads.

    Attributes:
        memory: M, ``(B, N, W)``.
        usage: u, ``(B, N)``.
        precedence: p, ``(B, N)``.
        links: L, ``(B, N, N)``.
        read_weights: ``(B, R, N)``.
        write_weights: ``(B, 1, N)``.
        reads: What the read heads read last, ``(B, R, W)``.
        controller: The controller's state.
    """

    memory: Tensor
    usage: Tensor
    precedence: Tensor
    links: Tensor
    read_weights: Tensor
    write_weights: Tensor
    reads: Tensor
    controller: LSTMState | NoState


class Interface(NamedTuple):
    """What the controller tells the heads ("Interface parameters").

    Attributes:
        read_keys: ``(B, R, W)``.
        read_strengths: ``(B, R, 1)``, at least 1.
        free_gates: ``(B, R, 1)``, from 0 to 1.
        read_modes: Shares of the backward, the content and the forward weighting, ``(B, R, 3)``.
        write_keys: ``(B, 1, W)``.
        write_strength: ``(B, 1, 1)``, at least 1.
        erase: ``(B, 1, W)``, from 0 to 1.
        write_values: The paper's write vector, ``(B, 1, W)``.
        allocation_gate: ``(B, 1, 1)``, from 0 to 1.
        write_gate: ``(B, 1, 1)``, from 0 to 1.
        read_masks: ``(B, R, W)``, from `MASK_MIN` to 1; None without masks.
        write_mask: ``(B, 1, W)``, likewise.
        sharpness: Exponents of the forward and the backward weighting, ``(B, R, 2)``, at least 1;
            None without sharpening.
    """

    read_keys: Tensor
    read_strengths: Tensor
    free_gates: Tensor
    read_modes: Tensor
    write_keys: Tensor
    write_strength: Tensor
    erase: Tensor
    write_values: Tensor
    allocation_gate: Tensor
    write_gate: Tensor
    read_masks: Tensor | None
    write_mask: Tensor | None
    sharpness: Tensor | None


class DNC(FusedCell[DNCState]):
    """A controller with a memory that allocates, frees and links its slots.

    The output is the controller's beside all reads. With an LSTM and without the options of later
    papers, whole sequences are compiled (`agents.cells.dnc.fast`).

    Args:
        input_size: Width of the input.
        hidden_size: Number of the controller's units.
        memory_size: Number of slots, N.
        word_size: Numbers in a slot, W.
        num_read_heads: Number of read heads, R.
        controller: A name in `agents.cells.controllers.CONTROLLERS`.
        masks: Whether content is compared under masks (Csordas and Schmidhuber 2019).
        deallocation: Whether freeing a slot wipes it (the same).
        sharpening: Whether what the links say is sharpened (the same).
        interface_norm: Whether the interface is layer-normalised (Franke et al. 2018).

    Raises:
        TypeError, ValueError: If an argument is not valid.
    """

    source: ClassVar[str] = (
        "Graves et al. 2016, Nature 538, 471-476; options: Csordas and Schmidhuber 2019, "
        "arXiv:1904.10278; Franke et al. 2018, arXiv:1807.02658"
    )

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 128,
        memory_size: int = 32,
        word_size: int = 16,
        num_read_heads: int = 2,
        controller: str = "lstm",
        masks: bool = False,
        deallocation: bool = False,
        sharpening: bool = False,
        interface_norm: bool = False,
    ) -> None:
        check_integer("hidden_size", hidden_size, 1)
        check_integer("memory_size", memory_size, 1)
        check_integer("word_size", word_size, 1)
        check_integer("num_read_heads", num_read_heads, 1)
        check_choice("controller", controller, CONTROLLERS)
        check_flag("masks", masks)
        check_flag("deallocation", deallocation)
        check_flag("sharpening", sharpening)
        check_flag("interface_norm", interface_norm)
        reads = num_read_heads * word_size
        super().__init__(input_size, hidden_size + reads)
        self.memory_size = memory_size
        self.word_size = word_size
        self.num_read_heads = num_read_heads
        self.deallocation = deallocation
        self.controller = CONTROLLERS[controller](input_size + reads, hidden_size)
        options = (masks, deallocation, sharpening, interface_norm)
        self._plain = controller == "lstm" and not any(options)
        mask, sharpness = masks * word_size, sharpening * 2
        # Of every read head key, strength, free gate, modes, mask, sharpness.
        self._read_sizes = (word_size, 1, 1, 3, mask, sharpness)
        # Key, strength, erase and write vector, allocation gate, write gate, mask.
        self._write_sizes = (word_size, 1, word_size, word_size, 1, 1, mask)
        size = num_read_heads * sum(self._read_sizes) + sum(self._write_sizes)
        self.interface = nn.Linear(hidden_size, size)
        nn.init.xavier_uniform_(self.interface.weight)
        nn.init.zeros_(self.interface.bias)
        self.interface_norm = nn.LayerNorm(size) if interface_norm else nn.Identity()

    def initial_state(self, batch_size: int) -> DNCState:
        """Returns zeros."""
        B, N, W, R = batch_size, self.memory_size, self.word_size, self.num_read_heads
        zeros = self.interface.weight.new_zeros
        return DNCState(
            memory=zeros(B, N, W),
            usage=zeros(B, N),
            precedence=zeros(B, N),
            links=zeros(B, N, N),
            read_weights=zeros(B, R, N),
            write_weights=zeros(B, 1, N),
            reads=zeros(B, R, W),
            controller=self.controller.initial_state(batch_size),
        )

    def forward(self, x: Tensor, state: DNCState) -> tuple[Tensor, DNCState]:
        """Takes one step; see `MemoryCell.forward`."""
        out, state, _ = self._step(x, state)
        return out, state

    def takes(self, xs: Tensor) -> bool:
        """Says whether `sequence` can run these inputs: plain machines run float32 on a CPU."""
        return self._plain and super().takes(xs)

    def sequence(self, xs: Tensor, state: DNCState, starts: Tensor) -> Unrolled:
        """Runs all steps in one autograd function; see `FusedCell.sequence`."""
        c, i = self.controller, self.interface
        weights = (c.weight_ih, c.weight_hh, c.bias_ih, c.bias_hh, i.weight, i.bias)
        outs, *after, cell = DNCSequence.apply(  # type: ignore[no-untyped-call]  # PyTorch's own
            xs, starts, *state[:-1], *state.controller, *weights
        )
        hidden, reads = outs[-1].split((c.output_size, self.output_size - c.output_size), dim=1)
        parts = *after, reads.view_as(state.reads), LSTMState(hidden, cell)
        return Unrolled(outs, DNCState._make(parts), {})

    def trace(self, x: Tensor, state: DNCState) -> tuple[Tensor, DNCState, dict[str, Tensor]]:
        """Takes the same step, and returns the state's parts and the interface besides."""
        out, state, interface = self._step(x, state)
        parts = interface._asdict() | state._asdict()
        parts["read_values"] = parts.pop("reads")
        return out, state, {name: x for name, x in parts.items() if isinstance(x, Tensor)}

    def _step(self, x: Tensor, state: DNCState) -> tuple[Tensor, DNCState, Interface]:
        seen = torch.cat((x, state.reads.flatten(1)), dim=1)
        hidden, controller = self.controller(seen, state.controller)
        interface = self._interface(hidden)
        retained = retention(interface.free_gates, state.read_weights)
        usage = update_usage(state.usage, state.write_weights, retained)
        write_weights = _address_write(state.memory, usage, interface)
        memory = state.memory * retained.unsqueeze(2) if self.deallocation else state.memory
        memory = addressing.erase_and_add(
            memory, write_weights, interface.erase, interface.write_values
        )
        links = update_links(state.links, state.precedence, write_weights)
        precedence = update_precedence(state.precedence, write_weights)
        read_weights = _address_reads(memory, links, state.read_weights, interface)
        reads = addressing.read(memory, read_weights)
        out = torch.cat((hidden, reads.flatten(1)), dim=1)
        return (
            out,
            DNCState(
                memory, usage, precedence, links, read_weights, write_weights, reads, controller
            ),
            interface,
        )

    def _interface(self, hidden: Tensor) -> Interface:
        numbers = self.interface_norm(self.interface(hidden))
        read_size = self.num_read_heads * sum(self._read_sizes)
        reads, writes = numbers.split((read_size, sum(self._write_sizes)), dim=1)
        reads = reads.view(-1, self.num_read_heads, sum(self._read_sizes))
        keys, strengths, free, modes, masks, sharpness = reads.split(self._read_sizes, dim=2)
        key, strength, erase, write, allocate, gate, mask = writes.unsqueeze(1).split(
            self._write_sizes, dim=2
        )
        return Interface(
            read_keys=keys,
            read_strengths=_oneplus(strengths),
            free_gates=free.sigmoid(),
            read_modes=modes.softmax(dim=2),
            write_keys=key,
            write_strength=_oneplus(strength),
            erase=erase.sigmoid(),
            write_values=write,
            allocation_gate=allocate.sigmoid(),
            write_gate=gate.sigmoid(),
            read_masks=_mask(masks) if masks.shape[2] else None,
            write_mask=_mask(mask) if mask.shape[2] else None,
            sharpness=_oneplus(sharpness) if sharpness.shape[2] else None,
        )


def _oneplus(x: Tensor) -> Tensor:
    return 1 + F.softplus(x)


def _mask(x: Tensor) -> Tensor:
    return MASK_MIN + (1 - MASK_MIN) * x.sigmoid()


def _address_write(memory: Tensor, usage: Tensor, interface: Interface) -> Tensor:
    """Returns the write weighting, ``(B, 1, N)`` ("Write weighting")."""
    content = addressing.content_weighting(
        memory, interface.write_keys, interface.write_strength, interface.write_mask
    )
    allocation = allocate(usage)
    return interface.write_gate * torch.lerp(content, allocation, interface.allocation_gate)


def _address_reads(memory: Tensor, links: Tensor, previous: Tensor, interface: Interface) -> Tensor:
    """Returns the read weightings, ``(B, R, N)`` ("Read weighting")."""
    content = addressing.content_weighting(
        memory, interface.read_keys, interface.read_strengths, interface.read_masks
    )
    forward, backward = follow_links(links, previous, interface.sharpness)
    back, by_content, ahead = interface.read_modes.chunk(3, dim=2)
    return back * backward + by_content * content + ahead * forward
