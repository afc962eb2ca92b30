"""Tables that may outgrow memory: in a temporary file that nobody sees, cached up to a limit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from dpid_cli.errors import ArgumentError

_CACHED_KIB = 64 << 10


def scratch(tables: str) -> sqlite3.Connection:
    """A database without a name, which is gone when it is closed or the process ends.

    It is held in memory until it exceeds 64 MiB, and then in the folder for temporary files (``TMPDIR``).
    """
    found = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    found.execute(f"PRAGMA cache_size = -{_CACHED_KIB}")
    found.execute("PRAGMA journal_mode = OFF")
    found.execute("PRAGMA temp_store = FILE")
    found.executescript(tables)
    found.execute("BEGIN")
    return found


@contextmanager
def room() -> Iterator[None]:
    """Raise an `ArgumentError` where such tables do not fit into their folder any more."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise ArgumentError(
            f"TMPDIR: the list of inputs finds no room there: {error}: free space, or name another folder"
        ) from error
