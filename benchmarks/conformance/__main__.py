"""Checks recurrent agents of other projects: ``python -m benchmarks.conformance [AGENT ...]``.

Prints the table of docs/conformance.md, and every line that is not "ok". An agent whose library is
not installed is left out, and so is CleanRL's without ``--cleanrl PATH/ppo_atari_lstm.py``; for the
versions see ``make peers``.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from agents.evaluation.conformance import Report, check_recurrent
from agents.training.provenance import commit, processor, versions

# Of each agent: the module that must be there, and the distributions whose versions matter.
AGENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "recurrent-ppo": ("sb3_contrib", ("sb3-contrib", "stable-baselines3")),
    "torchrl": ("torchrl", ("torchrl", "tensordict")),
    "torchrl-shifted": ("torchrl", ("torchrl", "tensordict")),
    "rllib": ("ray.rllib", ("ray",)),
    "cleanrl": ("torch", ()),
}


def model(agent: str, script: Path | None) -> Any:
    """Returns what `check_recurrent` takes of an agent; its library is imported here."""
    if agent == "recurrent-ppo":
        kind = import_module("sb3_contrib").RecurrentPPO
        return kind("MlpLstmPolicy", "CartPole-v1", device="cpu", learning_rate=3e-3)
    if agent == "cleanrl":
        from benchmarks.conformance.cleanrl_lstm import CleanRLMaker

        if script is None:
            raise ImportError("needs --cleanrl")
        return CleanRLMaker(script)
    if agent == "rllib":
        from benchmarks.conformance.rllib_ppo import RLlibMaker

        return RLlibMaker()
    from benchmarks.conformance.torchrl_ppo import TorchRLMaker

    return TorchRLMaker(shifted=agent == "torchrl-shifted")


def row(agent: str, report: Report) -> str:
    """Returns a row of the table."""
    found = versions(AGENTS[agent][1])
    told = ", ".join(f"{name} {version}" for name, version in found.items()) or "a script"
    failed, rest = (
        ", ".join(f"`{name}`" for name in names) or "nothing"
        for names in (report.failed, report.not_checked)
    )
    return f"| `{agent}` | {told} | {failed} | {rest} |"


def main(arguments: list[str]) -> None:
    """Checks, and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformance")
    parser.add_argument("agents", nargs="*", metavar="AGENT", help=", ".join(AGENTS))
    parser.add_argument("--cleanrl", type=Path, metavar="PATH", help="of ppo_atari_lstm.py")
    parser.add_argument("--no-learn", action="store_true", help="leave the training out")
    given = parser.parse_args(arguments)
    if unknown := [agent for agent in given.agents if agent not in AGENTS]:
        parser.error(f"AGENT is {unknown[0]!r}; allowed: {', '.join(AGENTS)}")
    warnings.simplefilter("ignore")  # of what these libraries will have to change
    table = ["| agent | versions | failed | not checked |", "| --- | --- | --- | --- |"]
    for agent in given.agents or AGENTS:
        try:
            import_module(AGENTS[agent][0])
            subject = model(agent, given.cleanrl)
        except ImportError as error:
            print(f"{agent}: left out, {error}")
            continue
        report = check_recurrent(subject, learn=not given.no_learn, name=agent)
        notes = [str(finding) for finding in report.findings if finding.outcome != "ok"]
        print(f"{agent}:", *notes, sep="\n  ", flush=True)
        table.append(row(agent, report))
    command = shlex.join(["python", "-m", "benchmarks.conformance", *arguments])
    print("", *table, "", f"- `{command}`", f"- commit {commit()}", sep="\n")
    print(f"- {processor()}, torch {versions(['torch'])['torch']}")


if __name__ == "__main__":
    main(sys.argv[1:])
