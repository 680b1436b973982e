"""Classes by name, for settings that stand in files and on the command line.

Optimizers and activations are PyTorch's, encoders are registered ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch

from agents.saving.registry import find_class

# Where the classes of a policy's settings are, and what they are.
_CLASSES: dict[str, tuple[ModuleType, type[Any]]] = {
    "optimizer_class": (torch.optim, torch.optim.Optimizer),
    "activation_fn": (torch.nn, torch.nn.Module),
}


def with_torch_classes(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a policy's settings with the classes of these names.

    Raises:
        ValueError: If there is no such class.
    """
    return {name: _class(name, value) for name, value in settings.items()}


def _class(name: str, value: Any) -> Any:
    if name == "encoder" and isinstance(value, str):
        return find_class(value, torch.nn.Module)
    if name not in _CLASSES:
        return value
    module, base = _CLASSES[name]
    found = getattr(module, value, None) if isinstance(value, str) else None
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ValueError(f"{name} is {value!r}; allowed: names of classes of {module.__name__}")
    return found
