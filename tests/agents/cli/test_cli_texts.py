"""Texts of one's own on the command line: trained on, and gone when they are asked for again."""

import json
from pathlib import Path

import pytest

from agents.cli.main import main

Capture = pytest.CaptureFixture[str]
TRAIN = "train Stream-Logic-v0 --algo mann_rl --n-envs 64 --timesteps 100"
DANCE = "algorithm.settle=1 algorithm.history=3 algorithm.memory_samples=2"
PAIRS = [[list("or10=|"), list(".or101")], [list("and10=|"), list(".and100")]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose data were moved when it was done."""
    folder = tmp_path_factory.mktemp("texts")
    data = folder / "data"
    data.mkdir()
    text = json.dumps({"train": PAIRS, "validation": PAIRS})
    (data / "logic.dataset.json").write_text(text, encoding="utf-8")
    out = folder / "run"
    assert main([*f"{TRAIN} --out {out} --set env_kwargs.data={data} {DANCE}".split()]) == 0
    data.rename(folder / "elsewhere")
    return out


@pytest.mark.parametrize("command", ["evaluate", "trace", "memory-map", "train --continue-from"])
def test_data_that_are_gone_are_named_in_one_line(
    run: Path, tmp_path: Path, command: str, capsys: Capture
) -> None:
    more = ["--timesteps", "2000"] if command.startswith("train") else []
    out = [] if command == "evaluate" else ["--out", str(tmp_path / "new")]
    assert main([*command.split(), str(run), *more, *out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"memory-envs: data is '{run.parent / 'data'}'; allowed: folders that exist"
    assert not (tmp_path / "new").exists()
    moved = run.parent / "elsewhere"
    if command == "evaluate":
        assert main([command, str(run), "--episodes", "2", "--set", f"data={moved}"]) == 0


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (f"{TRAIN} --set env_kwargs.data=/nowhere", "data is '/nowhere'; allowed: folders"),
        ("certify Stream-Tagging-v0 --set data=/nowhere", "data is '/nowhere'; allowed: folders"),
        (f"{TRAIN} --set evaluation_kwargs.data=/nowhere", "data is '/nowhere'; allowed: folders"),
        (TRAIN.replace("Logic", "bAbI-QA1"), "streams in which an answer is due at every step"),
        (TRAIN.replace("Logic", "Copy"), "streams in which an answer is due at every step"),
        (f"{TRAIN} --set policy.optimizer_class=AdamW", "allowed with MannRL: nothing"),
    ],
)
def test_what_cannot_be_trained_on_is_named_before_anything_is_written(
    tmp_path: Path, command: str, complaint: str, capsys: Capture
) -> None:
    out = ["--out", str(tmp_path / "new")] if command.startswith("train") else []
    assert main([*command.split(), *out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
    assert not (tmp_path / "new").exists()
