"""The copy task of a notebook on neural Turing machines: give each bit vector in its own step.

Nothing has to be remembered for it. Importing this module registers ``Stream-Echo-v0``.
"""

import numpy as np
from gymnasium import spaces

import memory_envs

BITS = 8


def _sample(row, length, inputs, targets):  # type: ignore[no-untyped-def]
    for t in range(length):
        for k in range(BITS):
            bit = memory_envs.draw(row, 2)
            inputs[t, k], targets[t, k] = bit, bit
    return length


ECHO = memory_envs.register_stream_task(
    memory_envs.StreamTask(
        "Echo",
        _sample,
        steps=lambda length: length,
        inputs=lambda: spaces.Box(0.0, 1.0, (BITS,), np.float32),
        answers=lambda: spaces.MultiDiscrete([2] * BITS),
        min_length=5,
        max_length=5,
    )
)
