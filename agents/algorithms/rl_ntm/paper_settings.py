"""The settings of the paper's section 9, for `RLNTM.paper` and the preset `rl_ntm-paper`."""

from __future__ import annotations

from typing import Any

N_ENVS = 200
ENV_KWARGS: dict[str, Any] = {"forced_emission": True, "on_error": "continue"}
# These hard tasks are trained up to inputs that are shorter than the 30 symbols of their ids.
LONGEST_INPUTS = {
    "Tape-RepeatCopy-Hard-v0": 9,
    "Tape-ForwardReverse-Hard-v0": 15,
    "Tape-RepeatCopyForward-Hard-v0": 9,
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
    "inverse_temperature": 0.01,
    "optimizer_class": "SGD",
    "optimizer_kwargs": {"momentum": 0.9},
    "gain": None,
    "mark": False,
}


def env_kwargs(env_id: str) -> dict[str, Any]:
    """Returns the arguments of an environment: the paper's, and the length of the longest input."""
    longest = LONGEST_INPUTS.get(env_id)
    return ENV_KWARGS if longest is None else {**ENV_KWARGS, "max_length": longest}
