"""Streams of local files, standard input and standard output."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from dpid_cli.errors import ArgumentError, FileError, reason
from dpid_cli.platform import BINARY, NO_WAITING, system_path

STANDARD_STREAM = "-"
MOST_BYTES = 512_000_000  # kept in memory at most: more than any compressed file of as many pixels needs
_BLOCK = 2**16


def called(source: str) -> str:
    """The name of an input in errors and warnings."""
    return "standard input" if source == STANDARD_STREAM else source


def check_paths(what: str, *paths: str | None) -> None:
    """Raise an `ArgumentError` for an empty path, which the system would take for the current folder."""
    if "" in paths:
        raise ArgumentError(f"{what}: an empty path: give a file, or a folder such as ./")


@contextmanager
def opened(source: str, most: int = MOST_BYTES) -> Iterator[IO[bytes]]:
    """A seekable stream of an input; never one that could block for ever or has no end.

    `source` is a path, or ``-`` for standard input, of which only as much is read as the stream is asked for.
    At most `most` bytes are read at once, or in total from a pipe. Raises a `FileError` if it is not a file
    or cannot be read; while the stream is read, if there are more bytes.
    """
    try:
        stream = _standard_input(most) if source == STANDARD_STREAM else _file(source, most)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and re.search(r"[*?\[]", source):
            raise FileError(f"INPUT: no file matches {source}: check the folder and the pattern") from error
        what = "redirect an image to it" if source == STANDARD_STREAM else "check the path"
        raise FileError(f"{called(source)}: cannot be read: {reason(error)}: {what}") from error
    with stream:
        yield stream


@contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """A seekable stream whose content goes to standard output when the block ends without an error."""
    buffer = io.BytesIO()
    yield buffer
    sys.stdout.buffer.write(buffer.getbuffer())
    sys.stdout.buffer.flush()


def _file(path: str, most: int) -> IO[bytes]:
    flags = os.O_RDONLY | NO_WAITING | BINARY
    handle = os.open(system_path(path), flags)  # does not wait for the writer of a FIFO
    kind = os.fstat(handle).st_mode
    if stat.S_ISREG(kind):
        return _Bounded(io.FileIO(handle), path, most)
    os.close(handle)
    if stat.S_ISDIR(kind):
        raise FileError(f"{path}: is a folder: give image files, or type: dpid batch {path} OUTPUT_DIR ...")
    raise FileError(f"{path}: not a regular file: give an image file, or - for standard input")


def _standard_input(most: int) -> IO[bytes]:
    name = called(STANDARD_STREAM)
    if sys.stdin is None:
        raise FileError(f"{name}: it is closed: redirect an image to it")
    if _is_file_at_its_start(sys.stdin.buffer):
        return _Bounded(io.FileIO(os.dup(sys.stdin.fileno())), name, most)
    return replayed(sys.stdin.buffer, name, most)


def replayed(pipe: IO[bytes] | io.RawIOBase, name: str, most: int) -> IO[bytes]:
    """A seekable stream of something that reads only forwards; keeps at most `most` bytes in memory."""
    return _Bounded(_Replayed(pipe, name, most), name, most)


def _is_file_at_its_start(stream: IO[bytes]) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode) and stream.tell() == 0
    except OSError:
        return False


class _Bounded(io.BufferedReader):
    """A file that refuses to be read into memory as a whole if it is too long."""

    def __init__(self, raw: io.RawIOBase, name: str, most: int) -> None:
        super().__init__(raw)
        self._called, self._most = name, most

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            position = self.tell()
            if self.seek(0, os.SEEK_END) - position > self._most:
                raise _too_long(self._called, self._most)
            self.seek(position)
        return super().read(size)


class _Replayed(io.RawIOBase):
    """A pipe that keeps what was read, so that it can be read again."""

    def __init__(self, pipe: IO[bytes] | io.RawIOBase, name: str, most: int) -> None:
        super().__init__()
        self._pipe, self._called, self._most = pipe, name, most
        self._kept = io.BytesIO()
        self._ended = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            while not self._ended:
                self._keep(self._kept.getbuffer().nbytes + _BLOCK)
        return self._kept.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        self._keep(self._kept.tell() + len(buffer))
        return self._kept.readinto(buffer)

    def _keep(self, length: int) -> None:
        """Read until that many bytes are kept, or the pipe ends."""
        position = self._kept.tell()
        missing = length - self._kept.seek(0, os.SEEK_END)
        while missing > 0 and not self._ended:
            block = self._pipe.read(min(missing, _BLOCK))
            self._ended = not block
            missing -= self._kept.write(block)
            if self._kept.tell() > self._most:
                raise _too_long(self._called, self._most)
        self._kept.seek(position)


def _too_long(name: str, most: int) -> FileError:
    what = f"{name}: too large to keep in memory (more than {most} bytes)"
    return FileError(f"{what}: give a smaller file, or raise --max-pixels")
