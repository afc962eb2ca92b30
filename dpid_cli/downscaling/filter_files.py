"""Files of learned guidance: small JSON objects, written completely or not at all."""

from __future__ import annotations

import json
import os
import reprlib
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dpid_cli.errors import ArgumentError, one_line, reason
from dpid_cli.files.output import atomic

FORMAT, VERSION = "dpid-filter", 1

_PACKAGED = Path(__file__).parent / "data"
_LARGEST_FILE = 4 << 20
_REQUIRED = ("format", "version", "grid", "kernel")


def check_path(name: str, path: object) -> None:
    """Raise an `ArgumentError` if the argument `name` is no path."""
    if isinstance(path, bytes) or not isinstance(path, str | os.PathLike) or "\0" in os.fspath(path):
        raise ArgumentError(f"{name} must be a path (got {short(path)})")


def packaged(name: str) -> bytes:
    """Return the content of a filter that comes with the package."""
    return (_PACKAGED / f"{name}.json").read_bytes()


def content_of(path: Path) -> bytes:
    """Return the content of a regular file of reasonable size, or raise an `ArgumentError`."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ArgumentError(f"{path}: not a regular file: give a filter file")
        with path.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be read: {reason(error)}: check the path") from error
    if len(content) > _LARGEST_FILE:
        raise ArgumentError(
            f"{path}: not a filter: larger than {_LARGEST_FILE >> 20} MiB: give a file from 'dpid learn'"
        )
    return content


def parsed(content: bytes, name: str, known: Collection[str]) -> dict[str, Any]:
    """Return the fields of a filter file, without its format and version.

    Raises an `ArgumentError` if it is no JSON object, a required field is missing, or a field is not `known`.
    """
    if not content.strip():
        raise ArgumentError(f"{name}: not a filter: is empty: give a file from 'dpid learn'")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(
            f"{name}: not a filter: found no JSON ({one_line(error)}): give a file from 'dpid learn'"
        ) from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        value = values.get("format") if isinstance(values, dict) else values
        raise ArgumentError(
            f"{name}: format: found {short(value)}: expected {FORMAT!r}, as 'dpid learn' writes"
        )
    if values.get("version") != VERSION or isinstance(values["version"], bool):
        raise ArgumentError(f"{name}: version: found {short(values.get('version'))}: expected {VERSION}")
    for key in _REQUIRED:
        if key not in values:
            raise ArgumentError(f"{name}: {key}: found nothing: expected a value")
    for key in values:
        if key not in known and key not in _REQUIRED:
            raise ArgumentError(f"{name}: {short(key)}: found an unknown field: expected {', '.join(known)}")
    return {key: value for key, value in values.items() if key in known}


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a filter file: format, version and `values` as JSON types."""
    return {"format": FORMAT, "version": VERSION, **{key: _plain(value) for key, value in values.items()}}


def write(path: Path, values: Mapping[str, Any], overwrite: bool) -> None:
    """Write fields as a JSON file, one per line; at every moment there is the old file or the whole new one.

    Raises a `FileError` if the file exists, unless `overwrite`, or cannot be written.
    """
    if path.suffix != ".json":
        raise ArgumentError(f"{path}: a filter file must end in .json: use {path}.json")
    lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in values.items())
    with atomic(path, overwrite) as stream:
        stream.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())


def short(value: Any) -> str:
    """Return a representation of `value` that fits into a message."""
    return "nothing" if value is None else reprlib.repr(value)


def _plain(value: Any) -> Any:
    """`value` with lists for arrays and tuples and dictionaries for mappings, as JSON returns them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def shape_of(values: Any) -> tuple[int, ...]:
    """The shape of an array or of nested lists of equal lengths; () for anything else."""
    try:
        return np.shape(values if isinstance(values, np.ndarray) else np.asarray(values, dtype=object))
    except Exception:  # other libraries raise whatever they like
        return ()
