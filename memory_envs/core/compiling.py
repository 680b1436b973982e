"""Compiling what a task is made of: plain functions, the project's own or a user's."""

import zlib
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

from numba.extending import register_jitable

# For functions of the project's tasks: what is cached on disk must not refer to compiled functions,
# as these differ in each process.
inline = register_jitable(inline="always")


def fingerprint(functions: Sequence[Callable[..., Any]], *others: object) -> int:
    """Returns a number that differs where the functions, or what else is given, do."""
    contents = [_content(function.__code__) for function in functions]
    return zlib.crc32(repr((*others, contents)).encode())


def _content(code: CodeType) -> Any:
    """Returns what a function does, without where it is in memory."""
    consts = (_content(x) if isinstance(x, CodeType) else x for x in code.co_consts)
    return code.co_code, tuple(consts)


def named(function: Any, fingerprint: int) -> Any:
    """Returns a function whose machine code has a name that no other task's has.

    Numba calls it after the Python function and the number of functions that the process compiled
    before it. Two tasks that two processes put into the cache can thus have the same name, and a
    process that loads both would run the first of them for both.

    It is also what tells the tasks apart on disk: Numba finds a cached function by its source line
    and by what its closure holds, and `advance` holds `begin` with this name.
    """
    function.__qualname__ = f"{function.__name__}_{fingerprint:08x}"
    return function
