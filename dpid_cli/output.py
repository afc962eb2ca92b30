"""Where results go: names, guards against overwriting, and writes that are whole or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO

from dpid_cli.errors import FileError


def default_name(stem: str, method: str, scale: float | None, size: tuple[int, int], extension: str) -> str:
    """``{stem}_{method}_x{scale}{ext}``, or ``_{width}x{height}`` where no scale was asked for."""
    what = f"{size[0]}x{size[1]}" if scale is None else f"x{scale:.6g}"
    return f"{stem}_{method}_{what}{extension}"


def reason(error: OSError) -> str:
    """What the operating system says, without number and path."""
    return (error.strerror or str(error)).lower()


def same_file(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, through links too."""
    try:
        return path.samefile(other)
    except OSError:
        return path.absolute() == other.absolute()


def check_target(target: Path, inputs: Iterable[Path], written: Iterable[Path], overwrite: bool) -> None:
    """Raise a `FileError` if writing `target` would lose something."""
    if any(same_file(target, path) for path in inputs):
        raise FileError(f"{target}: this is an input, which is never overwritten: choose another output")
    if any(same_file(target, path) for path in written):
        raise FileError(f"{target}: another result of this run has this name: choose another output")
    if target.is_dir():
        raise FileError(f"{target}: is a directory: give a file's name")
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise _exists(target)
    if not stat.S_ISREG(os.lstat(target).st_mode):
        raise FileError(f"{target}: not a regular file: remove it, or choose another output")


def _exists(target: Path) -> FileError:
    return FileError(f"{target}: exists already: use --overwrite, or choose another output")


@contextmanager
def atomic(target: Path, overwrite: bool) -> Iterator[IO[bytes]]:
    """A stream whose content becomes `target` when the block ends, and vanishes if it fails.

    The content is written beside the target, flushed to the disk and renamed, so that at every moment
    there is either the old file or the whole new one. What a killed process leaves is used up by the next
    that writes the same target.
    """
    digest = blake2b(os.fsencode(target.name), digest_size=4).hexdigest()
    temporary = target.parent / f".{target.name[:40]}.{digest}.tmp"
    try:
        handle = _alone(temporary, target)
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {reason(error)}: check the directory") from error
    with os.fdopen(handle, "wb") as stream:
        _unfinished.add(temporary)
        try:
            yield stream
            stream.flush()
            with suppress(FileNotFoundError):
                os.fchmod(stream.fileno(), stat.S_IMODE(os.lstat(target).st_mode))
            os.fsync(stream.fileno())
            _put(temporary, target, overwrite)
        except BaseException as error:
            with suppress(FileNotFoundError):
                temporary.unlink()
            if isinstance(error, OSError):
                raise FileError(
                    f"{target}: cannot be written: {reason(error)}: check space and rights"
                ) from error
            raise
        finally:
            _unfinished.discard(temporary)


_unfinished: set[Path] = set()


def abandon() -> None:
    """Remove what other threads are writing; for a process that ends at once."""
    for temporary in list(_unfinished):
        with suppress(OSError):
            temporary.unlink()


def _alone(temporary: Path, target: Path) -> int:
    """A new file, locked until it is closed; one that nobody has locked was left behind."""
    new = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        try:
            handle, left_behind = os.open(temporary, new, 0o666), False  # less what umask takes away
        except FileExistsError:
            try:
                handle, left_behind = os.open(temporary, os.O_WRONLY | os.O_NOFOLLOW), True
            except FileNotFoundError:  # it has just been renamed
                continue
        try:
            _lock(handle, target)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.lstat(temporary)):
                    if not left_behind:
                        return handle
                    temporary.unlink()
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int, target: Path) -> None:
    """Lock a file, on file systems that can."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FileError(
            f"{target}: another process is writing it: wait for that, or choose another output"
        ) from None
    except OSError:
        return


def _put(temporary: Path, target: Path, overwrite: bool) -> None:
    """Rename; a target that has appeared meanwhile is not overwritten unless asked for."""
    if not overwrite:
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise _exists(target) from None
        except OSError:  # a file system without hard links
            if os.path.lexists(target):
                raise _exists(target) from None
        else:
            temporary.unlink()
            return
    temporary.replace(target)


def make_directory(path: Path) -> None:
    """Make a directory and those above it, if they are missing."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be created: {reason(error)}: choose another directory") from error
