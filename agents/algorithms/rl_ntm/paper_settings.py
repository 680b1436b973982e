"""The settings of the paper's section 9, for `RLNTM.paper` and the preset `rl_ntm-paper`."""

from __future__ import annotations

from typing import Any, NamedTuple


class Size(NamedTuple):
    """How long the strings and the episodes of a task are.

    Attributes:
        max_length: The longest input.
        max_steps: The time limit, which section 2 calls a fixed upper bound.
    """

    max_length: int
    max_steps: int


# What the published code had: inputs of up to 15 symbols within 30 steps (Reverse with an input
# head that only goes forward), phrases of up to 9 within 44 (RepeatCopy). For a reader who sees two
# cells ahead that is enough, with one step to spare in RepeatCopy. What the others had is not
# known: they get 30 steps, too, and of DuplicatedInput what can be read in them.
SIZES = {
    "Tape-Copy-Hard-v0": Size(15, 30),
    "Tape-DuplicatedInput-Hard-v0": Size(9, 30),
    "Tape-Reverse-Hard-v0": Size(15, 30),
    "Tape-RepeatCopy-Hard-v0": Size(9, 44),
    "Tape-ForwardReverse-Hard-v0": Size(15, 30),
    "Tape-RepeatCopyForward-Hard-v0": Size(9, 44),
}
N_ENVS = 200
# Section 7 measures complexity by the desired output. The windows are those of Table 1, which does
# not say how large they are; in the published code they had two cells on either side.
ENV_KWARGS: dict[str, Any] = {
    "forced_emission": True,
    "on_error": "continue",
    "input_radius": 2,
    "complexity": "output",
}
CURRICULUM: dict[str, Any] = {
    "level": 1,
    "threshold": 0.2,
    "refractory": 100,
    "error": "symbols",
}
ALGORITHM: dict[str, Any] = {
    "learning_rate": 0.05,
    "reward": "log_prob",
    "gamma": 1.0,
    "max_grad_norm": 5.0,
    "max_grad_norm_baseline": 2.0,
}
POLICY: dict[str, Any] = {
    "hidden_size": 25,
    "baseline_size": 25,
    "memory_radius": 2,
    "write_radius": 0,
    "blend": False,
    "inverse_temperature": 0.01,
    "optimizer_class": "SGD",
    "optimizer_kwargs": {"momentum": 0.9},
    "gain": None,
    "mark": False,
}


def env_kwargs(env_id: str) -> dict[str, Any]:
    """Returns the arguments of an environment: the paper's, and the size of its task if known."""
    size = SIZES.get(env_id)
    return ENV_KWARGS if size is None else {**ENV_KWARGS, **size._asdict()}
