"""How PyTorch's modules are played, whichever library they come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any

from memory_envs.scoring.makers.randomness import seeded
from memory_envs.scoring.policy import Words


@contextmanager
def playing(module: Any, seeds: Words | None) -> Iterator[Any]:
    """Puts a module into evaluation mode, without gradients, and back into the modes it was in.

    Args:
        module: A `torch.nn.Module`.
        seeds: Those of the turn, if actions are sampled.

    Yields:
        The package torch, which is not imported before somebody has a module of it.
    """
    torch = import_module("torch")
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad(), nullcontext() if seeds is None else seeded(seeds):
            yield torch
    finally:
        for part, training in modes:
            part.training = training
