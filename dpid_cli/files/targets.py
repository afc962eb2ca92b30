"""Output paths: default names, and checks that protect inputs and existing files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from dpid_cli.errors import FileError, reason


def default_name(stem: str, method: str, scale: float | None, size: tuple[int, int], extension: str) -> str:
    """``{stem}_{method}_x{scale}{ext}``, or ``_{width}x{height}`` where the request was not a scale."""
    what = f"{size[0]}x{size[1]}" if scale is None else f"x{scale:.6g}"
    return f"{stem}_{method}_{what}{extension}"


def same_file(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, through links too."""
    try:
        return path.samefile(other)
    except OSError:
        return path.absolute() == other.absolute()


def check_target(target: Path, inputs: Iterable[Path], written: Iterable[Path], overwrite: bool) -> None:
    """Raise a `FileError` if writing `target` would lose something, or cannot succeed.

    Parameters
    ----------
    target : Path
    inputs, written : iterable of Path
        The inputs of the run, and the outputs that it has written so far; neither is ever replaced.
    overwrite : bool
        Whether other existing files may be replaced.
    """
    if any(same_file(target, path) for path in inputs):
        raise is_input(target)
    if any(same_file(target, path) for path in written):
        raise FileError(f"{target}: another output of this run has this name: choose another output")
    try:
        if target.is_dir():
            raise is_a_folder(target)
        kind = os.lstat(target).st_mode
    except (FileNotFoundError, NotADirectoryError):
        _check_folder(target)
        return
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {reason(error)}: choose another output") from error
    if not overwrite:
        raise exists_already(target)
    if not stat.S_ISREG(kind):
        raise FileError(f"{target}: not a regular file: remove it, or choose another output")


def _check_folder(target: Path) -> None:
    """Raise a `FileError` if the folder, or the one in which it would be created, takes no files."""
    folder = target.parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise FileError(f"{folder}: not a folder: choose another output")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(
            f"{folder}: the folder is read-only, so no file can be created: choose another output"
        )


def exists_already(target: Path | str) -> FileError:
    """The error for an output that exists and must not be replaced."""
    return FileError(f"{target}: exists already: use --overwrite, or choose another output")


def is_input(target: Path | str) -> FileError:
    """The error for an output that would replace an input."""
    return FileError(f"{target}: this is an input, which is never overwritten: choose another output")


def is_a_folder(target: Path | str) -> FileError:
    """The error for an output whose path is a folder."""
    return FileError(f"{target}: is a folder: give the name of a file")


def make_folder(path: Path) -> None:
    """Create a folder, and those above it, where they are missing."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be created: {reason(error)}: choose another folder") from error
