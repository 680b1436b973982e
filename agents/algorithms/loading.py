"""Model files of any algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.algorithms.table import ALGORITHMS, with_class
from agents.saving.archive import ModelFileError, ModelSource
from agents.saving.model_file import read_model

if TYPE_CHECKING:
    import torch

    from agents.algorithms.base import MemoryAlgorithm
    from agents.algorithms.model import Env


def model_class(path: ModelSource) -> type[MemoryAlgorithm]:
    """Returns the class of the model in a file.

    Raises:
        ModelFileError: If the file is not a valid model file, or its class is not in the table.
        FileNotFoundError: If there is no such file.
    """
    source, metadata, _ = read_model(path)
    spec = with_class(metadata["class"])
    if spec is None:
        known = ", ".join(sorted({row.class_name for row in ALGORITHMS.values()}))
        raise ModelFileError(
            source,
            f"it holds a {metadata['class'][:100]}, which is unknown; allowed: {known}, and what "
            "agents.register_algorithm adds",
        )
    return spec.load_class()


def load(
    path: ModelSource,
    env: Env | None = None,
    device: torch.device | str = "auto",
    **overrides: Any,
) -> MemoryAlgorithm:
    """Loads a model file of any algorithm in the table; see `MemoryPPO.load`.

    Raises:
        ModelFileError: If the file is not a valid model file, or its class is not in the table.
        FileNotFoundError: If there is no such file.
    """
    return model_class(path).load(path, env, device, **overrides)
