"""Where the texts are: those that come with the package, or a folder of one's own."""

import gzip
import zlib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from memory_envs.arguments import shown

Folder = str | Path | None


class Text(NamedTuple):
    """The lines of a file.

    Attributes:
        name: The file, as errors call it.
        lines: Its lines, without their ends.
    """

    name: str
    lines: list[str]

    def numbered(self) -> Iterator[tuple[str, str]]:
        """Yields each line after where it stands, such as "words.txt, line 3"."""
        for number, line in enumerate(self.lines, start=1):
            yield place_of(self.name, number), line


def place_of(name: str, line: int) -> str:
    """Returns how errors call a line of a file."""
    return f"{name}, line {line}"


def read_text(folder: Folder, package_folder: str, name: str, source: str = "") -> Text:
    """Reads a file, compressed by gzip or not.

    Args:
        folder: Where the user keeps it; None for the file that comes with the package.
        package_folder: The folder of the latter, below ``data``.
        name: Name of the file, without ".gz".
        source: What the error adds if it is not there, such as where to get it.

    Raises:
        FileNotFoundError: If it is not there, naming the folder and what is looked for.
        ValueError: If it is no text in UTF-8, or not compressed as its name says.
    """
    place: Traversable
    if folder is None:
        place = files("memory_envs.stream.text").joinpath("data", package_folder)
    else:
        place = Path(folder)
        if not place.is_dir():
            raise FileNotFoundError(f"data is {shown(str(folder))}; allowed: folders that exist")
    for candidate in (name, f"{name}.gz"):
        path = place.joinpath(candidate)
        if path.is_file():
            return _read(path)
    raise FileNotFoundError(
        f"data is {shown(str(place))}; allowed: a folder that holds {name} or {name}.gz{source}"
    )


def has_text(folder: Folder, name: str) -> bool:
    """Says whether a folder of the user's has a file, compressed by gzip or not."""
    return folder is not None and any(Path(folder, n).is_file() for n in (name, f"{name}.gz"))


def _read(path: Traversable) -> Text:
    content = path.read_bytes()
    try:
        if path.name.endswith(".gz"):
            content = gzip.decompress(content)
        # Some editors begin a file with a mark, which is no part of its first word.
        # A line ends where editors and Python's files end it: str.splitlines knows more ends, and
        # some of these are parts of words.
        return Text(
            str(path), [line.rstrip("\n") for line in StringIO(content.decode("utf-8-sig"), None)]
        )
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}; allowed: text in UTF-8") from error
