"""Optimisers by name, for settings that stand in files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def with_optimizer_class(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `settings` with the class that `optimizer_class` names, if it is there.

    Raises:
        ValueError: If there is no such class in `torch.optim`.
    """
    if "optimizer_class" not in settings:
        return dict(settings)
    name = settings["optimizer_class"]
    found = getattr(torch.optim, name, None) if isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise ValueError(f"optimizer_class is {name!r}; allowed: classes of torch.optim")
    return {**settings, "optimizer_class": found}
