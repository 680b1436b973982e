"""Pages of results that are there only once there are results."""

from collections.abc import Iterable, Mapping
from pathlib import Path


def check_pages(docs: Path, name: str, pages: Iterable[Path], expected: Mapping[Path, str]) -> None:
    """Compares pages with what writes them, and what names the first with whether it is there.

    Args:
        docs: The folder of the documentation.
        name: The page's name in ``results/``.
        pages: The files.
        expected: What is to be in them; nothing without results.
    """
    for path in pages:
        found = path.read_text(encoding="utf-8") if path.exists() else None
        assert found == expected.get(path), f"{path}: run its generator"
    contents = {"index.md": f"\nresults/{name}\n", "results/index.md": f"]({name}.md)"}
    for file, words in contents.items():
        named = words in (docs / file).read_text(encoding="utf-8")
        assert named == bool(expected), f"{file} names the page: {named}"
