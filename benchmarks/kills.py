"""Kills a training at random moments, again and again, and compares what it becomes.

    python -m benchmarks.kills --kills 50

A first run ends undisturbed. A second one, with the same settings, is killed by SIGKILL at a random
moment and continued in a new folder, which is killed in turn, and so on; the last is left alone. In
the end both last checkpoints must hold the same bits. That a folder could not be continued, or that
something half-written was left in its place, ends the script with an error.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from agents.saving.archive import read_archive
from agents.saving.model_file import read_model, read_training
from agents.training.run_directory import RunDirectory

_TRAIN = [sys.executable, "-m", "agents.cli.main", "train"]
_SETTINGS = (
    "Tape-Reverse-v0 --seed 11 --n-envs 64 --set algorithm.n_steps=32 algorithm.batch_size=512 "
    "policy.memory_kwargs.hidden_size=32"
)


def killed(arguments: list[str], out: Path, seconds: float) -> float | None:
    """Starts a training and kills it.

    Args:
        arguments: What follows `memory-envs train`.
        out: Its folder.
        seconds: When to kill it, counted from the moment at which its folder appears.

    Returns:
        When it was killed; None if it had ended by itself.

    Raises:
        RuntimeError: If it failed by itself.
    """
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen([*_TRAIN, *arguments, "--out", str(out)], **quiet) as run:
        while run.poll() is None and not out.exists():
            time.sleep(0.002)
        began = time.monotonic()
        try:
            _, errors = run.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            run.kill()
            return time.monotonic() - began
        if run.returncode:
            raise RuntimeError(f"{arguments}: {errors.decode()}")
        return None


def left(run: RunDirectory) -> int | None:
    """Returns the steps from which a killed run goes on; None if it was killed before it began.

    Raises:
        ValueError: If what it left is damaged.
    """
    if not run.settings.exists():
        return None
    run.read_settings()
    for path in run.checkpoints.glob("model-*.zip"):
        read_training(path)
    if not run.latest.exists():
        return 0
    steps: int = read_model(run.latest)[1]["counters"]["num_timesteps"]
    return steps


def same_bits(one: RunDirectory, other: RunDirectory) -> bool:
    """Whether the last checkpoints of two runs hold the same, but for when episodes ended."""
    metadata, tensors = zip(*(read_archive(run.latest) for run in (one, other)), strict=True)
    for part in tensors:
        del part["training.episodes.t"]
    return (
        metadata[0] == metadata[1]
        and tensors[0].keys() == tensors[1].keys()
        and all(torch.equal(value, tensors[1][name]) for name, value in tensors[0].items())
    )


def main() -> None:
    """Runs the script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--timesteps", type=int, default=2_500_000)
    parser.add_argument("--longest", type=float, default=4.0, help="seconds until a kill")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    first = [*_SETTINGS.split(), f"timesteps={options.timesteps}"]
    with tempfile.TemporaryDirectory() as folder:
        whole = RunDirectory(Path(folder, "whole"))
        began = time.monotonic()
        if killed(first, whole.path, 1e6) is not None:
            raise RuntimeError("the undisturbed run was killed")
        print(f"undisturbed: {time.monotonic() - began:.0f} s")
        arguments, last = first, None
        for number in range(1, options.kills + 1):
            run = RunDirectory(Path(folder, f"run-{number}"))
            moment = killed(arguments, run.path, moments.uniform(0.0, options.longest))
            steps = left(run)
            if moment is None or (steps or 0) >= options.timesteps:
                raise RuntimeError(f"it was done before kill {number}: give it more --timesteps")
            print(f"kill {number}: after {moment:.2f} s, continues from {steps} steps", flush=True)
            if steps is not None:
                last = run
                arguments = ["--continue-from", str(run.path)]
        end = RunDirectory(Path(folder, "end"))
        killed(arguments, end.path, 1e6)
        equal = same_bits(whole, end)
        print(f"{options.kills} kills; the same bits as undisturbed: {'yes' if equal else 'NO'}")
    sys.exit(0 if equal and last is not None else 1)


if __name__ == "__main__":
    main()
