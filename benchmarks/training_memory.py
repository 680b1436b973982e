"""How much memory a training update takes: against epochs, rows and steps.

Every measurement is a process of its own: it trains once on little, so that everything is imported
and compiled, then plays one rollout, learns from it in minibatches of the whole rollout, and prints
by how much the largest size that the process ever had has grown.
"""

import os
import resource
import subprocess
import sys
from typing import Any, NamedTuple

from benchmarks.results import Measurement

_UNITS = 128


class Size(NamedTuple):
    """What an update is made of."""

    epochs: int = 1
    rows: int = 256
    steps: int = 64


# The first of each section is what the others are compared with.
_SECTIONS = {
    "epochs: ratios should stay 1": [Size(epochs=n) for n in (1, 4, 16)],
    "rows: ratios should be 1, 2, 4": [Size(rows=n) for n in (256, 512, 1024)],
    "steps: ratios should be 1, 2, 4": [Size(steps=n) for n in (64, 128, 256)],
}
_QUICK = {"epochs: ratios should stay 1": [Size(rows=128, epochs=n) for n in (1, 3)]}


def measure(repeats: int, quick: bool) -> list[Measurement]:
    """Measures all sizes in turns.

    Args:
        repeats: Processes for each size.
        quick: Whether two small sizes are enough.
    """
    sections = _QUICK if quick else _SECTIONS
    found: dict[tuple[str, Size], list[float]] = {
        (section, size): [] for section, sizes in sections.items() for size in sizes
    }
    for _ in range(repeats):
        for (_section, size), grown in found.items():
            grown.append(_in_a_process(size))
    return [
        Measurement(
            section=section,
            name="MemoryPPO",
            variant=f"{size.epochs} epochs, {size.rows} rows, {size.steps} steps",
            steps_per_second=grown,
            is_reference=size == sections[section][0],
        )
        for (section, size), grown in found.items()
    ]


def _in_a_process(size: Size) -> float:
    command = [sys.executable, "-m", "benchmarks.training_memory", *map(str, size)]
    # glibc then takes every tensor from the system and gives it back, so that gaps in the heap,
    # which grow with the number of allocations, do not count.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(run.stdout)


def _peak() -> float:
    """The largest size that this process ever had, in MiB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (2**20 if sys.platform == "darwin" else 2**10)


def _update(size: Size) -> None:
    """Plays one rollout and learns from it."""
    from agents import MemoryPPO, make_vec_env

    memory: dict[str, Any] = {"memory": "lstm", "memory_kwargs": {"hidden_size": _UNITS}}
    model = MemoryPPO(
        "MemoryPolicy",
        make_vec_env("Tape-Reverse-v0", n_envs=size.rows, seed=0),
        n_steps=size.steps,
        batch_size=size.rows * size.steps,
        n_epochs=size.epochs,
        policy_kwargs=memory,
        seed=0,
        device="cpu",
    )
    model.learn(size.rows * size.steps)


def main(numbers: list[str]) -> None:
    """Prints by how many MiB an update of this size makes the process grow.

    Args:
        numbers: Those of `Size`.
    """
    _update(Size(rows=16, steps=8))
    before = _peak()
    _update(Size(*map(int, numbers)))
    print(_peak() - before)


if __name__ == "__main__":
    main(sys.argv[1:])
