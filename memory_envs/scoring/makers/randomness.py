"""Seeds the generators that libraries draw from, for as long as a policy acts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from memory_envs.scoring.policy import Words


@contextmanager
def seeded(seeds: Words, model: Any = None) -> Iterator[int]:
    """Seeds global generators, and a model's own, and puts the global ones back afterwards.

    A training that goes on beside an evaluation is then not changed by it.

    Args:
        seeds: Those of the turn.
        model: A model; our own have a generator for playing, SB3's draw from their action space.

    Yields:
        The seed, below 2**32.
    """
    seed = int(seeds[0] >> np.uint64(32))
    torch = sys.modules.get("torch")
    space: Any = getattr(model, "action_space", None)
    bits = None if space is None else space.np_random.bit_generator
    kept = np.random.get_state(), None if bits is None else bits.state  # noqa: NPY002
    with nullcontext() if torch is None else torch.random.fork_rng():
        np.random.seed(seed)  # noqa: NPY002  # SB3's DQN draws from it
        if torch is not None:
            torch.manual_seed(seed)
        if hasattr(model, "predict_generator"):
            model.predict_generator.manual_seed(seed)
        if space is not None:
            space.seed(seed)
        try:
            yield seed
        finally:
            np.random.set_state(kept[0])  # noqa: NPY002
            if bits is not None:
                space.np_random.bit_generator.state = kept[1]
