"""`memory-envs benchmark`: any agent on a suite of tasks; and `memory-envs report`."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from agents.benchmark.suites import SUITES, Suite, find_suite
from agents.cli.common import Count, UsageError, checked, option
from agents.cli.strangers import find_modules_here
from memory_envs.arguments import check_choice, check_integer

if TYPE_CHECKING:  # imported when something runs: the help needs no PyTorch
    from agents.benchmark.results import Result
    from agents.benchmark.run import Job

_LAUNCHERS = ("processes", "ray")
_OUT = Path("results")
_SUITES = ", ".join(SUITES)


@dataclass(frozen=True)
class Benchmark:
    """Train agents on a suite of tasks, and compare them.

    AGENT is one of this project's, such as ppo/lstm, with its preset; a class of
    Stable-Baselines3's kind, such as stable_baselines3:PPO or sb3_contrib:RecurrentPPO; a function
    of your own, module:function; or random or oracle. Settings may follow in the same argument:
    "stable_baselines3:PPO stack=4". What is done is not done again, and what was interrupted goes
    on, with the same command.
    Exit codes: 0 done, 1 some failed or are run elsewhere, 2 wrong usage, 130 interrupted.
    """

    suite: Annotated[
        str | None,
        tyro.conf.Positional,
        option("SUITE", help=f"One of {_SUITES}. Without it, the suites are listed."),
    ] = None
    agent: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        option("AGENT", help="Who is trained; may be given several times."),
    ] = ()
    seeds: Count = 1
    """How many seeds, from 0 on."""
    jobs: Annotated[Count | None, option("N")] = None
    """How many runs at the same time, each with one thread. Without it, as many as there are
    cores."""
    launcher: Annotated[str, option("NAME", help="Who starts them: processes, or ray.")] = (
        "processes"
    )
    out: Annotated[Path, option("FOLDER", help="Folder of all results; results/ by default.")] = (
        _OUT
    )

    def run(self) -> int:
        """Runs what is left to run, and writes the report."""
        if self.suite is None:
            return _list_suites()
        suite: Suite = checked(find_suite, self.suite)
        if not self.agent:
            raise UsageError("say who shall play: --agent AGENT, such as --agent ppo/lstm")
        checked(check_integer, "--seeds", self.seeds, 1)
        cores = os.cpu_count() or 1
        at_once = cores if self.jobs is None else checked(check_integer, "--jobs", self.jobs, 1)
        checked(check_choice, "--launcher", self.launcher, _LAUNCHERS)
        if self.launcher == "ray" and importlib.util.find_spec("ray") is None:
            raise UsageError('--launcher ray needs Ray: pip install "memory-envs[ray]"')
        find_modules_here()  # module:function may lie in the working directory
        from agents.benchmark.entrants import find_agent

        for words in self.agent:
            checked(find_agent, words)
        return self._run_jobs(self._jobs(suite), at_once)

    def _jobs(self, suite: Suite) -> list[Job]:
        """Returns all runs, a whole round of tasks and agents before the next seed."""
        from agents.benchmark.run import Job

        out = str(self.out.absolute())
        return [
            Job(suite.name, task.name, agent, seed, out)
            for seed in range(self.seeds)
            for task in suite.tasks
            for agent in dict.fromkeys(self.agent)
        ]

    def _run_jobs(self, jobs: Sequence[Job], at_once: int) -> int:
        from agents.benchmark.launch import INTERRUPTED_WORDS, LAUNCHERS
        from agents.benchmark.report.write import write_report
        from agents.benchmark.results import ResultError

        left = [job for job in jobs if checked(job.result) is None]
        print(f"{len(jobs)} runs, {len(jobs) - len(left)} of them done; results: {self.out}")
        outcomes: list[Result | str] = []

        def report(job: Job, outcome: Result | str) -> None:
            outcomes.append(outcome)
            print(f"{len(outcomes)}/{len(left)}  {job.title}: {_words(outcome)}", flush=True)

        LAUNCHERS[self.launcher](left, self.command(), at_once, report)
        try:
            text, page = write_report([self.out], self.out)
        except ResultError as error:
            print(f"memory-envs: {error}", file=sys.stderr)
        else:
            print(f"\n{text.read_text(encoding='utf-8')}\nreport: {text}, {page}")
        if INTERRUPTED_WORDS in outcomes:
            return 130
        return int(any(isinstance(outcome, str) for outcome in outcomes))

    def command(self) -> str:
        """Returns the command line that does the same again."""
        words = ["memory-envs", "benchmark", str(self.suite)]
        for agent in self.agent:
            words += ["--agent", agent]
        return shlex.join([*words, "--seeds", str(self.seeds)])


def _words(outcome: Result | str) -> str:
    if isinstance(outcome, str):
        return outcome
    evaluation = outcome.evaluation
    shown = f"return {evaluation['return_mean']:.3f}"
    if outcome.score is not None:
        shown = f"score {outcome.score:.3f}"
    return f"{shown}, {outcome.steps:,} steps, {outcome.minutes:.1f} min"


def _list_suites() -> int:
    for suite in SUITES.values():
        steps = sum(task.timesteps for task in suite.tasks)
        missing = f"   (needs {suite.needs})" if suite.missing() else ""
        print(
            f"{suite.name:15} {len(suite.tasks):3} tasks, {steps / 1e6:5.1f} M steps a seed   "
            f"{suite.about}{missing}"
        )
    return 0


@dataclass(frozen=True)
class ReportCommand:
    """Write the leaderboard of results, as Markdown and as one HTML page.

    With files of submissions among the paths, one's own results stand beside those of others.
    """

    paths: Annotated[
        tuple[Path, ...],
        tyro.conf.Positional,
        option(
            "PATH",
            help="Folders where results are, however deep, and submissions; results/ by default.",
        ),
    ] = (_OUT,)
    out: Annotated[Path | None, option("FOLDER")] = None
    """Folder of report.md and report.html; by default the first of the paths that is a folder."""
    submission: Annotated[Path | None, option("FILE")] = None
    """Write the results of one agent into this file, to be sent: see `memory-envs submit-check`."""
    agent: Annotated[str | None, option("AGENT")] = None
    """Whose results --submission takes."""

    def run(self) -> int:
        """Writes the report."""
        from agents.benchmark.report.write import write_report

        paths = self.paths or (_OUT,)
        if self.submission is not None:
            return self._submit(paths, self.submission)
        folder = next((path for path in paths if not path.is_file()), Path())
        text, page = checked(write_report, paths, self.out or folder)
        print(f"{text.read_text(encoding='utf-8')}\nreport: {text}, {page}")
        return 0

    def _submit(self, paths: Sequence[Path], path: Path) -> int:
        from agents.benchmark.reading import read_runs
        from agents.benchmark.submission import TO_BE_SAID, Submission, write_submission

        results = [run.result for run in checked(read_runs, paths)]
        agents = sorted({result.agent for result in results})
        agent: str = checked(check_choice, "--agent", self.agent, agents)
        own = tuple(result for result in results if result.agent == agent)
        write_submission(Submission(agent, TO_BE_SAID, TO_BE_SAID, TO_BE_SAID, own), path)
        print(f"{path}: {len(own)} results; fill in authors, code and about")
        return 0
