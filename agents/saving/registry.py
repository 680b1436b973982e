"""The classes of a user's own that a model file may name: cells, encoders, policies.

A file holds a class's name. Loading looks the name up here; it imports nothing that a file names,
so that no file can run code. A class that is passed to a constructor is registered by that. In
another process its module has to be imported and `register` called before such a file is loaded.
"""

from __future__ import annotations

from typing import Any, TypeVar

C = TypeVar("C", bound=type[Any])

_CLASSES: dict[str, type[Any]] = {}


class UnknownClassError(ValueError):
    """A class is needed that is not registered; says what to register."""


def register(cls: C) -> C:
    """Makes a class known to model files by its name; may be used as a decorator.

    A class that was defined anew, as when a notebook's cell is run again, replaces the old one.

    Args:
        cls: A memory cell, an encoder, an SB3 `BaseFeaturesExtractor` or a policy.

    Returns:
        The class.

    Raises:
        ValueError: If another class has that name.
        TypeError: If it is no class.
    """
    if not isinstance(cls, type):
        raise TypeError(f"cls is {cls!r}; allowed: a class")
    name = cls.__name__
    known = _CLASSES.get(name, cls)
    if _origin(known) != _origin(cls):
        raise ValueError(
            f"cls is {_origin(cls)}, but model files know {_origin(known)} by the name {name!r}; "
            "allowed: one class of a name"
        )
    _CLASSES[name] = cls
    return cls


def find_class(name: str, base: type[Any], module: str = "the module that defines it") -> type[Any]:
    """Returns a registered class.

    Args:
        name: Its name.
        base: What it must be a subclass of.
        module: Where it was defined, for the message.

    Raises:
        UnknownClassError: If there is no such class; says what to register.
        ValueError: If it is of another kind.
    """
    if name not in _CLASSES:
        raise UnknownClassError(
            f"the class {name[:100]!r} is not registered; import it from {module[:200]} and call "
            f"agents.register({name[:100]}) first"
        )
    found = _CLASSES[name]
    if not issubclass(found, base):
        raise ValueError(f"{name} is {_origin(found)}; allowed: a subclass of {base.__name__}")
    return found


def is_registered(cls: type[Any]) -> bool:
    """Says whether a model file may name the class."""
    known = _CLASSES.get(cls.__name__)
    return known is not None and _origin(known) == _origin(cls)  # or it was defined anew


def registered_names(base: type[Any]) -> list[str]:
    """Returns the names of the registered classes that are subclasses of `base`."""
    return [name for name, cls in _CLASSES.items() if issubclass(cls, base)]


def _origin(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
