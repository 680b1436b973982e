"""From command line arguments to a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tyro

from agents.cli.ask import Ask
from agents.cli.benchmark import Benchmark, ReportCommand
from agents.cli.cells import Cells
from agents.cli.certify import Certify
from agents.cli.check import CheckCommand
from agents.cli.common import UsageError
from agents.cli.evaluate import Evaluate
from agents.cli.gradcheck import GradCheck
from agents.cli.list import List
from agents.cli.memory_map import MemoryMapCommand
from agents.cli.play import Play
from agents.cli.submit_check import SubmitCheck
from agents.cli.trace import TraceCommand
from agents.cli.train import Fit, Train
from memory_envs.arguments import allowed_names

_DESCRIPTION = """Environments whose optimal play needs memory, and agents that learn them.

To begin: memory-envs train Tape-Copy-v0

The version: memory-envs --version"""

_COMMANDS: dict[str, Callable[..., Any]] = {
    "list": List,
    "cells": Cells,
    "certify": Certify,
    "train": Train,
    "fit": Fit,
    "evaluate": Evaluate,
    "trace": TraceCommand,
    "memory-map": MemoryMapCommand,
    "ask": Ask,
    "play": Play,
    "benchmark": Benchmark,
    "report": ReportCommand,
    "submit-check": SubmitCheck,
    "gradcheck": GradCheck,
    "check": CheckCommand,
}


def parse(arguments: list[str]) -> Any:
    """Returns the command with its fields filled in; its method `run` gives the exit code.

    Raises:
        UsageError: For an unknown command.
        SystemExit: After the help, or after a message about anything else that is wrong.
    """
    arguments = arguments or ["--help"]
    name = arguments[0]
    if not name.startswith("-") and name not in _COMMANDS:
        raise UsageError(f"command is {name!r}; {allowed_names(name, _COMMANDS)}")
    return tyro.extras.subcommand_cli_from_dict(
        _COMMANDS,
        prog="memory-envs",
        description=_DESCRIPTION,
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone),
    )
