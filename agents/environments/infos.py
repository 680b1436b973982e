"""What a Gymnasium vector environment gives for all rows at once, taken apart into rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def pick_rows(values: Any, rows: npt.NDArray[np.intp]) -> list[Any]:
    """The given rows, one Python object each.

    Args:
        values: ``(B, ...)``; or a dict or a tuple of such values, of which each row is one too.
        rows: their numbers, ``(n,)``.
    """
    if isinstance(values, dict):
        columns = [pick_rows(value, rows) for value in values.values()]
        return [dict(zip(values, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(values, tuple):
        return list(zip(*(pick_rows(value, rows) for value in values), strict=True))
    picked = np.asarray(values)[rows]
    return picked.tolist() if picked.ndim == 1 and picked.dtype != object else list(picked)


def info_rows(infos: dict[str, Any], rows: npt.NDArray[np.intp]) -> list[dict[str, Any]]:
    """The infos of the given rows, one dict each.

    Args:
        infos: values ``(B, ...)`` by key; the array `_key` says which rows have `key`.
        rows: their numbers, ``(n,)``.
    """
    result: list[dict[str, Any]] = [{} for _ in rows]
    for key, values in infos.items():
        if key.startswith("_") and key[1:] in infos:
            continue
        has_key = infos.get(f"_{key}")
        there = np.ones(len(rows), np.bool_) if has_key is None else np.asarray(has_key)[rows]
        if isinstance(values, dict):
            picked = info_rows(values, rows[there])
        elif np.ndim(values) == 0:  # one value for all rows
            picked = [values] * int(there.sum())
        else:
            picked = pick_rows(values, rows[there])
        for index, value in zip(np.flatnonzero(there), picked, strict=True):
            result[index][key] = value
    return result
