"""Delta network (Schlag et al. 2021), with the layer and the parallel form of Yang et al. 2024.

Fast weights that are written by the delta rule: the value that a key finds is replaced by the new
one, as far as the strength of the write says, beta in (0, 1) for each head; what other keys find
stays, if they are orthogonal to it (Schlag et al. 2021, equations 20 to 25). Beta sees the
normalised embedding of this step.

The layer is that of Yang et al. 2024: queries, keys and values pass a short convolution and SiLU
units, queries and keys then have length 1, and what a head reads is normalised before the output
projection. With `feature_map` "dpfp" keys and queries are those of Schlag et al. 2021 (equations 29
and 37): projected to twice their size and divided by their sum, values linear; with a `conv_size`
of 1 there is no convolution, as there.
"""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from agents.cells.parts.delta_rule import Write
from agents.cells.parts.fast_layer import FastLayer, Projected
from agents.cells.parts.fast_weights import FastWeightCell
from agents.cells.parts.feature_maps import DPFP_GROWTH, dpfp_shares, unit_length
from memory_envs.arguments import check_choice


class DeltaNet(FastWeightCell):
    """Fast weights written by the delta rule, in a residual layer; see `FastLayer`.

    Args:
        input_size: Width of the input.
        hidden_size: Width of the layer and of its output.
        num_heads: Number of heads.
        key_size: Numbers in a head's key and query.
        value_size: Numbers in a head's value.
        conv_size: Steps that the short convolution sees, this one included; 1 for no convolution.
        feature_map: ``"silu"`` (Yang et al. 2024) or ``"dpfp"`` (Schlag et al. 2021).

    Raises:
        TypeError, ValueError: If an argument is not valid.
    """

    source: ClassVar[str] = (
        "Schlag et al. 2021, arXiv:2102.11174; Yang et al. 2024, arXiv:2406.06484"
    )

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 64,
        num_heads: int = 4,
        key_size: int = 16,
        value_size: int = 16,
        conv_size: int = 4,
        feature_map: str = "silu",
    ) -> None:
        check_choice("feature_map", feature_map, ("silu", "dpfp"))
        silu = feature_map == "silu"
        sizes = (input_size, hidden_size, num_heads, key_size, value_size, conv_size)
        layer = FastLayer(*sizes, activation=silu)
        features = key_size if silu else DPFP_GROWTH * key_size
        super().__init__(layer, (num_heads, features, value_size))
        self._features = unit_length if silu else dpfp_shares
        self.strength = nn.Linear(hidden_size, num_heads, bias=False)

    def _write(self, projected: Projected) -> Write:
        return Write(
            self._features(projected.queries),
            self._features(projected.keys),
            projected.values,
            self.strength(projected.normed).sigmoid(),
        )
