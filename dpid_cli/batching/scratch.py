"""Tables that may outgrow memory, in an invisible temporary file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from dpid_cli.errors import ArgumentError

_CACHED_KIB = 64 << 10


def database(tables: str) -> sqlite3.Connection:
    """A database without a name, which vanishes when it is closed or the process ends.

    It stays in memory up to 64 MiB, then goes to the folder for temporary files (``TMPDIR``).
    """
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA cache_size = -{_CACHED_KIB}")
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA temp_store = FILE")
    connection.executescript(tables)
    connection.execute("BEGIN")
    return connection


@contextmanager
def full_disk_errors() -> Iterator[None]:
    """Raise an `ArgumentError` if the tables no longer fit into the temporary folder."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise ArgumentError(
            f"TMPDIR: no space for the list of inputs: {error}: free some, or set TMPDIR to another folder"
        ) from error
