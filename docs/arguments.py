"""A list of the arguments of a class, which docs/generate.py puts on pages."""

import inspect
import re
from typing import Any


def arguments_list(cls: type[Any], hidden: tuple[str, ...] = ()) -> str:
    """Returns the arguments of a class with their defaults as a Markdown list, "" if it has none.

    Args:
        cls: The class. What a subclass takes of its base may be described there.
        hidden: Arguments that are left out.
    """
    parameters = inspect.signature(cls).parameters
    docstrings = [inspect.cleandoc(base.__doc__ or "") + "\n" for base in cls.__mro__]
    section = re.search(r"\nArgs:\n((?:    .*\n)+)", "".join(docstrings))
    assert section is not None
    described = re.findall(r"^    (\**)(\w+): (.*(?:\n        .*)*)", section[1], re.MULTILINE)
    lines = [
        f"- `{stars}{name}{_default(parameters[name])}`: {' '.join(text.split())}"
        for stars, name, text in described
        if name not in hidden
    ]
    return "\n".join(lines).replace("``", "`")


def _default(parameter: inspect.Parameter) -> str:
    return "" if parameter.default is parameter.empty else f"={parameter.default!r}"
