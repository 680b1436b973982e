"""All streams and strings that a task's `sample` can write, by trying every draw.

`sample` is a plain function whose randomness comes from `memory_envs.draw`. Here it runs in Python
with another `draw` in its place, that takes its numbers from a script; the scripts are gone through
like the digits of a counter, until every outcome of every draw has been tried. So exact figures are
had of anybody's task, as long as there are not too many outcomes.
"""

import math
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any, TypeVar

from memory_envs.core import rng

MOST_OUTCOMES = 20_000
_MOST_DRAWS = 2_000  # of one outcome: who draws until it fits may never be done
T = TypeVar("T")


class NotEnumerableError(Exception):
    """The outcomes of a function cannot be listed: too many, or not by `draw` alone."""


class _Script:
    """Stands in for `draw`."""

    def __init__(self) -> None:
        self.chosen: list[int] = []
        self.bounds: list[int] = []
        self.position = 0

    def draw(self, row: Any, bound: int) -> int:
        if self.position == _MOST_DRAWS:
            raise NotEnumerableError(f"more than {_MOST_DRAWS} draws")
        if self.position == len(self.chosen):
            self.chosen.append(0)
            self.bounds.append(int(bound))
        self.position += 1
        return self.chosen[self.position - 1]

    def advance(self) -> bool:
        """Goes on to the next script; says whether there is one."""
        del self.chosen[self.position :], self.bounds[self.position :]
        self.position = 0
        while self.chosen and self.chosen[-1] + 1 == self.bounds[-1]:
            self.chosen.pop()
            self.bounds.pop()
        if self.chosen:
            self.chosen[-1] += 1
        return bool(self.chosen)

    def probability(self) -> float:
        return 1.0 / math.prod(self.bounds[: self.position])


def _refuse(*arguments: Any) -> Any:
    raise NotEnumerableError("randomness that is not from memory_envs.draw")


class _Module:
    """A module in which `draw` is another."""

    def __init__(self, module: ModuleType, script: _Script) -> None:
        self._module, self._script = module, script

    def __getattr__(self, name: str) -> Any:
        return _replaced(getattr(self._module, name), self._script, {})


def _replaced(value: Any, script: _Script, done: dict[Any, Any]) -> Any:
    """Returns `value` with `draw` replaced, in functions that it is or calls."""
    if value is rng.draw:
        return script.draw
    if value is rng.uniform or value is rng.next_word:
        return _refuse
    function = getattr(value, "py_func", value)  # what Numba compiled is run in Python
    if isinstance(function, ModuleType) and function.__name__.partition(".")[0] == "memory_envs":
        return _Module(function, script)
    if not isinstance(function, FunctionType) or function.__module__.startswith("numpy"):
        return value
    if function not in done:
        names = dict(function.__globals__)
        done[function] = FunctionType(
            function.__code__, names, function.__name__, function.__defaults__, function.__closure__
        )
        for name in function.__code__.co_names:
            if name in names:
                names[name] = _replaced(names[name], script, done)
    return done[function]


def outcomes(
    function: Callable[..., Any], run: Callable[[Callable[..., Any]], T], most: int = MOST_OUTCOMES
) -> Iterator[tuple[float, T]]:
    """Yields everything that can come of a function, and how likely.

    Args:
        function: It draws its randomness by `memory_envs.draw`.
        run: Calls what it is given in place of `function`, and returns what came of it.
        most: How many outcomes there may be.

    Raises:
        NotEnumerableError: If there are more, or the function draws by other means.
    """
    script = _Script()
    scripted = _replaced(function, script, {})
    for _ in range(most):
        result = run(scripted)
        yield script.probability(), result
        if not script.advance():
            return
    raise NotEnumerableError(f"more than {most} outcomes")
