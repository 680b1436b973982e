"""Gated DeltaNet (Yang, Kautz and Hatamizadeh 2025, arXiv:2412.06464).

The delta rule on fast weights of which each step first keeps a share alpha only (equation 10), so
that a head can let go of everything at once. Strength beta and alpha see the normalised embedding.
Alpha is parametrised as in Mamba2 (Dao and Gu 2024), as the paper has it: for each head

    alpha = exp(-exp(a) softplus(w x + b))

The paper leaves open how a and b start. Here a = 0, and softplus(b) is evenly spread over the heads
on a logarithmic axis from 0.1 to 0.001, the range from which Mamba2 draws: without input, the heads
forget within 10 to 1,000 steps.

The layer is section 3.4's: queries, keys and values pass a short convolution and SiLU units,
queries and keys then have length 1, and what a head reads is normalised, and gated by SiLU units.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from agents.cells.parts.delta_rule import Write
from agents.cells.parts.fast_layer import FastLayer, Projected
from agents.cells.parts.fast_weights import FastWeightCell
from agents.cells.parts.feature_maps import unit_length

# The decimal logarithms of what the first and the last head lose in a step at first.
_FIRST_STEPS = (-1.0, -3.0)


class GatedDeltaNet(FastWeightCell):
    """Fast weights that decay and are written by the delta rule, in a residual layer.

    Args:
        input_size: Width of the input.
        hidden_size: Width of the layer and of its output.
        num_heads: Number of heads.
        key_size: Numbers in a head's key and query.
        value_size: Numbers in a head's value.
        conv_size: Steps that the short convolution sees, this one included; 1 for no convolution.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on.
    """

    source: ClassVar[str] = "Yang, Kautz and Hatamizadeh 2025, arXiv:2412.06464"

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 64,
        num_heads: int = 4,
        key_size: int = 16,
        value_size: int = 16,
        conv_size: int = 4,
    ) -> None:
        sizes = (input_size, hidden_size, num_heads, key_size, value_size, conv_size)
        layer = FastLayer(*sizes, activation=True, output_gate=True)
        super().__init__(layer, (num_heads, key_size, value_size))
        self.strength = nn.Linear(hidden_size, num_heads, bias=False)
        self.decay = nn.Linear(hidden_size, num_heads)
        self.log_rate = nn.Parameter(torch.zeros(num_heads))
        with torch.no_grad():
            steps = torch.logspace(*_FIRST_STEPS, num_heads)
            # The inverse of softplus.
            self.decay.bias.copy_(steps.expm1().log())

    def _write(self, projected: Projected) -> Write:
        return Write(
            unit_length(projected.queries),
            unit_length(projected.keys),
            projected.values,
            self.strength(projected.normed).sigmoid(),
            -self.log_rate.exp() * F.softplus(self.decay(projected.normed)),
        )
