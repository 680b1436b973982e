"""Gated Transformer-XL (Parisotto et al. 2020, arXiv:1910.06764): attention to the last steps.

The input is embedded by a linear layer, which is the E(0) that the paper leaves open. In layer l
(figure 1, right; appendix C), with M(l-1) the kept inputs of the layer and E(l-1) the new ones:

    Y  = g(E(l-1), relu(attention(norm([M(l-1), E(l-1)]))))
    E(l) = g(Y, relu(mlp(norm(Y))))

Layers are normalised on the way into a submodule only (identity map reordering), and the gate g
that stands in place of a residual connection is of the GRU type (section 3.2):

    r = sigmoid(W_r y + U_r x)            z = sigmoid(W_z y + U_z x - b_g)
    h = tanh(W_g y + U_g (r * x))         g(x, y) = (1 - z) * x + z * h

b_g starts at 2 and is learned, so that at first a layer passes its input on (section 4.3.4). The
output is E(L). Attention is that of Transformer-XL.

Choices. Every step sees itself and the last `memory_size` steps of its episode, in training as in
play; Transformer-XL shows more of them to the later steps of a training segment. The paper stops
gradients at the kept inputs: here, whoever trains cuts the state where it cuts the graph, and
within that gradients flow through all steps. The hidden layer of the perceptron is four times as
wide as its ends. First weights are PyTorch's.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from agents.cells.base import FusedCell, Unrolled
from agents.cells.parts.relative_attention import RelativeAttention
from agents.cells.parts.windows import in_blocks, keep_last, steps_before, visible
from memory_envs.arguments import check_integer

GATE_BIAS = 2.0
_MLP_FACTOR = 4


class GTrXLState(NamedTuple):
    """State of a gated Transformer-XL.

    Attributes:
        inputs: The last inputs of each layer, oldest first, zeros where an episode has had fewer:
            L times ``(B, memory_size, hidden_size)``.
        filled: How many of them there are, ``(B,)`` int64.
    """

    inputs: tuple[Tensor, ...]
    filled: Tensor


class Gate(nn.Module):
    """A residual connection with the gates of a GRU."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight_y = nn.Linear(size, 3 * size, bias=False)  # W_r, W_z, W_g
        self.weight_x = nn.Linear(size, 2 * size, bias=False)  # U_r, U_z
        self.weight_reset = nn.Linear(size, size, bias=False)  # U_g
        self.bias = nn.Parameter(torch.full((size,), GATE_BIAS))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Returns the stream `x` with some of the submodule's `y` in it; all ``(..., size)``."""
        reset_y, update_y, candidate_y = self.weight_y(y).chunk(3, dim=-1)
        reset_x, update_x = self.weight_x(x).chunk(2, dim=-1)
        reset = (reset_y + reset_x).sigmoid()
        update = (update_y + update_x - self.bias).sigmoid()
        candidate = (candidate_y + self.weight_reset(reset * x)).tanh()
        return torch.lerp(x, candidate, update)


class Layer(nn.Module):
    """Attention and a perceptron, each normalised before and gated after."""

    def __init__(self, size: int, num_heads: int, window: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(size)
        self.attention = RelativeAttention(size, num_heads, window)
        self.attention_gate = Gate(size)
        self.mlp_norm = nn.LayerNorm(size)
        self.mlp = nn.Sequential(
            nn.Linear(size, _MLP_FACTOR * size), nn.ReLU(), nn.Linear(_MLP_FACTOR * size, size)
        )
        self.mlp_gate = Gate(size)

    def forward(self, steps: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Runs the layer over the new steps; arguments and result as of `RelativeAttention`."""
        x = steps[:, -seen.shape[1] :]
        # NaN times a weight of zero is NaN: one broken step would break all others of its row,
        # those of another episode too. So it is taken out, and put back where it is seen.
        broken = ~steps.isfinite().all(dim=2)
        whole = steps.masked_fill(broken.unsqueeze(2), 0)
        attended, weights = self.attention(self.attention_norm(whole), seen)
        sees_broken = (seen & broken.unsqueeze(1)).any(dim=2, keepdim=True)
        factor = attended.new_ones(sees_broken.shape).masked_fill(sees_broken, torch.nan)
        x = self.attention_gate(x, (attended * factor).relu())
        return self.mlp_gate(x, self.mlp(self.mlp_norm(x)).relu()), weights


class GTrXL(FusedCell[GTrXLState]):
    """A stack of layers of gated attention; the output is that of the last layer.

    Args:
        input_size: Width of the input.
        hidden_size: Width of the layers and of the output, D.
        num_layers: Number of layers, L.
        num_heads: Attention heads of a layer; they share its width.
        memory_size: How many earlier steps a layer sees. What the output depends on reaches back
            ``num_layers * memory_size`` steps.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on, or `num_heads` does not
            divide `hidden_size`.
    """

    source: ClassVar[str] = "Parisotto et al. 2020, arXiv:1910.06764"

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        memory_size: int = 64,
    ) -> None:
        check_integer("hidden_size", hidden_size, 1)
        check_integer("num_layers", num_layers, 1)
        check_integer("num_heads", num_heads, 1)
        check_integer("memory_size", memory_size, 1)
        if hidden_size % num_heads:
            allowed = f"divisors of hidden_size, {hidden_size}"
            raise ValueError(f"num_heads is {num_heads}; allowed: {allowed}")
        super().__init__(input_size, hidden_size)
        self.memory_size = memory_size
        self.embedding = nn.Linear(input_size, hidden_size)
        self.layers = nn.ModuleList(
            Layer(hidden_size, num_heads, memory_size) for _ in range(num_layers)
        )

    def initial_state(self, batch_size: int) -> GTrXLState:
        """Returns zeros."""
        weight = self.embedding.weight
        zeros = weight.new_zeros(batch_size, self.memory_size, self.output_size)
        filled = torch.zeros(batch_size, dtype=torch.int64, device=weight.device)
        return GTrXLState((zeros,) * len(self.layers), filled)

    def forward(self, x: Tensor, state: GTrXLState) -> tuple[Tensor, GTrXLState]:
        """Takes one step; see `MemoryCell.forward`."""
        out, state, _ = self._step(x, state)
        return out, state

    def trace(self, x: Tensor, state: GTrXLState) -> tuple[Tensor, GTrXLState, dict[str, Tensor]]:
        """Takes the same step, and returns what the heads of each layer attend to besides."""
        out, state, weights = self._step(x, state)
        return out, state, {"attention": torch.cat(weights, dim=2).transpose(1, 2)}

    def _step(self, x: Tensor, state: GTrXLState) -> tuple[Tensor, GTrXLState, list[Tensor]]:
        outs, steps, weights = self._run(x.unsqueeze(1), state, state.filled.unsqueeze(0))
        inputs = tuple(some[:, 1:] for some in steps)
        filled = (state.filled + 1).clamp(max=self.memory_size)
        return outs.squeeze(1), GTrXLState(inputs, filled), weights

    def takes(self, xs: Tensor) -> bool:
        """Says yes: `sequence` is made of plain operations."""
        return True

    def sequence(self, xs: Tensor, state: GTrXLState, starts: Tensor) -> Unrolled:
        """Runs all steps of a window at once; see `FusedCell.sequence`."""
        return in_blocks(self._block, max(self.memory_size, 32), xs, state, starts)

    def _block(self, xs: Tensor, state: GTrXLState, starts: Tensor) -> tuple[Tensor, GTrXLState]:
        before = steps_before(starts, state.filled)
        outs, steps, _ = self._run(xs.transpose(0, 1), state, before)
        inputs = tuple(keep_last(some, starts) for some in steps)
        filled = (before[-1] + 1).clamp(max=self.memory_size)
        return outs.transpose(0, 1), GTrXLState(inputs, filled)

    def _run(
        self, xs: Tensor, state: GTrXLState, before: Tensor
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Runs T steps.

        Args:
            xs: ``(B, T, input_size)``.
            state: The state before them.
            before: How many steps of its episode come before each, ``(T, B)``.

        Returns:
            The outputs ``(B, T, D)``; the inputs of each layer, kept and new; its weightings.
        """
        seen = visible(before, self.memory_size)
        x = self.embedding(xs)
        steps, weights = [], []
        for layer, kept in zip(self.layers, state.inputs, strict=True):
            steps.append(torch.cat((kept, x), dim=1))
            x, attention = layer(steps[-1], seen)
            weights.append(attention)
        return x, steps, weights
