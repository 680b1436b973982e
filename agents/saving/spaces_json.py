"""Settings and spaces as plain JSON, without loss and without pickle.

What JSON has no word for is an object with one key: ``$float`` (inf, nan), ``$schedule`` (SB3's
`LinearSchedule`), ``$held`` (our `HeldSchedule`), ``$function`` (what another schedule was last),
``$optimizer`` (a class of `torch.optim`), ``$activation`` (a module class of `torch.nn`) or
``$class`` (a class that was registered with `agents.register`). Anything else is refused.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule

from agents.saving.registry import find_class, is_registered
from agents.saving.schedules import HeldSchedule

# The most numbers that an observation or action may hold when it comes from a file.
_LARGEST_SPACE = 1 << 24


class FrozenSchedule(ConstantSchedule):
    """What a file keeps of a function: its value when it was saved."""


def encode(value: Any, name: str) -> Any:
    """Turns a setting into JSON.

    Args:
        value: Numbers, strings, None, lists, dicts, linear schedules, classes.
        name: Name of the setting, for the error.

    Raises:
        TypeError: If there is no JSON for it.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, np.generic):
        return encode(value.item(), name)
    if isinstance(value, list | tuple):
        return [encode(item, name) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: encode(item, f"{name}[{key!r}]") for key, item in value.items()}
    if isinstance(value, LinearSchedule):
        return {"$schedule": encode([value.start, value.end, value.end_fraction], name)}
    if isinstance(value, HeldSchedule):
        return {"$held": [value.start, value.end, value.hold]}
    if isinstance(value, type) and getattr(torch.optim, value.__name__, None) == value:
        return {"$optimizer": value.__name__}
    if isinstance(value, type) and getattr(torch.nn, value.__name__, None) == value:
        return {"$activation": value.__name__}
    if isinstance(value, type) and is_registered(value):
        return {"$class": [value.__name__, value.__module__]}
    raise TypeError(
        f"{name} is {value!r}, which a model file cannot hold; allowed: numbers, strings, None, "
        "lists, dicts, SB3's LinearSchedule, HeldSchedule, classes of torch.optim and torch.nn, "
        "and classes that were registered with agents.register"
    )


def encode_schedule(value: Any, name: str, progress_remaining: float) -> Any:
    """Turns a learning rate, clipping range or entropy weight into JSON.

    A function that is neither a linear nor a held schedule is stored as its current value, with a
    warning; it comes back as a `FrozenSchedule`.
    """
    while isinstance(value, FloatSchedule):
        value = value.value_schedule
    if type(value) is ConstantSchedule:
        value = value.val
    if not callable(value) or isinstance(value, LinearSchedule | HeldSchedule):
        return encode(value, name)
    now = float(value(progress_remaining))
    if not isinstance(value, FrozenSchedule):
        warnings.warn(
            f"{name} is a function, which a model file cannot hold; its current value {now} is "
            "stored instead. SB3's LinearSchedule would be stored as it is",
            stacklevel=4,
        )
    return {"$function": now}


def decode(value: Any) -> Any:
    """Reverses `encode`; tuples come back as lists.

    Raises:
        ValueError: If an object with a ``$`` key is not one of those above.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if not any(key.startswith("$") for key in value):
        return {key: decode(item) for key, item in value.items()}
    match value:
        case {"$float": "inf" | "-inf" | "nan" as number}:
            return float(number)
        case {"$schedule": [start, end, end_fraction]}:
            return LinearSchedule(*(_number(x) for x in (start, end, end_fraction)))
        case {"$held": [start, end, hold]}:
            return HeldSchedule(*(_number(x) for x in (start, end, hold)))
        case {"$function": value}:
            return FrozenSchedule(_number(value))
        case {"$optimizer": str(name)}:
            cls = getattr(torch.optim, name, None)
            if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer):
                return cls
        case {"$activation": str(name)}:
            cls = getattr(torch.nn, name, None)
            if isinstance(cls, type) and issubclass(cls, torch.nn.Module):
                return cls
        case {"$class": [str(name), str(module)]}:
            return find_class(name, object, module)
    raise ValueError(f"unknown value {str(value)[:200]}")


def _number(value: Any) -> float:
    number = decode(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"{str(value)[:200]} is not a number")
    return float(number)


def encode_space(space: spaces.Space[Any]) -> dict[str, Any]:
    """Turns a space into JSON.

    Raises:
        TypeError: If it is not `Discrete`, `MultiDiscrete`, `MultiBinary`, `Box` or `Dict`.
    """
    if isinstance(space, spaces.Dict):
        return {"type": "Dict", "spaces": [[key, encode_space(space[key])] for key in space]}
    if isinstance(space, spaces.MultiBinary):
        n = space.n if isinstance(space.n, int) else list(space.shape)
        return {"type": "MultiBinary", "n": n}  # Gymnasium tells 5 from (5,)
    if isinstance(space, spaces.Discrete):
        fields: dict[str, Any] = {"n": int(space.n), "start": int(space.start)}
    elif isinstance(space, spaces.MultiDiscrete):
        fields = {"n": space.nvec.tolist(), "start": space.start.tolist()}
    elif isinstance(space, spaces.Box):
        fields = {"low": _bound(space.low), "high": _bound(space.high), "shape": list(space.shape)}
    else:
        raise TypeError(f"space {space} cannot be stored in a model file")
    return {"type": type(space).__name__, **fields, "dtype": str(space.dtype)}


def _bound(bound: np.ndarray[Any, Any]) -> Any:
    """One number where all are equal, otherwise nested lists."""
    uniform = bound.size and (bound == bound.flat[0]).all()
    return encode(bound.flat[0].item() if uniform else bound.tolist(), "bound")


def decode_space(value: Any) -> spaces.Space[Any]:
    """Reverses `encode_space`.

    Raises:
        ValueError: If the JSON does not describe a space of reasonable size.
    """
    match value:
        case {"type": "Dict", "spaces": list(items)}:
            return spaces.Dict({str(key): decode_space(item) for key, item in items})
        case {"type": "MultiBinary", "n": list(shape)}:
            return spaces.MultiBinary(_shape(shape))
        case {"type": "MultiBinary", "n": int(n)}:
            return spaces.MultiBinary(_shape([n])[0])
        case {"type": "Discrete", "n": int(n), "start": int(start), "dtype": str(dtype)}:
            return spaces.Discrete(n, start=start, **_dtype(dtype))
        case {"type": "MultiDiscrete", "n": list(n), "start": list(start), "dtype": str(dtype)}:
            first = np.asarray(start, np.int64)
            return spaces.MultiDiscrete(np.asarray(n, np.int64), start=first, **_dtype(dtype))
        case {"type": "Box", "low": low, "high": high, "shape": list(shape), "dtype": str(dtype)}:
            kind = np.dtype(dtype)
            if kind.kind not in "biuf":
                raise ValueError(f"dtype {dtype} of a Box is not numeric")
            whole = _shape(shape)
            low, high = (
                np.broadcast_to(np.asarray(decode(bound)).astype(kind), whole).copy()
                for bound in (low, high)
            )
            return spaces.Box(low, high, dtype=kind.type)
    raise ValueError(f"{str(value)[:200]} is not a space")


def _shape(shape: list[Any]) -> tuple[int, ...]:
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in shape):
        raise ValueError(f"{str(shape)[:200]} is not a shape")
    if math.prod(shape) > _LARGEST_SPACE:
        raise ValueError(f"a space of shape {shape} is too large")
    return tuple(shape)


def _dtype(name: str) -> dict[str, Any]:
    """The dtype argument, where it is not the default (older Gymnasium has none)."""
    return {} if name == "int64" else {"dtype": np.dtype(name).type}
