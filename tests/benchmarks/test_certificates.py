"""The page of the certificates shows those that come with the package."""

from benchmarks.certificates import PAGE, page
from memory_envs import ENVIRONMENTS
from memory_envs.certificates import read_certificates


def test_the_page_shows_the_packaged_certificates_of_every_id() -> None:
    assert list(read_certificates()) == list(ENVIRONMENTS)
    assert PAGE.read_text(encoding="utf-8") == page()
