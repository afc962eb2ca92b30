"""Where results go: names, guards against overwriting, and writes that are whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dpid_cli.errors import FileError
from dpid_cli.errors import reason as reason  # noqa: PLC0414  # for those who import it from here
from dpid_cli.files.atomic import Draft


def default_name(stem: str, method: str, scale: float | None, size: tuple[int, int], extension: str) -> str:
    """``{stem}_{method}_x{scale}{ext}``, or ``_{width}x{height}`` where no scale was asked for."""
    what = f"{size[0]}x{size[1]}" if scale is None else f"x{scale:.6g}"
    return f"{stem}_{method}_{what}{extension}"


def same_file(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, through links too."""
    try:
        return path.samefile(other)
    except OSError:
        return path.absolute() == other.absolute()


def check_target(target: Path, inputs: Iterable[Path], written: Iterable[Path], overwrite: bool) -> None:
    """Raise a `FileError` if writing `target` would lose something."""
    if any(same_file(target, path) for path in inputs):
        raise is_input(target)
    if any(same_file(target, path) for path in written):
        raise FileError(f"{target}: another result of this run has this name: choose another output")
    try:
        if target.is_dir():
            raise is_directory(target)
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
    """Raise a `FileError` if no file can be made there, before anything is computed for it."""
    folder = target.parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise FileError(f"{folder}: not a directory: choose another output")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{folder}: no file can be made there: it is read-only: choose another output")


def exists_already(target: Path | str) -> FileError:
    """That a result must not replace what is there."""
    return FileError(f"{target}: exists already: use --overwrite, or choose another output")


def is_input(target: Path | str) -> FileError:
    """That a result must not replace an input."""
    return FileError(f"{target}: this is an input, which is never overwritten: choose another output")


def is_directory(target: Path | str) -> FileError:
    """That a result cannot be written, as a directory is there."""
    return FileError(f"{target}: is a directory: give a file's name")


@contextmanager
def atomic(target: Path, overwrite: bool) -> Iterator[IO[bytes]]:
    """A stream whose content becomes `target` when the block ends, and vanishes if it fails.

    The content is written beside the target, flushed to the disk and only then put into its place, so that at
    every moment there is either the old file or the whole new one.
    """
    replaced = _permissions(target)
    try:
        draft = Draft(target, 0o666 if replaced is None else replaced | 0o600)
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {reason(error)}: check the directory") from error
    try:
        with os.fdopen(draft.handle, "wb", closefd=False) as stream:
            yield stream
            stream.flush()
            os.fsync(draft.handle)
        if replaced is not None:
            os.fchmod(draft.handle, replaced)
        if overwrite:
            draft.replace()
        else:
            draft.put()
    except FileExistsError:
        raise exists_already(target) from None
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {reason(error)}: check space and rights") from error
    finally:
        draft.close()


def make_directory(path: Path) -> None:
    """Make a directory, and those above it, where they are missing."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be created: {reason(error)}: choose another directory") from error


def _permissions(target: Path) -> int | None:
    """Those of the file that is replaced."""
    try:
        return stat.S_IMODE(os.lstat(target).st_mode)
    except OSError:
        return None
