"""How fast the environments step and the agents train, against their peers.

    python -m benchmarks.throughput envs
    python -m benchmarks.throughput training
    python -m benchmarks.throughput memory
    python -m benchmarks.throughput cells
    python -m benchmarks.throughput rl_ntm
    python -m benchmarks.throughput text

See docs/speed.md for what is measured and how.
"""

import argparse
import os
import shlex
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.training.provenance import commit, versions
from benchmarks.machine import describe_machine

if TYPE_CHECKING:  # NumPy must not be imported before the number of threads is set
    from benchmarks.results import Report

_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_DISTRIBUTIONS = {
    "cells": ("memory-envs", "torch", "dnc", "numpy"),
    "envs": ("memory-envs", "numpy", "numba", "gymnasium", "popgym", "minigrid", "envpool"),
    "memory": ("memory-envs", "torch", "stable-baselines3", "gymnasium", "numpy"),
    "rl_ntm": ("memory-envs", "torch", "stable-baselines3", "gymnasium", "numpy"),
    "text": ("memory-envs", "torch", "stable-baselines3", "gymnasium", "numpy"),
    "training": ("memory-envs", "torch", "stable-baselines3", "sb3-contrib", "gymnasium", "numpy"),
}


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the table.

    Args:
        arguments: of the command line; by default those of this process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    if options.json is not None and not options.json.parent.is_dir():
        raise SystemExit(f"--json: the folder {options.json.parent} does not exist")
    if options.repeats is None:
        options.repeats = 3 if options.what in ("training", "memory") else 5
    if options.quick:
        options.repeats, options.seconds, options.curve_timesteps = 1, 0.01, 2048
    if options.what == "envs":
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    report = _measure(options, shlex.join(["python", "-m", "benchmarks.throughput", *arguments]))

    from rich.console import Console

    from agents.saving.atomic import write_text
    from benchmarks.tables import markdown, terminal

    if options.json is not None:
        write_text(options.json, report.to_json())
    if options.markdown:
        print(markdown(report), end="")
    else:
        # A pipe has no width of its own, and a table squeezed into 80 columns cannot be read.
        Console(width=None if sys.stdout.isatty() else 200).print(terminal(report))


def _measure(options: argparse.Namespace, command: str) -> "Report":
    from benchmarks.results import Report

    machine = describe_machine()
    checkpoints: list[int] = []
    unit = "steps/s"
    notes: list[str] = []
    settings: dict[str, float] = {"repeats": options.repeats}
    if options.what == "envs":
        import numba

        from benchmarks import stepping

        title = "Stepping environments: environment steps per second"
        settings["seconds per measurement"] = options.seconds
        settings["threads"] = numba.get_num_threads()
        taking_part = stepping.contestants()
        measurements, notes = stepping.measure(taking_part, options.repeats, options.seconds)
    elif options.what == "rl_ntm":
        from benchmarks import rl_ntm

        title = "RL-NTM at the paper's size: episodes per second"
        unit = "episodes/s"
        settings["seconds per measurement"] = options.seconds
        measurements, notes = rl_ntm.measure(options.repeats, options.seconds)
    elif options.what == "text":
        from benchmarks import babi_speed, text_speed

        title = "Learning texts, on one thread: tokens, steps or stories per second"
        unit = "a second"
        settings["seconds per measurement"] = options.seconds
        arguments = options.repeats, options.seconds, options.quick
        measurements = [*text_speed.measure(*arguments), *babi_speed.measure(*arguments)]
    elif options.what == "cells":
        import torch

        from benchmarks import cells

        title = "Memory cells over sequences: steps of one row per second"
        unit = "row-steps/s"
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        settings["seconds per measurement"] = options.seconds
        settings["threads"] = torch.get_num_threads()
        measurements, notes = cells.measure(
            cells.CONTESTANTS, options.repeats, options.seconds, options.quick
        )
    elif options.what == "memory":
        from benchmarks import training_memory

        title = "One training update: growth of the process"
        unit = "MiB"
        measurements = training_memory.measure(options.repeats, options.quick)
    else:
        from benchmarks import training

        title = "Training on CartPole-v1: environment steps per second"
        settings["timesteps"] = options.curve_timesteps
        checkpoints = training.checkpoints(options.curve_timesteps)
        measurements = training.measure(options.repeats, options.curve_timesteps)
    return Report(
        title=title,
        command=command,
        commit=commit(),
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine,
        load_average_after=[round(load, 2) for load in os.getloadavg()],
        versions=versions(_DISTRIBUTIONS[options.what]),
        settings=settings,
        measurements=measurements,
        notes=notes,
        checkpoints=checkpoints,
        unit=unit,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("what", choices=list(_DISTRIBUTIONS), help="what to measure")
    parser.add_argument(
        "--repeats",
        type=_positive(int),
        help="of each measurement; by default 5, but 3 for training and memory",
    )
    parser.add_argument(
        "--seconds",
        type=_positive(float),
        default=1.0,
        help="envs, cells, rl_ntm and text: length of one measurement",
    )
    parser.add_argument(
        "--threads",
        type=_positive(int),
        help="cells: threads of PyTorch; by default its own number",
    )
    parser.add_argument(
        "--curve-timesteps",
        type=_positive(int),
        default=50_000,
        help="training: environment steps that each model learns from, in each repeat",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    parser.add_argument("--markdown", action="store_true", help="print Markdown, for the docs")
    parser.add_argument("--quick", action="store_true", help="see whether it runs, in seconds")
    return parser


def _positive(kind: type[int] | type[float]) -> Any:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
        return value

    number.__name__ = f"{kind.__name__} above 0"  # argparse names it in its message
    return number


if __name__ == "__main__":
    main()
