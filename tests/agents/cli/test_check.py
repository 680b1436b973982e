"""`memory-envs check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.algorithms.a2c import MemoryA2C
from agents.cli.main import main
from agents.evaluation.conformance import CHECKS, Adapter
from tests.agents.evaluation.conformance.bugs import SavesHalf


def make_with_half_a_file(make_env: Any, rows: int, seed: int) -> Adapter:
    return SavesHalf(make_env, rows, seed).adapter()


def test_a_model_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MemoryA2C("MemoryPolicy", "Tape-Copy-Easy-v0").save(tmp_path / "model.zip")
    assert main(["check", str(tmp_path / "model.zip"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert [found["check"] for found in report["findings"]] == [check.name for check in CHECKS]


def test_a_function_makes_adapters_and_a_failure_is_the_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", f"{__name__}:make_with_half_a_file"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("FAILED       files") for line in lines)
    assert lines[-1].endswith("14 ok, 1 failed, 1 not checked")
