"""Output files: their names, checks that protect inputs and existing files, and atomic writes."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zlib import crc32

from dpid_cli.errors import FileError, reason

_WRITERS = 8  # processes that may write one target at the same time under temporary names
_ROUNDS = 100  # attempts to find a free name while other writers come and go


@dataclass(frozen=True)
class Attributes:
    """What a file has besides content: times of access and change in nanoseconds, and permissions."""

    times: tuple[int, int] | None = None
    mode: int | None = None


def default_name(
    stem: str, method: str | None, scale: float | None, size: tuple[int, int], extension: str
) -> str:
    """``{stem}_{method}_x{scale}{ext}``, or ``_{width}x{height}`` where the request was not a scale.

    Without a method, for an image that is not downscaled, the name has none.
    """
    what = f"{size[0]}x{size[1]}" if scale is None else f"x{scale:.6g}"
    return "_".join(filter(None, (stem, method, what))) + extension


def same_file(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, through links too."""
    try:
        return path.samefile(other)
    except OSError:
        return path.absolute() == other.absolute()


def check_target(target: Path, inputs: Iterable[Path], written: Iterable[Path], overwrite: bool) -> None:
    """Raise a `FileError` if writing `target` would lose something, or cannot succeed.

    Neither the inputs of the run nor the outputs `written` so far are ever replaced; `overwrite` is whether
    other existing files may be.
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


def check_folder(target: Path) -> None:
    """Raise a `FileError` if the folder of an output is missing: a mistyped name creates no folders."""
    if not os.path.lexists(target.parent):
        raise FileError(f"{target}: cannot be written: there is no folder {target.parent}: create it first")


class ExistsError(FileError):
    """An output that exists and must not be replaced."""


def exists_already(target: Path | str) -> FileError:
    """The error for an output that exists and must not be replaced."""
    return ExistsError(f"{target}: exists already: use --overwrite, or choose another output")


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


@contextmanager
def atomic(target: Path, overwrite: bool, attributes: Attributes | None = None) -> Iterator[IO[bytes]]:
    """A stream whose content becomes `target` when the block ends, and vanishes if the block fails.

    The content is flushed to the disk before it takes the target's place, so that at every moment either the
    old file or the whole new one is there. The new file has the `attributes`, and without a mode among them
    it inherits the permissions of the file that it replaces.
    Raises a `FileError` if the target cannot be written, or exists although `overwrite` is false.
    """
    attributes = attributes or Attributes()
    permissions = _permissions(target) if attributes.mode is None else attributes.mode
    try:
        handle, name = _draft(target, 0o666 if permissions is None else permissions | 0o600)
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {reason(error)}: check the folder") from error
    try:
        with os.fdopen(handle, "wb", closefd=False) as stream:
            yield stream
            stream.flush()
            os.fsync(handle)
        if permissions is not None:
            os.fchmod(handle, permissions)
        if attributes.times is not None:
            os.utime(handle, ns=attributes.times)
        if overwrite:
            name = name or _temporary_link(handle, target)
            name.replace(target)
            name = None  # other writers may use it now
        else:
            _put(handle, name, target)
    except FileExistsError:
        raise exists_already(target) from None
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {reason(error)}: check space and rights") from error
    finally:
        if name is not None:
            with suppress(OSError):
                name.unlink()
        os.close(handle)


def _permissions(target: Path) -> int | None:
    """Permissions of the file that will be replaced; None if there is none."""
    try:
        return stat.S_IMODE(os.lstat(target).st_mode)
    except OSError:
        return None


def _draft(target: Path, mode: int) -> tuple[int, Path | None]:
    """An empty file open for writing, and its temporary name if it needs one."""
    _remove_leftovers(target)
    try:
        return _nameless(target.parent, mode), None
    except OSError:  # an older system, or a file system that cannot
        return _named(target, mode)


def _put(handle: int, name: Path | None, target: Path) -> None:
    """Give a file the name of its target; a `FileExistsError` if that is taken, even by a broken link."""
    if name is None:
        _link(handle, target)
        return
    try:
        os.link(name, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        name.replace(target)


def _temporary_names(target: Path) -> list[str]:
    """Names that only drafts of this target have; short enough for any file system."""
    prefix = f".{target.name[:40]}.{crc32(os.fsencode(target.name)):08x}"
    path = target.parent / prefix
    return [f"{path}-{number}.tmp" for number in range(_WRITERS)]  # quicker to make than paths


def _nameless(folder: Path, mode: int) -> int:
    """A locked file in this folder that has no name; an `OSError` where that is not possible."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not Path("/proc/self/fd").exists():
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    handle = os.open(folder, flag | os.O_RDWR, mode)
    lock(handle)
    return handle


def _link(handle: int, path: Path) -> None:
    """Name an open file; passing a descriptor makes ``os.link`` follow the link to the file itself."""
    os.link(f"/proc/self/fd/{handle}", path, src_dir_fd=handle)


def _free_names(target: Path) -> Iterator[Path]:
    """Temporary names to try, until an `OSError` says that all are taken."""
    names = _temporary_names(target)
    for _ in range(_ROUNDS):
        yield from map(Path, names)
    raise OSError(errno.EBUSY, f"others are writing it, or left {Path(names[0]).name}")


def _temporary_link(handle: int, target: Path) -> Path:
    for name in _free_names(target):
        with suppress(FileExistsError):
            _link(handle, name)
            break
    return name


def _named(target: Path, mode: int) -> tuple[int, Path]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    for name in _free_names(target):
        with suppress(FileExistsError):
            handle = os.open(name, flags, mode)
            if lock(handle) is not False and is_named(handle, name):  # no other writer has removed it
                break
            os.close(handle)
    return handle, name


def lock(handle: int) -> bool | None:
    """Lock an open file; False if another process has locked it, None if the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_named(handle: int, name: Path | str) -> bool:
    """Whether an open file has this name."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(name))
    except OSError:
        return False


def _remove_leftovers(target: Path) -> None:
    """Remove temporary files that killed writers of this target have left."""
    for name in _temporary_names(target):
        try:
            handle = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # usually there is none
            continue
        try:
            if stat.S_ISREG(os.fstat(handle).st_mode) and lock(handle) and is_named(handle, name):
                Path(name).unlink(missing_ok=True)
        except OSError:
            pass  # it is in nobody's way
        finally:
            os.close(handle)
