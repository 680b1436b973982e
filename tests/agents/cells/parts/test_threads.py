"""Rows in threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from agents.cells.parts.threads import in_threads, row_chunks


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_rows_are_shared_out() -> None:
    assert row_chunks(31, 8) == [10, 10, 11]
    assert row_chunks(23, 8) == [11, 12]
    assert row_chunks(15, 8) == [15]
    assert row_chunks(0, 8) == [0]
    torch.set_num_threads(1)
    assert row_chunks(1000, 8) == [1000]


def test_each_chunk_has_a_thread_that_shares_no_work() -> None:
    together = threading.Barrier(3, timeout=60)

    def look(chunk: int) -> tuple[int, int, bool, bool]:
        together.wait()  # in one thread this would wait for ever
        main = threading.current_thread() is threading.main_thread()
        return chunk, torch.get_num_threads(), torch.is_grad_enabled(), main

    found = in_threads(look, [5, 6, 7])
    assert found == [(5, 1, False, True), (6, 1, False, False), (7, 1, False, False)]
    assert torch.get_num_threads() == 3
    assert torch.is_grad_enabled()


def test_one_chunk_needs_no_thread() -> None:
    assert in_threads(lambda _: torch.get_num_threads(), ["all"]) == [3]


@pytest.mark.parametrize("bad", [0, 1])
def test_an_error_in_a_thread_is_raised(bad: int) -> None:
    def fail(chunk: int) -> None:
        if chunk == bad:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        in_threads(fail, [0, 1])
    assert torch.get_num_threads() == 3
