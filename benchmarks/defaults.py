"""What `MemoryPPO` and `RecurrentPPO` reach with no argument but policy and environment.

    python -m benchmarks.defaults run
    python -m benchmarks.defaults speed

`run` trains each algorithm on each task of the panel with each seed, and adds a record per training
to a file, which only one such process may write; what has a record is not trained again. `speed`
trains both in turns for a short while.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.evaluation import evaluate_policy

from benchmarks.machine import commit, describe_machine, versions
from benchmarks.panel import ALGORITHMS, PANEL, Algorithm, Task, make_env, make_model
from benchmarks.results import write_whole
from benchmarks.training import EpisodeLog, mean_returns

RECORDS = Path("runs") / "defaults.json"
TENTHS = 10
_EPISODES = 100
_DISTRIBUTIONS = ("torch", "stable-baselines3", "sb3-contrib", "gymnasium", "popgym", "minigrid")
# Steps that are timed at once, and how often; RecurrentPPO takes seven seconds for its share.
_TIMED: dict[Algorithm, int] = {"MemoryPPO": 4096, "RecurrentPPO": 1024}
_ROUNDS = 2


def train(task: Task, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """Trains one model and returns its record."""
    torch.set_num_threads(1)
    env = make_env(task, algorithm, seed)
    model = make_model(algorithm, env, seed)
    log = EpisodeLog()
    start = time.perf_counter()
    model.learn(task.steps, callback=log)
    seconds = time.perf_counter() - start
    curve = mean_returns(
        log.ends, log.returns, [task.steps * part // TENTHS for part in range(1, TENTHS + 1)]
    )
    fresh = make_env(task, algorithm, seed + 1_000_000)
    # RecurrentPPO draws from PyTorch's own generator, whose state its training leaves.
    evaluation, _ = evaluate_policy(model, fresh, _EPISODES, deterministic=False)
    return {
        "task": task.name,
        "algorithm": algorithm,
        "seed": seed,
        "steps": task.steps,
        "curve": curve,
        "final": curve[-1],
        "evaluation": evaluation,
        "seconds": round(seconds, 1),
    }


def read(path: Path) -> list[dict[str, Any]]:
    """Returns the records of a file, none if there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def run(
    path: Path, tasks: list[Task], algorithms: list[Algorithm], seeds: list[int], jobs: int
) -> None:
    """Trains what has no record yet, `jobs` at a time, each on one thread."""
    about = {
        "commit": commit(),
        "versions": versions(_DISTRIBUTIONS),
        "machine": describe_machine()["cpu"],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    records = read(path)
    done = {(found["task"], found["algorithm"], found["seed"]) for found in records}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        futures = [
            pool.submit(train, task, algorithm, seed)
            for seed in seeds
            for task in tasks
            for algorithm in algorithms
            if (task.name, algorithm, seed) not in done
        ]
        for future in as_completed(futures):
            record = future.result()
            records.append({**record, **about})
            write_whole(path, json.dumps(records, indent=1) + "\n")
            print(
                f"{record['task']:30} {record['algorithm']:12} seed {record['seed']} "
                f"final {record['final']:8.3f} evaluation {record['evaluation']:8.3f} "
                f"{record['seconds']:6.0f} s",
                flush=True,
            )


def speed(tasks: list[Task]) -> None:
    """Trains both in turns on one thread, and prints steps per second and their ratio."""
    torch.set_num_threads(1)
    print(f"{'task':30} {'MemoryPPO':>9} {'RecurrentPPO':>12} factor")
    for task in tasks:
        models = {
            name: make_model(name, make_env(task, name, 0), 0, original=True) for name in ALGORITHMS
        }
        for name, model in models.items():
            model.learn(_TIMED[name])  # what is slow only when it is done for the first time
        rates: dict[Algorithm, list[float]] = {name: [] for name in ALGORITHMS}
        for _ in range(_ROUNDS):
            for name, model in models.items():
                start = time.perf_counter()
                model.learn(_TIMED[name])
                rates[name].append(model.num_timesteps / (time.perf_counter() - start))
        ours, peer = (statistics.median(rates[name]) for name in ALGORITHMS)
        print(f"{task.name:30} {ours:9.0f} {peer:12.0f} {ours / peer:6.1f}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Does what the command line says.

    Args:
        arguments: Of the command line; those of this process by default.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.defaults", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("what", choices=["run", "speed"], help="what to do")
    parser.add_argument(
        "--only", nargs="+", choices=[task.name for task in PANEL], help="these tasks"
    )
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=ALGORITHMS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="run: these seeds")
    parser.add_argument("--jobs", type=int, default=1, help="run: trainings at a time")
    parser.add_argument("--records", type=Path, default=RECORDS, help="run: file of records")
    options = parser.parse_args(arguments)
    tasks = [task for task in PANEL if options.only is None or task.name in options.only]
    if options.what == "run":
        run(options.records, tasks, list(options.algorithms), options.seeds, options.jobs)
    else:
        speed(tasks)


if __name__ == "__main__":
    main()
