"""The container of a model: a zip of one JSON and one safetensors member, both uncompressed.

Reading trusts nothing: only these two members are accepted, nothing is unpacked to disk, nothing is
executed, and no more memory is taken than the file is long.
"""

from __future__ import annotations

import json
import os
import zipfile
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any, NoReturn, TypeAlias

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from agents.saving.atomic import whole_file

METADATA = "metadata.json"
TENSORS = "tensors.safetensors"
_LARGEST_METADATA = 1 << 20


# Where a model is read from or written to: a path, or a file that is open in binary mode.
ModelSource: TypeAlias = str | Path | BufferedIOBase


class ModelFileError(ValueError):
    """A file is not a model file of ours, or is damaged. Names the file and the reason."""

    def __init__(self, path: Path | BufferedIOBase, reason: str) -> None:
        super().__init__(f"{path} is not a valid model file: {reason}")
        self.path = path
        self.reason = reason


def write_archive(
    path: Path | BufferedIOBase, metadata: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    """Writes a model file; a former file at a path is replaced at once or not at all.

    Args:
        path: A path, whose missing folders are made; or an open file.
        metadata: What `json` can write.
        tensors: Finite tensors by name.

    Raises:
        ValueError: If a tensor is not finite; nothing is written.
    """
    for name, tensor in tensors.items():
        if not _is_finite(tensor):
            raise ValueError(f"tensor {name} is not finite; nothing was written to {path}")
    text = json.dumps(metadata, indent=2, allow_nan=False)
    data = safetensors.torch.save({k: t.detach().cpu().clone() for k, t in tensors.items()})
    if not isinstance(path, Path):
        _write_members(path, text, data)
        return
    with whole_file(path) as temporary, temporary.open("wb") as file:
        _write_members(file, text, data)


def _write_members(file: IO[bytes] | BufferedIOBase, text: str, data: bytes) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        # The default date of ZipInfo is fixed: the same model gives the same bytes.
        archive.writestr(zipfile.ZipInfo(METADATA), text)
        archive.writestr(zipfile.ZipInfo(TENSORS), data)


def read_archive(path: Path | BufferedIOBase) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Reads a model file.

    Returns:
        The metadata, and the tensors on the CPU.

    Raises:
        ModelFileError: If it is not a well-formed model file.
        OSError: If it cannot be read at all.
    """
    text, data = _read_members(path)
    try:
        metadata = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(path, f"{METADATA} is not JSON ({error})") from error
    if not isinstance(metadata, dict):
        raise ModelFileError(path, f"{METADATA} is not an object")
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise ModelFileError(path, f"{TENSORS} is damaged ({error})") from error
    for name, tensor in tensors.items():
        if not _is_finite(tensor):
            raise ModelFileError(path, f"tensor {name} is not finite")
    return metadata, tensors


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")


def _read_members(path: Path | BufferedIOBase) -> tuple[bytes, bytes]:
    length = path.stat().st_size if isinstance(path, Path) else path.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive.infolist(), length)
            return archive.read(METADATA), archive.read(TENSORS)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(path, f"it is no readable zip ({error})") from error


def _check_members(
    path: Path | BufferedIOBase, members: list[zipfile.ZipInfo], length: int
) -> None:
    names = sorted(member.filename for member in members)
    if names != sorted((METADATA, TENSORS)):
        known = "it was saved by Stable-Baselines3: " if "policy.pth" in names else ""
        raise ModelFileError(
            path, f"{known}it holds {str(names)[:200]} instead of {METADATA} and {TENSORS}"
        )
    for member in members:
        # Without compression a member cannot be longer than the file.
        if member.compress_type != zipfile.ZIP_STORED or member.file_size > length:
            raise ModelFileError(path, f"{member.filename} is compressed")
        if member.filename == METADATA and member.file_size > _LARGEST_METADATA:
            raise ModelFileError(
                path, f"{METADATA} has {member.file_size} bytes; allowed: {_LARGEST_METADATA}"
            )
