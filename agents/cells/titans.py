"""The neural long-term memory of Titans (Behrouz, Zhong and Mirrokni 2025, arXiv:2501.00663).

The memory is a small network M of its own, and its weights are the state. Each step takes a key, a
value and a query from its input, and writes by gradient descent (section 3.1): the surprise is the
gradient of how badly the memory, as the step finds it, maps the key to the value,

    l = |M(k) - v|^2                         (equation 12)
    S' = eta S - theta dl/dM                 (equation 14)
    M' = (1 - alpha) M + S'                  (equation 13)

with past surprise S, and three gates that see the input: what is kept of past surprise, eta, the
rate, theta, and the forgetting, alpha. Then the query reads M' (equation 15). The paper does not
say whether it reads before or after the write; after it, what a step writes can be found at once,
as in the other cells of fast weights. An episode starts with a learned memory and no surprise.

The gradient is written out by hand, in `associative_gradient`. So a step is plain operations, which
run without a graph in a rollout, and whose derivatives in training are ordinary ones.

What the paper leaves open. The memory has no biases, and SiLU units between its layers. Gates are
sigmoids, one number of each a step; they start near eta = 0.5, theta = 0.12 and alpha = 0.0025. The
layer is section 4.4's: a residual block with a short convolution, SiLU units for queries, keys and
values, queries and keys of length 1, what is read normalised and gated.

What is added: a gradient longer than `LONGEST_GRADIENT` counts as that long. Descent on a deep
network diverges from large weights, whatever the length of the keys; what this memory usually
meets is several times shorter.

What is left out: persistent memory (section 3.3), the branch of attention and its variants (section
4), so that this is the paper's model of the memory alone, LMM; and the computation in chunks
(section 3.2), whose gradients are taken at the memory before the chunk: the recurrence is exact.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.cells.base import MemoryCell
from agents.cells.parts.fast_layer import FastLayer, Recent
from agents.cells.parts.feature_maps import unit_length
from memory_envs.arguments import check_integer

# Weights of the memory's layers, first to last, each ``(B, inputs, outputs)``; or as much of
# something else, a gradient or surprise.
Layers: TypeAlias = tuple[Tensor, ...]

LONGEST_GRADIENT = 10.0
# Biases of the gates at first: of past surprise, rate and forgetting.
_FIRST_GATES = (0.0, -2.0, -6.0)


class TitansState(NamedTuple):
    """State of a neural long-term memory.

    Attributes:
        memory: The weights of the memory's layers.
        surprise: The past surprise of each weight, S.
        recent: The last projected inputs, which the short convolution sees; see `FastLayer`.
    """

    memory: Layers
    surprise: Layers
    recent: Recent


class Titans(MemoryCell[TitansState]):
    """A deep memory that is written by gradient descent, in a residual layer; see `FastLayer`.

    Args:
        input_size: Width of the input.
        hidden_size: Width of the layer and of its output.
        memory_width: Units of each hidden layer of the memory.
        memory_layers: Layers of weights in the memory; 1 for a matrix.
        key_size: Numbers in a key and a query.
        value_size: Numbers in a value.
        conv_size: Steps that the short convolution sees, this one included; 1 for no convolution.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on.
    """

    source: ClassVar[str] = "Behrouz, Zhong and Mirrokni 2025, arXiv:2501.00663"

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 64,
        memory_width: int = 32,
        memory_layers: int = 2,
        key_size: int = 16,
        value_size: int = 16,
        conv_size: int = 4,
    ) -> None:
        check_integer("memory_width", memory_width, 1)
        check_integer("memory_layers", memory_layers, 1)
        sizes = (input_size, hidden_size, 1, key_size, value_size, conv_size)
        layer = FastLayer(*sizes, activation=True, output_gate=True)
        super().__init__(input_size, hidden_size)
        self.layer = layer
        self.gates = nn.Linear(hidden_size, len(_FIRST_GATES))
        widths = [key_size, *[memory_width] * (memory_layers - 1), value_size]
        self.initial_memory = nn.ParameterList(
            torch.empty(inputs, outputs).uniform_(-(inputs**-0.5), inputs**-0.5)
            for inputs, outputs in pairwise(widths)
        )
        with torch.no_grad():
            self.gates.bias.copy_(torch.tensor(_FIRST_GATES))

    def initial_state(self, batch_size: int) -> TitansState:
        """Returns the learned memory, no surprise, nothing seen yet."""
        memory = tuple(weight.expand(batch_size, -1, -1) for weight in self.initial_memory)
        surprise = tuple(torch.zeros_like(weight) for weight in memory)
        return TitansState(memory, surprise, self.layer.no_recent(batch_size))

    def forward(self, x: Tensor, state: TitansState) -> tuple[Tensor, TitansState]:
        """Takes one step; see `MemoryCell.forward`."""
        out, state, _ = self._step(x, state)
        return out, state

    def trace(self, x: Tensor, state: TitansState) -> tuple[Tensor, TitansState, dict[str, Tensor]]:
        """Takes the same step, and returns gates, the gradient's length, what it wrote and read."""
        return self._step(x, state)

    def _step(self, x: Tensor, state: TitansState) -> tuple[Tensor, TitansState, dict[str, Tensor]]:
        projected, recent = self.layer.enter(x, state.recent)
        gates = self.gates(projected.normed).sigmoid()
        eta, theta, alpha = gates.view(-1, len(_FIRST_GATES), 1, 1).unbind(1)
        keys, queries = unit_length(projected.keys), unit_length(projected.queries)
        gradient = associative_gradient(state.memory, keys, projected.values)
        length = total_length(gradient)
        rate = theta * (LONGEST_GRADIENT / length.clamp(min=LONGEST_GRADIENT)).view(-1, 1, 1)
        surprise = tuple(
            eta * past - rate * now for past, now in zip(state.surprise, gradient, strict=True)
        )
        memory = tuple(
            (1 - alpha) * old + news for old, news in zip(state.memory, surprise, strict=True)
        )
        reads = recall(memory, queries)
        seen = {
            "momentum_gate": eta.flatten(1),
            "write_rates": theta.flatten(1),
            "forget_gate": alpha.flatten(1),
            "gradient_length": length,
            "write_keys": keys,
            "write_values": projected.values,
            "read_keys": queries,
            "read_values": reads,
        }
        return self.layer.leave(projected, reads), TitansState(memory, surprise, recent), seen


def recall(memory: Layers, queries: Tensor) -> Tensor:
    """Returns what the memory maps queries to.

    Args:
        memory: Its weights.
        queries: ``(B, n, K)``.

    Returns:
        ``(B, n, V)``.
    """
    *hidden, last = memory
    for weight in hidden:
        queries = F.silu(queries @ weight)
    return queries @ last


def associative_gradient(memory: Layers, keys: Tensor, values: Tensor) -> Layers:
    """Returns the gradient of each row's ``|M(k) - v|^2``, summed over its keys (equation 12).

    Args:
        memory: The weights of M.
        keys: ``(B, n, K)``.
        values: ``(B, n, V)``.
    """
    inputs, sums = [keys], []
    for weight in memory:
        sums.append(inputs[-1] @ weight)
        inputs.append(F.silu(sums[-1]))
    # Backwards through the layers: the derivatives by the sums that enter the units.
    error = 2 * (sums[-1] - values)
    gradient = [inputs[-2].mT @ error]
    for weight, total, entered in zip(
        reversed(memory[1:]), reversed(sums[:-1]), reversed(inputs[:-2]), strict=True
    ):
        error = (error @ weight.mT) * _silu_slope(total)
        gradient.append(entered.mT @ error)
    return tuple(reversed(gradient))


def _silu_slope(x: Tensor) -> Tensor:
    """Returns the derivative of ``x * sigmoid(x)``."""
    share = x.sigmoid()
    return share * (1 + x * (1 - share))


def total_length(layers: Layers) -> Tensor:
    """Returns the Euclidean length ``(B,)`` of all numbers of a row."""
    lengths = [torch.linalg.vector_norm(x, dim=(1, 2)) for x in layers]
    length: Tensor = torch.linalg.vector_norm(torch.stack(lengths), dim=0)
    return length
