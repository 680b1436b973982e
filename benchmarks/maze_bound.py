"""What memory can give in the maze: ``python -m benchmarks.maze_bound [SIZE ...]``.

Prints for each size, with 250 steps, what is expected of best play that knows the goal, of best
play that has to find it first, and of best play that besides has to work out where it was put
(`memory_envs.oracles.maze_search`). The last is the best that any agent can do.
"""

import argparse

from memory_envs.maze.layout import make_layout
from memory_envs.oracles.maze_search import Value, known_goal_values, search_value

_MAX_STEPS = 250


def main() -> None:
    """Prints the bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[9], metavar="SIZE")
    for size in parser.parse_args().sizes:
        start = make_layout(size).start
        known = known_goal_values(size, _MAX_STEPS)[_MAX_STEPS][:, start].mean()
        found, lost = (_shown(search_value(size, _MAX_STEPS, knows_place=p)) for p in (True, False))
        print(
            f"{size}x{size}: goal known {known:.3f}, to be found {found}, place too {lost}",
            flush=True,
        )


def _shown(value: Value) -> str:
    lower, upper = value
    return f"{lower:.3f}" if lower == upper else f"between {lower:.3f} and {upper:.3f}"


if __name__ == "__main__":
    main()
