"""Directories as the images that lie in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dpid_cli.errors import FileError
from dpid_cli.files.targets import reason
from dpid_cli.pictures import FORMATS

EXTENSIONS = frozenset(extension for format_ in FORMATS.values() for extension in format_.extensions)


def images_of(inputs: Iterable[str]) -> list[str]:
    """Paths, with directories replaced by their images in the order of the names, or a `FileError`."""
    found: list[str] = []
    for name in inputs:
        path = Path(name)
        if not path.is_dir():
            found.append(name)
            continue
        try:
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in EXTENSIONS and p.is_file())
        except OSError as error:
            raise FileError(f"{path}: cannot be read: {reason(error)}: check the directory") from error
        if not inside:
            raise FileError(f"{path}: no image lies in it: give another directory, or files")
        found += map(str, inside)
    return found
