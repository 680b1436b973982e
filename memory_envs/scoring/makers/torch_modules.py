"""How PyTorch's modules are played, whichever library they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib import import_module
from typing import Any

from memory_envs.scoring.makers.randomness import seeded
from memory_envs.scoring.policy import Words


@contextmanager
def playing(module: Any, seeds: Words | None) -> Iterator[Callable[[Any], Any]]:
    """Puts a module into evaluation mode, without gradients, and back into the modes it was in.

    Args:
        module: A `torch.nn.Module`.
        seeds: Those of the turn, if actions are sampled.

    Yields:
        A function that makes a tensor of an array, where the module's parameters are.
    """
    torch = import_module("torch")  # not before somebody has a module of it
    first = next(module.parameters(), None)
    device = None if first is None else first.device
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad(), nullcontext() if seeds is None else seeded(seeds):
            yield partial(torch.as_tensor, device=device)
    finally:
        for part, training in modes:
            part.training = training
