"""Pages of results that are there only once there are results."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest


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


def check_first_page(
    docs: Path,
    named: Mapping[str, str],
    generate: Callable[[], object],
    keep: Callable[[], object],
    check: Callable[[Path], object],
) -> None:
    """Looks whether there is no page without results, and one that has to be named with them.

    Args:
        docs: The folder of the documentation, which is made.
        named: How its ``index.md`` and ``results/index.md`` name the page.
        generate: Writes the page, if there are results.
        keep: Adds a first result.
        check: See `check_pages`.
    """
    (docs / "results").mkdir(parents=True)
    for file in named:
        (docs / file).write_text("nothing yet", encoding="utf-8")
    generate()
    check(docs)
    keep()
    generate()
    with pytest.raises(AssertionError, match=r"index\.md names the page: False"):
        check(docs)
    for file, words in named.items():
        (docs / file).write_text(words, encoding="utf-8")
    check(docs)
