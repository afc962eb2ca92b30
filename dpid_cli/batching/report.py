"""Reports: a line of JSON an image, and what a later run takes from them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dpid_cli.batching.scratch import scratch
from dpid_cli.batching.worker import DONE, FACTS, FAILED, SKIPPED, Known, Result
from dpid_cli.errors import ArgumentError, FileError
from dpid_cli.files import storage
from dpid_cli.files.atomic import is_named, lock
from dpid_cli.files.targets import atomic, make_directory, reason

_TABLES = "CREATE TABLE lines (input BLOB PRIMARY KEY, start INT, status TEXT) WITHOUT ROWID;"
_BEGINNING = b'{"input": '


class Earlier:
    """The report of a run that is over, or was ended: its last line about each input."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines = 0
        try:
            if not stat.S_ISREG(Path(path).stat().st_mode):  # which might never end
                raise self._no_report()
            self._stream = Path(path).open("rb")  # noqa: SIM115  # until `close`
        except OSError as error:
            raise ArgumentError(f"{path}: cannot be read: {reason(error)}: check the path") from error
        self._tables = scratch(_TABLES)
        try:
            for start, line in _lines(self._stream):
                self._add(start, line)
            self._check_torn()
        except BaseException:
            self.close()
            raise

    def failed(self, path: str) -> bool:
        """Whether it says so of this input."""
        row = self._row(path)
        return row is not None and row[1] == FAILED

    @property
    def failures(self) -> int:
        """How many inputs failed."""
        (count,) = self._tables.execute("SELECT count(*) FROM lines WHERE status = ?", (FAILED,)).fetchone()
        return int(count)

    def of(self, path: str, targets: Sequence[str]) -> tuple[Known | None, tuple[str, ...], bool]:
        """What is known of an input, whose results would be these.

        Returns
        -------
        known : Known or None
            If it was done, and its results were these.
        made : tuple of str
            Those of `targets` that it says were made. What else is there now is nobody's to replace.
        unrecorded : bool
            Whether it has no line of the input, which may have been in flight when the run was ended.
        """
        row = self._row(path)
        if row is None:
            return None, (), True
        self._stream.seek(row[0])
        told = json.loads(self._stream.readline())
        try:
            outputs = [storage.spelled(output) for output in told["outputs"]]
            by = dict(zip(outputs, told["parameters"], strict=False))
            known = Known(
                output_bytes=tuple(told["output_bytes"]),
                input_bytes=told["input_bytes"],
                modified=told["modified"],
                checksum=told["checksum"],
                order=told["order"],
                facts={key: told[key] for key in FACTS},
                kept=None in told["parameters"],
            )
        except (KeyError, TypeError, ValueError):
            return None, (), False
        made = {output for output in outputs if by.get(output, {}) is not None}  # a failed one tells none
        wanted = [storage.spelled(target) for target in targets]
        these = tuple(target for target, one in zip(targets, wanted, strict=True) if one in made)
        return (None if row[1] == FAILED or outputs != wanted else known), these, False

    def rewrite(self) -> None:
        """Leave only the last line about each input in the file."""
        with atomic(Path(os.path.realpath(self.path)), overwrite=True) as stream:
            for (start,) in self._tables.execute("SELECT start FROM lines ORDER BY start"):
                self._stream.seek(start)
                stream.write(self._stream.readline())

    @property
    def inputs(self) -> int:
        """How many inputs it has lines of."""
        (count,) = self._tables.execute("SELECT count(*) FROM lines").fetchone()
        return int(count)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._tables.close()

    def _check_torn(self) -> None:
        """Raise an `ArgumentError` if the only line has no end, and cannot be the beginning of one."""
        if self.lines:
            return
        self._stream.seek(0)
        first = self._stream.readline()
        if not (first.startswith(_BEGINNING) or _BEGINNING.startswith(first)):
            raise self._no_report()

    def _no_report(self) -> ArgumentError:
        return ArgumentError(f"{self.path}: not a report of 'dpid batch': give another file")

    def _row(self, path: str) -> tuple[int, str] | None:
        sql = "SELECT start, status FROM lines WHERE input = ?"
        found: tuple[int, str] | None = self._tables.execute(sql, (_key(path),)).fetchone()
        return found

    def _add(self, start: int, line: bytes) -> None:
        self.lines += 1
        try:
            told = json.loads(line)
        except ValueError:
            if line.startswith(_BEGINNING):
                return  # torn, and put together with the beginning of another report
            raise self._no_report() from None
        try:
            row = _key(told["input"]), start, told["status"]
        except (KeyError, TypeError, ValueError):
            raise self._no_report() from None
        if row[2] in (DONE, SKIPPED, FAILED):
            self._tables.execute("INSERT OR REPLACE INTO lines VALUES (?, ?, ?)", row)


def _key(path: str) -> bytes:
    """What all spellings of a path share."""
    return os.fsencode(storage.spelled(path))


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where each line begins, and the line; not the last one if a killed run has left it without an end."""
    start = 0
    for line in stream:
        if line.endswith(b"\n"):
            yield start, line
        start += len(line)


class Report:
    """A report that is being written: a line for each result, at once.

    One that goes on from an earlier run holds the new lines below the old ones, until it is closed; then only
    the last about each input is left.
    """

    def __init__(self, path: str, *, resume: bool = False) -> None:
        self.path = path
        self._resumed = resume and os.path.lexists(path)
        make_directory(Path(path).parent)
        try:
            handle = os.open(path, os.O_RDWR if self._resumed else os.O_WRONLY | os.O_CREAT, 0o666)
            self._stream = os.fdopen(handle, "r+b" if self._resumed else "wb", buffering=0)
            if stat.S_ISREG(os.fstat(handle).st_mode):  # and no pipe
                self._own()
                if self._resumed:
                    self._stream.seek(sum(len(line) for _, line in _lines(self._stream)))
                self._stream.truncate()
        except OSError as error:
            raise _unwritable(path, error) from error

    def _own(self) -> None:
        """Refuse a file that another run is writing, or has just replaced."""
        handle = self._stream.fileno()
        if lock(handle) is False or not is_named(handle, Path(os.path.realpath(self.path))):
            self._stream.close()
            raise ArgumentError(f"--report: {self.path}: another run is writing it: give each its own")

    def add(self, result: Result) -> None:
        """Write a line, so that it is in the file whatever becomes of this process."""
        line = line_of(result.as_dict())
        try:
            while line:
                line = line[self._stream.write(line) :]
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stream:  # which keeps others out until it is over
            if not self._resumed:
                return
            with closing(Earlier(self.path)) as earlier:
                if earlier.lines > earlier.inputs:
                    earlier.rewrite()


def line_of(told: dict[str, Any]) -> bytes:
    """A line of JSON in ASCII; bytes of paths that are no UTF-8 are escapes."""
    return json.dumps(told).encode() + b"\n"


def _unwritable(path: str, error: OSError) -> FileError:
    return FileError(f"{path}: cannot be written: {reason(error)}: check space and rights")
