"""Local files of lines that one process appends to while others read them: reports of batches."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from dpid_cli.errors import ArgumentError, FileError, reason
from dpid_cli.files.folders import make_folder
from dpid_cli.files.output import atomic, is_named
from dpid_cli.platform import BINARY, system_path, try_lock

_BLOCK = 1 << 16


def opened(path: str) -> IO[bytes] | None:
    """A regular file for reading; None for a pipe or the like, which might never end.

    Raises an `OSError` if the file cannot be opened.
    """
    file = Path(system_path(path))
    return file.open("rb") if stat.S_ISREG(file.stat().st_mode) else None


def whole_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Offset and content of each line, without a last one that a killed process has left unfinished."""
    start = 0
    for line in stream:
        if line.endswith(b"\n"):
            yield start, line
        start += len(line)


def _end_of_lines(stream: IO[bytes]) -> int:
    """Where the last whole line ends; reads backwards, as reports may be long."""
    start = stream.seek(0, os.SEEK_END)
    while start > 0:
        end, start = start, max(0, start - _BLOCK)
        stream.seek(start)
        if (found := stream.read(end - start).rfind(b"\n")) >= 0:
            return start + found + 1
    return 0


@contextmanager
def appending(path: str, *, keep: bool) -> Iterator[IO[bytes]]:
    """An unbuffered stream to the end of a file, or with `keep` false, to an emptied one.

    A regular file is locked against other writers until the block ends, and a line that a killed process has
    left unfinished is removed. Missing files and folders are created.

    Raises a `FileError` if it cannot be written, and an `ArgumentError` if another process is writing it.
    """
    make_folder(Path(path).parent)
    try:
        flags = (os.O_RDWR if keep else os.O_WRONLY) | os.O_CREAT | BINARY
        handle = os.open(system_path(path), flags, 0o666)
    except OSError as error:
        raise unwritable(path, error) from error
    with os.fdopen(handle, "r+b" if keep else "wb", buffering=0) as stream:
        try:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                if try_lock(handle) is False or not is_named(handle, system_path(os.path.realpath(path))):
                    raise ArgumentError(f"{path}: another process is writing it: give each its own file")
                if keep:
                    stream.seek(_end_of_lines(stream))
                stream.truncate()
        except OSError as error:
            raise unwritable(path, error) from error
        yield stream


def rewriting(path: str) -> AbstractContextManager[IO[bytes]]:
    """A stream whose content replaces that of the file, whole or not at all; follows a link."""
    return atomic(Path(os.path.realpath(path)), overwrite=True)


def replaceable(path: str) -> bool:
    """Whether `replacing` seems to be possible there; creates nothing."""
    above = next((folder for folder in Path(path).absolute().parents if folder.exists()), Path())
    return above.is_dir() and os.access(above, os.W_OK)


@contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """`rewriting` for a file that need not exist; missing folders are created.

    Raises a `FileError` if it cannot be written.
    """
    try:
        make_folder(Path(path).parent)
        with rewriting(path) as stream:
            yield stream
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: str, error: OSError) -> FileError:
    """The error for a file that cannot be written."""
    return FileError(f"{path}: cannot be written: {reason(error)}: check space and rights")
