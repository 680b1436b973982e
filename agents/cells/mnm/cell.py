"""Metalearned neural memory (Munkhdalai et al. 2019): what MNM-g and MNM-p share.

Order within a step. The controller, an LSTM, sees the input and the value that was read last
(section 3.1). From its output come the interaction vectors (equation 1), all through the tanh that
stands there, the rate vector too; a linear layer and a sigmoid turn that one into the rates. Then
the memory is written, by a gradient step (equation 3) or a local one (equation 4), then read. The
cell's output is W_y [h; v^r] + b_y.

What the paper leaves open, and what is done here:

- The read sees what the step wrote: sections 3.2 and 3.4 index both by t. The prose of section 3.1,
  that it reads what was stored at previous time steps, says otherwise.
- Every layer of the memory has a tanh, the last too, as the one formula of section 3.2 says. With
  `linear_values` the last has none, as in Appendix C. Layers have no biases.
- The errors that are written as printed (`normalized_writes=False`) are those of equations 2 to 4:
  of a value, the sum over its numbers; over heads the mean in equation 2, and so the gradient's
  factor 2 / H. Equation 4 has one head; here its steps are summed, so that each pair is written as
  far as it would be alone.
- By default a layer's step is divided by the squared length of what the layer sees, summed over
  heads, as in the normalised least mean squares filter. At a rate of 1, one head's error is then
  corrected whole, whatever the length of its key: by the local step in every layer, by the
  gradient step in a memory of one linear layer, and about so in a deeper one, whose layers share
  the work. As printed, a step is too long by that square, up to H D: where a controller's keys
  have grown threefold, writes throw the memory about, and gradients through some sixty steps come
  to 1e11. Appendix C's 2 / d_v in the gradient bounds it, too, but lets the short keys of an
  untrained controller write next to nothing.
- Rates: one a step in MNM-g, as in equation 3; one a layer and step in MNM-p, as in equation 4.
  `rate_per_layer` chooses.
- The first memory is drawn from a normal distribution with variance 1 / D, which keeps the size of
  what passes through a layer. It is drawn once, is saved with the model, and is never trained
  (section 3.5).
- The meta objective is the cell's own loss `recall`. It is equation 5 divided by d_v, so that its
  weight means the same for any width. PPO and A2C take its mean over steps and rows, which is the
  divisor T; REINFORCE takes its sum over an episode's steps, as it does of the policy's loss. Pairs
  of before the episode count nothing. Gradients reach the targets, as the equation says: what is to
  be stored is learned, too.
- Layer normalisation of the controller's output (`layer_norm`) is not in the paper, nor is a
  controller without a state (`controller="feedforward"`), for which only the memory is there to
  remember by.
- Widths of keys, values and layers are one number, as in all of Table 2, and the output is as wide
  as the controller. The controller starts as `lstm` does, with gates that keep for different times;
  those of `ntm` and `dnc` start orthogonal.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from agents.cells.base import MemoryCell
from agents.cells.controllers import GatedFeedForward
from agents.cells.lstm import LSTM, LSTMState
from agents.cells.mnm.fast.norm import EPS
from agents.cells.mnm.memory import activations, recall, squared_error, write
from agents.cells.none import NoState
from memory_envs.arguments import check_choice, check_flag, check_integer, check_number

# An LSTM starts as `lstm` does; see above.
CONTROLLERS: dict[str, Callable[[int, int], LSTM | GatedFeedForward]] = {
    "lstm": LSTM,
    "feedforward": GatedFeedForward,
}


class Pairs(NamedTuple):
    """What a step writes: keys and the values that they are bound to, both ``(B, H, D)``."""

    keys: Tensor
    values: Tensor


class MNMState(NamedTuple):
    """State of a neural memory with L layers of D units and H heads.

    Attributes:
        memory: The weights of its layers, ``(B, L, D, D)``.
        read: The value that was read last, the mean over heads, ``(B, D)``.
        controller: The controller's state.
        written: What the last `recall_delay` steps wrote, the last one first. Pairs from before the
            episode are zero; a memory without biases answers them with zero, which is no error.
    """

    memory: Tensor
    read: Tensor
    controller: LSTMState | NoState
    written: tuple[Pairs, ...]


class Interaction(NamedTuple):
    """What the controller tells the memory.

    Attributes:
        read_keys: ``(B, H, D)``.
        write_keys: ``(B, H, D)``.
        write_values: What `write_keys` are bound to, ``(B, H, D)``.
        write_rates: From 0 to 1, ``(B, L)``, or ``(B, 1)`` if layers share one.
    """

    read_keys: Tensor
    write_keys: Tensor
    write_values: Tensor
    write_rates: Tensor


class MNM(MemoryCell[MNMState]):
    """A controller with a network for a memory; a subclass says by which errors it is written.

    Args:
        input_size: Width of the input.
        hidden_size: Number of the controller's units; the output is as wide.
        memory_layers: Number of the memory's layers, L.
        memory_width: Units in each of them, numbers in a key and in a value, D.
        num_heads: Number of keys that are read, and of pairs that are written, in a step, H.
        rate_per_layer: Whether every layer has a rate of its own.
        linear_values: Whether the memory's last layer has no tanh.
        normalized_writes: Whether a layer's step is divided by the squared length of what it sees.
        recall_weight: Weight of the meta objective in the total loss; 0 for none.
        recall_delay: How many steps old the oldest pairs are that the meta objective recalls. With
            any, sequences go step by step, many times slower than the compiled ones.
        recall_decay: Their weight falls by this factor with every step, from 0 to 1.
        layer_norm: Whether what the controller gives out is layer-normalised before it becomes
            interaction vectors and output. It goes on to the controller's next step as it is.
        controller: A name in `agents.cells.mnm.cell.CONTROLLERS`: the paper's ``"lstm"``, or ``"feedforward"``, which has
            no state. All that goes on to the next step is then the memory, and what was read last.

    Raises:
        TypeError, ValueError: If an argument is not valid.
    """

    source: ClassVar[str] = "Munkhdalai et al. 2019, arXiv:1907.09720"

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 128,
        memory_layers: int = 3,
        memory_width: int = 32,
        num_heads: int = 1,
        rate_per_layer: bool = False,
        linear_values: bool = False,
        normalized_writes: bool = True,
        recall_weight: float = 1.0,
        recall_delay: int = 0,
        recall_decay: float = 1.0,
        layer_norm: bool = False,
        controller: str = "lstm",
    ) -> None:
        check_integer("hidden_size", hidden_size, 1)
        check_integer("memory_layers", memory_layers, 1)
        check_integer("memory_width", memory_width, 1)
        check_flag("rate_per_layer", rate_per_layer)
        super().__init__(input_size, hidden_size)
        self.num_heads = check_integer("num_heads", num_heads, 1)
        self.linear_values = check_flag("linear_values", linear_values)
        self.normalized_writes = check_flag("normalized_writes", normalized_writes)
        weight = check_number("recall_weight", recall_weight, 0)
        self.loss_weights = {"recall": weight} if weight else {}
        self.recall_delay = check_integer("recall_delay", recall_delay, 0)
        self.recall_decay = check_number("recall_decay", recall_decay, 0, 1)
        check_choice("controller", controller, CONTROLLERS)
        self.controller = CONTROLLERS[controller](input_size + memory_width, hidden_size)
        self.layer_norm = check_flag("layer_norm", layer_norm)
        self.norm = nn.LayerNorm(hidden_size, EPS) if layer_norm else nn.Identity()
        self.interface = nn.Linear(hidden_size, (3 * num_heads + 1) * memory_width)
        self.rate = nn.Linear(memory_width, memory_layers if rate_per_layer else 1)
        self.output = nn.Linear(hidden_size + memory_width, hidden_size)
        memory = torch.randn(memory_layers, memory_width, memory_width) * memory_width**-0.5
        self.initial_memory: Tensor
        self.register_buffer("initial_memory", memory)

    def initial_state(self, batch_size: int) -> MNMState:
        """Returns the first memory, which is never trained; nothing read or written yet."""
        memory = self.initial_memory.expand(batch_size, -1, -1, -1)
        nothing = memory.new_zeros(batch_size, self.num_heads, memory.shape[-1])
        return MNMState(
            memory,
            memory.new_zeros(batch_size, memory.shape[-1]),
            self.controller.initial_state(batch_size),
            (Pairs(nothing, nothing),) * self.recall_delay,
        )

    def forward(self, x: Tensor, state: MNMState) -> tuple[Tensor, MNMState]:
        """Takes one step; see `MemoryCell.forward`."""
        out, state, _ = self._step(x, state)
        return out, state

    def forward_with_losses(
        self, x: Tensor, state: MNMState
    ) -> tuple[Tensor, MNMState, dict[str, Tensor]]:
        """Takes the same step, and returns how badly it recalls what was written (equation 5)."""
        out, after, interaction = self._step(x, state)
        if not self.loss_weights:
            return out, after, {}
        pairs = (Pairs(interaction.write_keys, interaction.write_values), *state.written)
        keys = torch.cat([pair.keys for pair in pairs], dim=1)
        recalled = recall(after.memory, keys, self.linear_values)
        errors = [
            self.recall_decay**delay * squared_error(found, pair.values)
            for delay, (found, pair) in enumerate(
                zip(recalled.chunk(len(pairs), dim=1), pairs, strict=True)
            )
        ]
        return out, after, {"recall": torch.stack(errors).sum(dim=0)}

    def trace(self, x: Tensor, state: MNMState) -> tuple[Tensor, MNMState, dict[str, Tensor]]:
        """Takes the same step; returns the interaction, and what is read and recalled, besides.

        What is recalled are the values that the memory, once written, has for the write keys.
        """
        out, state, interaction = self._step(x, state)
        recalled = recall(state.memory, interaction.write_keys, self.linear_values)
        seen = {"read_values": state.read.unsqueeze(1), "recalled": recalled}
        return out, state, interaction._asdict() | seen

    def _step(self, x: Tensor, state: MNMState) -> tuple[Tensor, MNMState, Interaction]:
        seen = torch.cat((x, state.read), dim=1)
        hidden, controller = self.controller(seen, state.controller)
        hidden = self.norm(hidden)
        interaction = self._interaction(hidden)
        _, write_keys, values, rates = interaction
        layers = activations(state.memory, write_keys, self.linear_values)
        errors = self.errors(state.memory, layers, values)
        memory = write(state.memory, layers, errors, rates, self.normalized_writes)
        read = recall(memory, interaction.read_keys, self.linear_values).mean(dim=1)
        out = self.output(torch.cat((hidden, read), dim=1))
        written = (Pairs(write_keys, values), *state.written)[: self.recall_delay]
        return out, MNMState(memory, read, controller, written), interaction

    def _interaction(self, hidden: Tensor) -> Interaction:
        vectors = self.interface(hidden).tanh()
        width = self.initial_memory.shape[2]
        vectors = vectors.view(hidden.shape[0], 3 * self.num_heads + 1, width)
        read_keys, write_keys, values = vectors[:, :-1].chunk(3, dim=1)
        return Interaction(read_keys, write_keys, values, self.rate(vectors[:, -1]).sigmoid())

    @abstractmethod
    def errors(self, memory: Tensor, layers: Tensor, values: Tensor) -> Tensor:
        """Returns the errors by which the memory is written, ``(B, L, H, D)``.

        Args:
            memory: ``(B, L, D, D)``.
            layers: What the write keys bring forth in it, z^0 to z^L, ``(B, L + 1, H, D)``.
            values: What the write keys are to be bound to, ``(B, H, D)``.
        """
