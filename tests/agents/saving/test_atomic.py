"""A file holds all of what was written to it, or what it held before."""

import os
import shutil
from pathlib import Path

import pytest

from agents.saving.atomic import copy_whole, whole_file, write_json, write_text


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with whole_file(path) as temporary:
        temporary.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"

    def fail() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    assert path.read_text() == "first"
    assert os.listdir(path.parent) == ["file.txt"]


def test_two_processes_may_write_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.txt"
    with whole_file(path) as ours:
        ours.write_text("ours")
        monkeypatch.setattr(os, "getpid", lambda: 0)
        with whole_file(path) as theirs:
            theirs.write_text("theirs")
        assert path.read_text() == "theirs"
    assert path.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_text(path, "before")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "x" * 100_000 + "\ud800")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, [0.0, float("nan")])
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match=r"file\.json") as error:
        write_text(path / "below.txt", "x")
    assert error.value.filename == str(path / "below.txt")


def test_a_copy_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, path = tmp_path / "source", tmp_path / "path"
    source.write_text("new")
    path.write_text("old")

    def fail(_source: Path, target: Path) -> None:
        target.write_text("n")
        raise OSError("encoder error -2")  # as libraries say it

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", fail)
        with pytest.raises(OSError, match="encoder error -2") as error:
            copy_whole(source, path)
    assert error.value.filename == str(path)
    assert path.read_text() == "old"
    copy_whole(source, path)
    assert path.read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut could leave the new name without the new content."""
    path, synced = tmp_path / "file.txt", []

    def sync(handle: int) -> None:
        assert not path.exists()
        synced.append(os.fstat(handle).st_size)

    monkeypatch.setattr(os, "fsync", sync)
    write_text(path, "hello")
    assert synced == [5]


def test_where_there_is_no_folder_the_file_is_named(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "a file, not a folder")
    path = tmp_path / "file" / "inner" / "x.txt"
    with pytest.raises(OSError, match=r"Not a directory|File exists") as raised:
        write_text(path, "")
    assert raised.value.filename == str(path)
