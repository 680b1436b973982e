"""Fast weight programmer (Schmidhuber 1992), as linear attention (Katharopoulos et al. 2020).

A slow network makes of its input a key and a value, and adds their outer product to fast weights; a
query, made of the same input, then reads them. With a feature map that is never negative, and what
is read divided by the sum of the query's likenesses to all keys so far, this is attention with
another kernel than the exponential one (Katharopoulos et al. 2020, equations 16 to 20; Schlag et
al. 2021, equations 17 to 19).

That sum needs a memory of its own, z, of all keys. It is one more column of the fast weights: every
value is written with a one behind it.

Nothing is ever forgotten, and a key that is written twice finds the mean of its two values. There
is no convolution: what goes into memory is made of this step's input alone.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from agents.cells.parts.delta_rule import Write
from agents.cells.parts.fast_layer import FastLayer, Projected
from agents.cells.parts.fast_weights import FastWeightCell
from agents.cells.parts.feature_maps import DPFP_GROWTH, dpfp, elu_plus_one
from memory_envs.arguments import check_choice

# Below this a sum of likenesses counts as this: a query that resembles no key reads nothing.
_MIN_SUM = 1e-6


class FastWeightProgrammer(FastWeightCell):
    """Linear attention over the episode so far, in a residual layer; see `FastLayer`.

    Args:
        input_size: Width of the input.
        hidden_size: Width of the layer and of its output.
        num_heads: Number of heads.
        key_size: Numbers in a head's key and query.
        value_size: Numbers in a head's value.
        feature_map: What makes keys and queries positive: ``"elu"``, elu + 1 (Katharopoulos et al.
            2020), or ``"dpfp"`` (Schlag et al. 2021), which doubles their size.

    Raises:
        TypeError, ValueError: If an argument is not valid.
    """

    source: ClassVar[str] = (
        "Schmidhuber 1992; Katharopoulos et al. 2020, arXiv:2006.16236; "
        "Schlag et al. 2021, arXiv:2102.11174"
    )

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 64,
        num_heads: int = 4,
        key_size: int = 16,
        value_size: int = 16,
        feature_map: str = "elu",
    ) -> None:
        check_choice("feature_map", feature_map, ("elu", "dpfp"))
        elu = feature_map == "elu"
        sizes = (input_size, hidden_size, num_heads, key_size, value_size)
        layer = FastLayer(*sizes, output_norm=False)
        features = key_size if elu else DPFP_GROWTH * key_size
        super().__init__(layer, (num_heads, features, value_size + 1))
        self._features = elu_plus_one if elu else dpfp

    def _write(self, projected: Projected) -> Write:
        return Write(
            self._features(projected.queries),
            self._features(projected.keys),
            F.pad(projected.values, (0, 1), value=1.0),
        )

    def _read(self, reads: Tensor) -> Tensor:
        sums, likeness = reads[..., :-1], reads[..., -1:]
        return sums / likeness.clamp(min=_MIN_SUM)
