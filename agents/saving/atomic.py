"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place if the block succeeds.

    Raises:
        OSError: If a file cannot be written; it names `path`, which is left as it was.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:  # else a power cut may leave a new name without content
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno is None:  # of a library: with a name alone its words would not be shown
            raise OSError(errno.EIO, str(error), str(path)) from error
        error.filename = str(path)  # a full disk is reported without any
        raise
    finally:
        # Where nothing could be written there is nothing to remove, and no second complaint.
        with suppress(OSError):
            temporary.unlink()


def copy_whole(source: Path, path: Path) -> None:
    """Copies a file, whole or not at all."""
    with whole_file(path) as temporary:
        shutil.copyfile(source, temporary)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")
