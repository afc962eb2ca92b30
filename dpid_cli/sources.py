"""Where pictures come from: paths and standard input."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from dpid_cli.errors import FileError
from dpid_cli.output import reason

STANDARD_STREAM = "-"


def called(source: str) -> str:
    """What errors and warnings call an input."""
    return "standard input" if source == STANDARD_STREAM else source


@contextmanager
def opened(source: str) -> Iterator[IO[bytes]]:
    """A seekable stream of the input; never one that could block for ever or has no end."""
    if source == STANDARD_STREAM:
        if sys.stdin is None:
            raise FileError("standard input: it is closed: redirect an image to it")
        yield io.BytesIO(sys.stdin.buffer.read())
        return
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(source, flags)  # not to be blocked by a FIFO without a writer
    except OSError as error:
        raise FileError(f"{source}: cannot be read: {reason(error)}: check the path") from error
    kind = os.fstat(handle).st_mode
    if not stat.S_ISREG(kind):
        os.close(handle)
        if stat.S_ISDIR(kind):
            raise FileError(f"{source}: is a directory: give image files")
        raise FileError(f"{source}: not a regular file: give an image file, or - for standard input")
    with os.fdopen(handle, "rb") as stream:
        yield stream
