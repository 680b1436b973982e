"""Rows of a batch in threads: what has no product large enough to be split within."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

A = TypeVar("A")
R = TypeVar("R")


def in_threads(function: Callable[[A], R], chunks: Sequence[A]) -> list[R]:
    """Calls a function for each chunk, each in a thread of its own and without gradients.

    Within them PyTorch splits no operation further; it has as many threads as before when all are
    done. Python runs one of the threads at a time: this pays where nearly all time is spent in
    operations of PyTorch or in compiled kernels.
    """
    if len(chunks) == 1:
        return [function(chunks[0])]
    threads = torch.get_num_threads()

    def alone(chunk: A) -> R:
        torch.set_num_threads(1)  # of this thread, and of threads to come
        with torch.no_grad():
            return function(chunk)

    try:
        with ThreadPoolExecutor(len(chunks) - 1) as pool:
            others = [pool.submit(alone, chunk) for chunk in chunks[1:]]
            return [alone(chunks[0]), *(other.result() for other in others)]
    finally:
        torch.set_num_threads(threads)


def row_chunks(rows: int, smallest: int) -> list[int]:
    """Returns how many rows each thread gets, at least `smallest` unless there are fewer."""
    count = max(1, min(torch.get_num_threads(), rows // smallest))
    return [(rows + k) // count for k in range(count)]
