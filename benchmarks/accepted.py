"""Which results are published: those of a suite as it is today, made by a tree that is clean."""

from collections.abc import Iterable

from agents.benchmark.results import Result
from agents.benchmark.suites import SUITES
from memory_envs.arguments import check_choice, check_integer


def check_result(result: Result, suites: Iterable[str], agents: Iterable[str], seeds: int) -> None:
    """Looks whether a result is one that is published.

    Args:
        result: The result.
        suites: The suites that are published.
        agents: The agents, in the words of the command line.
        seeds: How many seeds.

    Raises:
        ValueError: If it is of another suite, task, environment, agent, seed or budget, was trained
            for more than that, or is of a tree that is not clean.
    """
    try:
        _check(result, suites, agents, seeds)
    except ValueError as error:
        title = f"{result.agent} on {result.task} of {result.suite}, seed {result.seed}"
        raise ValueError(f"{title}: {error}") from error


def _check(result: Result, suites: Iterable[str], agents: Iterable[str], seeds: int) -> None:
    check_choice("suite", result.suite, suites)
    tasks = {task.name: task for task in SUITES[result.suite].tasks}
    task = tasks[check_choice("task", result.task, tasks)]
    check_choice("env", result.env, [task.env])
    check_choice("agent", result.agent, agents)
    check_integer("seed", result.seed, 0, seeds - 1)
    if result.timesteps != task.timesteps:
        raise ValueError(f"timesteps is {result.timesteps}; allowed: {task.timesteps}")
    if result.over_budget:
        raise ValueError(f"steps is {result.steps}; allowed: {task.timesteps} and a rollout more")
    commit = result.provenance.get("commit") or "+"
    if commit.endswith("+"):
        raise ValueError(f"commit is {commit!r}; allowed: one of a clean tree")
