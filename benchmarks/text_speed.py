"""How many tokens a second MANN-RL learns from, beside gradients through time.

The whole training: streams are drawn, laid out and encoded, both networks take their steps. Each
contestant has the sizes of MANN-RL's preset, and one thread.
"""

from collections.abc import Callable
from typing import Any

import torch

from agents import MannRL, Supervised, make_vec_env
from agents.algorithms.base import MemoryAlgorithm
from agents.training.presets.stream import RECIPES
from benchmarks.results import Measurement
from benchmarks.text_runs import TASKS, short
from benchmarks.timing import Advance, calls_per_second, one_torch_thread
from benchmarks.updates import learn_updates

_ROWS = 16  # of an update through time, as many as MANN-RL has columns
_REFERENCE = "Supervised, lstm"
_QUICK_ROWS = 128  # fewer have no room for a round of the dance


def _mann_rl(env: str, rows: int | None) -> MannRL:
    recipe = RECIPES[env]["mann_rl/input_output"]
    streams = make_vec_env(env, rows or recipe.n_envs, seed=0)
    policy = {"policy_kwargs": recipe.policy, "seed": 0, "device": "cpu"}
    arguments: dict[str, Any] = {**recipe.algorithm, **policy}
    return MannRL("MannRLPolicy", streams, **arguments)


def _supervised(memory: str, size: str) -> Callable[[str, int | None], Supervised]:
    def make(env: str, rows: int | None) -> Supervised:
        recipe = RECIPES[env]["mann_rl/input_output"]
        units = recipe.policy.get("memory_size", 48)
        policy: dict[str, Any] = {"memory": memory, "memory_kwargs": {size: units}}
        policy |= {"net_arch": [units], "activation_fn": torch.nn.ReLU}
        streams = make_vec_env(env, rows or _ROWS, seed=0)
        return Supervised("MemoryPolicy", streams, policy_kwargs=policy, seed=0, device="cpu")

    return make


_MAKERS: dict[str, Callable[[str, int | None], MemoryAlgorithm]] = {
    "MannRL": _mann_rl,
    "Supervised, memory-net": _supervised("memory-net", "memory_size"),
    _REFERENCE: _supervised("lstm", "hidden_size"),
}


class Contestant:
    """A training whose calls are updates; counts the tokens that it learns from."""

    def __init__(self, model: MemoryAlgorithm) -> None:
        self.model = model
        self.updates = self.tokens = 0

    @property
    def parameters(self) -> int:
        """How many numbers it learns."""
        return sum(p.numel() for p in self.model.policy.parameters())

    @property
    def tokens_per_update(self) -> float:
        """The mean so far."""
        return self.tokens / self.updates

    def advance(self) -> Advance:
        """Returns what is timed."""

        def advance(calls: int) -> None:
            learn_updates(self.model, calls)
            self.updates += calls
            self.tokens += self.model.num_timesteps

        return advance


def measure(repeats: int, seconds: float, quick: bool) -> list[Measurement]:
    """Measures all in turns, task by task, in tokens a second.

    Args:
        repeats: Measurements of each.
        seconds: The approximate length of one measurement.
        quick: Whether a few streams are enough.
    """
    found: list[Measurement] = []
    with one_torch_thread():
        for env in TASKS:
            rows = _QUICK_ROWS if quick else None
            contestants = {name: Contestant(make(env, rows)) for name, make in _MAKERS.items()}
            advances = [each.advance() for each in contestants.values()]
            rates = calls_per_second(advances, repeats, seconds)
            for (name, contestant), each in zip(contestants.items(), rates, strict=True):
                found.append(
                    Measurement(
                        section=short(env),
                        name=name,
                        variant=f"{contestant.parameters:,} parameters",
                        steps_per_second=[rate * contestant.tokens_per_update for rate in each],
                        is_reference=name == _REFERENCE,
                    )
                )
    return found
