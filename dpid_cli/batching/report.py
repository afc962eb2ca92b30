"""Reports: one line of JSON for each input, and what a later run learns from them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from dpid_cli.batching.items import DONE, FAILED, SKIPPED, Item, Result
from dpid_cli.batching.scratch import database
from dpid_cli.errors import ArgumentError, reason
from dpid_cli.files import lines, storage
from dpid_cli.platform import RENAMES_OPEN_FILES

_TABLES = "CREATE TABLE lines (input BLOB PRIMARY KEY, start INT, status TEXT) WITHOUT ROWID;"
_BEGINNING = b'{"input": '


class Report:
    """The report of a run that has ended or was killed: the last line about each input counts."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines = 0
        try:
            stream = lines.opened(path)
        except OSError as error:
            raise ArgumentError(f"{path}: cannot be read: {reason(error)}: check the path") from error
        if stream is None:
            raise self._no_report()
        self._stream = stream
        self._tables = database(_TABLES)
        try:
            for start, line in lines.whole_lines(stream):
                self._add(start, line)
            self.length = stream.tell()
            self._check_unfinished()
        except BaseException:
            self.close()
            raise

    def failed(self, path: str) -> bool:
        """Whether this input failed."""
        row = self._row(path)
        return row is not None and row[1] == FAILED

    def count(self, *statuses: str) -> int:
        """Number of inputs with one of these statuses."""
        rows = self._tables.execute("SELECT status, count(*) FROM lines GROUP BY status")
        return sum(count for status, count in rows if status in statuses)

    def informed(self, item: Item) -> Item:
        """The item with everything that the report says of it.

        An input without a line may have been in progress when the run was killed, and one that failed may
        have lost its worker after an output was complete: the content of existing outputs will tell. Of other
        inputs, the run has made only the outputs listed; others that exist belong to somebody else.
        """
        row = self._row(item.path)
        if row is None:
            return replace(item, unrecorded=True)
        self._stream.seek(row[0])
        try:
            result = Result.from_dict(json.loads(self._stream.readline()))
        except (KeyError, TypeError, ValueError):
            return item
        outputs = [storage.spelled(output) for output in result.outputs]
        parameters = dict(zip(outputs, result.parameters, strict=False))  # a failed input has none
        made = {output for output in outputs if parameters.get(output, {}) is not None}
        targets = [storage.spelled(target) for target in item.targets]
        known = result if result.status != FAILED and outputs == targets else None
        own = tuple(one for one, spelled in zip(item.targets, targets, strict=True) if spelled in made)
        former = tuple(one for one, spelled in zip(result.outputs, outputs, strict=True) if spelled in made)
        former = tuple(one for one in former if storage.spelled(one) not in targets)
        return replace(item, known=known, made=own, former=former, unrecorded=result.status == FAILED)

    def rewrite(self) -> None:
        """Keep only the last line about each input, and close the file."""
        with lines.rewriting(self.path) as stream:
            for (start,) in self._tables.execute("SELECT start FROM lines ORDER BY start"):
                self._stream.seek(start)
                stream.write(self._stream.readline())
            self._stream.close()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._tables.close()

    def _check_unfinished(self) -> None:
        """Raise an `ArgumentError` if the only line is unfinished and cannot be the beginning of a report."""
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
        row: tuple[int, str] | None = self._tables.execute(sql, (_key(path),)).fetchone()
        return row

    def _add(self, start: int, line: bytes) -> None:
        self.lines += 1
        try:
            content = json.loads(line)
        except ValueError:
            if line.startswith(_BEGINNING):
                return  # an unfinished line, joined with the beginning of another report
            raise self._no_report() from None
        try:
            row = _key(content["input"]), start, content["status"]
        except (KeyError, TypeError, ValueError):
            raise self._no_report() from None
        if row[2] in (DONE, SKIPPED, FAILED):
            self._tables.execute("INSERT OR REPLACE INTO lines VALUES (?, ?, ?)", row)


def _key(path: str) -> bytes:
    """What all spellings of a path share."""
    return os.fsencode(storage.spelled(path))


@contextmanager
def recording(path: str, *, resume: bool = False) -> Iterator[Callable[[Result], None]]:
    """A function that writes the line of a result at once, so that it survives the end of the process.

    With `resume`, new lines follow those of the earlier run until the end; then only the last line about each
    input is kept.
    """
    resumed = resume and (storage.is_file(path) or not os.path.lexists(path))  # not a pipe
    with lines.appending(path, keep=resumed) as stream:

        def add(result: Result) -> None:
            line = line_of(result.as_dict())
            try:
                while line:
                    line = line[stream.write(line) :]
            except OSError as error:
                raise lines.unwritable(path, error) from error

        try:
            yield add
        finally:
            if resumed:
                with closing(Report(path)) as report:
                    if report.lines > report.count(DONE, SKIPPED, FAILED):
                        if not RENAMES_OPEN_FILES:
                            stream.close()  # and with it the lock
                        report.rewrite()


def line_of(content: dict[str, Any]) -> bytes:
    """A line of JSON in ASCII; bytes of paths that are not UTF-8 become escapes."""
    return json.dumps(content).encode() + b"\n"
