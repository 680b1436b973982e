"""What `memory-envs list` says of optimal play is what the oracles say."""

from agents.cli.optima import read_optima
from benchmarks.optima import summaries
from memory_envs import ENVIRONMENTS


def test_the_packaged_optima_are_those_of_the_oracles() -> None:
    assert read_optima() == summaries()
    assert list(read_optima()) == list(ENVIRONMENTS)
