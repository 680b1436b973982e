"""The command `memory-envs`; it starts in `memory_envs.__main__`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import memory_envs


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: Its arguments; by default those of the process.

    Returns:
        The exit code: 0 for success, 2 for wrong usage, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if arguments == ["--version"]:
        print(f"memory-envs {memory_envs.__version__}")
        return 0
    try:
        return _run(arguments)
    except ModuleNotFoundError as error:
        missing = f'{error.name} is not installed: pip install "memory-envs[agents]"'
        print(f"memory-envs: {missing}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("memory-envs: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away: `memory-envs list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(arguments: list[str]) -> int:
    # Not above: without the extra "agents" this fails, and `main` says what to install.
    from agents.cli.common import UsageError
    from agents.cli.parser import parse

    try:
        code: int = parse(arguments).run()
    except SystemExit as end:  # tyro has shown the help, or said what is wrong
        return end.code if isinstance(end.code, int) else 0
    except UsageError as error:
        print(f"memory-envs: {error}", file=sys.stderr)
        return 2
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
