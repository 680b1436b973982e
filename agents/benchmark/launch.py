"""Runs many jobs at once: in processes of this machine, or by Ray on a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from agents.benchmark.results import Result
from agents.benchmark.run import ELSEWHERE, INTERRUPTED, Job, RunningElsewhereError, job_words, run

# What a launcher says of each job when it ends: the result, or why there is none.
Report = Callable[[Job, Result | str], None]
INTERRUPTED_WORDS = "interrupted; the same command goes on"
_ELSEWHERE_WORDS = "is being run by another process; the same command shows it once it is done"
_LOG = "log.txt"
# One thread each: the networks are small, and two threads on busy cores are slower than one.
_THREADS = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
_RETRIES = 3  # of a job whose worker died


def launch_processes(jobs: Sequence[Job], command: str, at_once: int, report: Report) -> None:
    """Runs jobs in processes of this machine, each with one thread.

    Ctrl-C lets each training end its update and keep what it learned; the same command goes on.

    Args:
        jobs: The jobs.
        command: The command that runs them.
        at_once: How many run at the same time.
        report: Is told of each job when it ends, in this thread.
    """
    stopping = threading.Event()

    def work(job: Job) -> Result | str:
        return INTERRUPTED_WORDS if stopping.is_set() else _run_process(job, command, stopping)

    with _stops(stopping), ThreadPoolExecutor(at_once) as pool:
        futures = {pool.submit(work, job): job for job in jobs}
        for future in as_completed(futures):
            report(futures[future], future.result())


def _run_process(job: Job, command: str, stopping: threading.Event) -> Result | str:
    job.folder.mkdir(parents=True, exist_ok=True)
    log = job.folder / _LOG
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "agents.benchmark.run", job_words(job, command)],
            stdout=file,
            stderr=file,
            env={**os.environ, **_THREADS, "PYTHONPATH": _search_path()},
            start_new_session=True,  # Ctrl-C is passed on below, once
        )
        asked = False
        while process.poll() is None:
            if stopping.is_set() and not asked:
                asked = True
                process.send_signal(signal.SIGTERM)
            _wait(process)
    if process.returncode == INTERRUPTED or asked:
        return INTERRUPTED_WORDS
    if process.returncode == ELSEWHERE:
        return _ELSEWHERE_WORDS
    result = job.result() if process.returncode == 0 else None
    return result or f"failed with exit code {process.returncode}: {_last_line(log)} ({log})"


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        return


def _search_path() -> str:
    """Modules that this process can import, its workers can."""
    return os.pathsep.join(path or str(Path.cwd()) for path in sys.path)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"


@contextmanager
def _stops(stopping: threading.Event) -> Iterator[None]:
    """Lets SIGINT and SIGTERM set an event."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def launch_ray(jobs: Sequence[Job], command: str, at_once: int, report: Report) -> None:
    """Runs jobs by Ray, one core each; a job whose worker dies is taken up by another one.

    The folder of results must be one that all machines see. Without a running cluster
    (``ray start``) one is started on this machine.

    Args:
        jobs: The jobs.
        command: The command that runs them.
        at_once: How many run at the same time on this machine, if the cluster is started here.
        report: Is told of each job when it ends.
    """
    import ray

    environment = {"env_vars": {**_THREADS, "PYTHONPATH": _search_path()}}
    try:
        ray.init(address="auto", runtime_env=environment, log_to_driver=False)
    except ConnectionError:
        ray.init(num_cpus=at_once, runtime_env=environment, log_to_driver=False)
    remote = ray.remote(num_cpus=1, max_retries=_RETRIES)(run)
    waiting = {remote.remote(job, command): job for job in jobs}
    try:
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(ready)
            try:
                report(job, ray.get(ready))
            except RunningElsewhereError:
                report(job, _ELSEWHERE_WORDS)
            except ray.exceptions.RayError as error:
                report(job, f"failed: {str(error).strip().splitlines()[-1]}")
    finally:
        ray.shutdown()


LAUNCHERS: dict[str, Callable[[Sequence[Job], str, int, Report], None]] = {
    "processes": launch_processes,
    "ray": launch_ray,
}
