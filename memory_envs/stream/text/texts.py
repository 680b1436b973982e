"""The tasks that are made of a text, by name."""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from types import NoneType
from typing import Any

from memory_envs.arguments import check_instance
from memory_envs.stream.task import StreamTask
from memory_envs.stream.text.babi import BABI, JOINT, babi, babi_name
from memory_envs.stream.text.tasks import logic, sentences, tagging

TEXTS: dict[str, Callable[..., StreamTask]] = {
    "Logic": logic,
    "Tagging": tagging,
    "Sentences": sentences,
    JOINT: partial(babi, BABI),
    **{babi_name(number): partial(babi, (number,)) for number in BABI},
}


def text_options(name: str) -> tuple[str, ...]:
    """Returns the arguments of an environment that choose the text of a task."""
    of_babi = ("level", "pauses", "question_pauses", "pauses_show", "exchange_names", "balanced")
    return ("split", "data", *(of_babi if name.startswith(JOINT) else ()))


def text_task(name: str, **options: Any) -> StreamTask:
    """Returns a task of a text.

    Args:
        name: A name in `TEXTS`.
        **options: ``split``: the part of the data, by default "train". ``data``: where they are;
            None for those of the package, which are read once. Others of bAbI, see `babi`.

    Raises:
        TypeError, ValueError, FileNotFoundError: For a bad argument, or a bad file.
    """
    split, data = options.pop("split", "train"), options.pop("data", None)
    check_instance("data", data, (str, Path, NoneType), "None, a folder")
    # What is of another type is refused by the task, which knows what it allows.
    can_be_kept = all(isinstance(value, str | int) for value in (split, *options.values()))
    if data is None and can_be_kept:
        return _packaged(name, split, **options)
    return TEXTS[name](split, data, **options)


# By type, too: True is refused, where 1 may be kept.
@lru_cache(maxsize=64, typed=True)
def _packaged(name: str, split: str, **options: Any) -> StreamTask:
    return TEXTS[name](split, None, **options)
