"""Folders as the images that they contain."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dpid_cli.errors import FileError, reason
from dpid_cli.pictures import FORMATS

EXTENSIONS = frozenset(extension for format_ in FORMATS.values() for extension in format_.extensions)


def images_of(inputs: Iterable[str]) -> list[str]:
    """The paths, each folder replaced by its images sorted by name; a `FileError` if it has none."""
    images: list[str] = []
    for name in inputs:
        path = Path(name)
        if not path.is_dir():
            images.append(name)
            continue
        try:
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in EXTENSIONS and p.is_file())
        except OSError as error:
            raise FileError(f"{path}: cannot be read: {reason(error)}: check the folder") from error
        if not inside:
            raise FileError(f"{path}: contains no images: give another folder, or files")
        images += map(str, inside)
    return images
