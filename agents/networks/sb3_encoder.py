"""A features extractor of Stable-Baselines3 as an encoder."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3.common.preprocessing import preprocess_obs
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    CombinedExtractor,
    FlattenExtractor,
    NatureCNN,
)
from torch import Tensor, nn

from agents.networks.encoder import Observation
from agents.saving.registry import register

# Everybody has these: files that need them load without a word.
for _known in (CombinedExtractor, FlattenExtractor, NatureCNN):
    register(_known)


class FeaturesExtractorEncoder(nn.Module):
    """Gives a features extractor what Stable-Baselines3's own policies would give it.

    Images are divided by 255 and symbols are one-hot before it sees them.

    Args:
        space: The observation space.
        features_extractor_class: A `BaseFeaturesExtractor`.
        features_extractor_kwargs: Its arguments beside the space.

    Raises:
        TypeError: If the class is of another kind.
    """

    def __init__(
        self,
        space: spaces.Space[Any],
        features_extractor_class: type[BaseFeaturesExtractor],
        features_extractor_kwargs: dict[str, Any],
    ) -> None:
        super().__init__()
        found: Any = features_extractor_class
        if not (isinstance(found, type) and issubclass(found, BaseFeaturesExtractor)):
            raise TypeError(
                f"features_extractor_class is {found!r}; allowed: a subclass of SB3's "
                "BaseFeaturesExtractor (any other encoder is passed as encoder=)"
            )
        self.space = space
        self.extractor = register(found)(space, **features_extractor_kwargs)
        # Of `MultiDiscrete`, SB3 counts with NumPy's integers, which PyTorch's layers refuse.
        self.output_size = int(self.extractor.features_dim)

    def forward(self, obs: Observation) -> Tensor:
        """Maps ``(N, ...)`` observations to ``(N, features_dim)``."""
        features: Tensor = self.extractor(preprocess_obs(obs, self.space))
        return features
