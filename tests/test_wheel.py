"""The wheel, as `make test-wheel` tries it, but for the extras."""

import sys
from pathlib import Path

import pytest

from tests.wheel import build, check, try_alone


@pytest.mark.slow
def test_the_wheel_is_whole_and_plays_alone(tmp_path: Path) -> None:
    wheel = build(tmp_path)
    check(wheel)
    try_alone(wheel, sys.executable)
