"""The command `memory-envs`, also ``python -m memory_envs``.

It starts here, outside of `agents`, because other packages are called `agents`, too: one that is
found in place of ours is then named, with what to do about it.
"""

import sys
from importlib import import_module
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

_HERE = Path(__file__).parents[1]
_FIRST_WORDS = '"""Agents with memory:'  # of our own agents/__init__.py


def shadow() -> str | None:
    """Returns what to say if `import agents` would find another package than ours; else None.

    Nothing of the other package is run.
    """
    spec = find_spec("agents")
    if spec is None:
        return 'agents is not installed: pip install "memory-envs[agents]"'
    found = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))
    ours = _HERE / "agents" / "__init__.py"
    if found.name == ours.name and found.read_text("utf-8", "replace").startswith(_FIRST_WORDS):
        return None
    if found == ours:
        others = set(packages_distributions().get("agents", ())) - {"memory-envs"}
        owner = " or ".join(sorted(others)) or "another distribution"
        return (
            f"{found} is not ours: it is that of {owner}, which was installed over it. Install "
            "memory-envs into an environment of its own: python -m venv"
        )
    return (
        f"{found} is found in place of our package agents. Start the command from another folder, "
        "take that one's out of PYTHONPATH, or rename it; if it is an installed package, install "
        "memory-envs into an environment of its own: python -m venv"
    )


def main() -> int:
    """Runs the command line, if it is ours.

    Returns:
        The exit code, see `agents.cli.main`.
    """
    message = shadow()
    if message is not None:
        print(f"memory-envs: {message}", file=sys.stderr)
        return 2
    code: int = import_module("agents.cli.main").main()
    return code


if __name__ == "__main__":
    sys.exit(main())
