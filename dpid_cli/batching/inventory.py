"""All inputs and the names of their results, listed and checked before anything is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from dpid_cli.batching.report import Earlier
from dpid_cli.batching.scratch import scratch
from dpid_cli.batching.selection import Input, Selection
from dpid_cli.batching.spec import Order
from dpid_cli.batching.worker import Item
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError, DpidError
from dpid_cli.files import storage

_TABLES = """
CREATE TABLE inputs (
    id INTEGER PRIMARY KEY, path BLOB, name BLOB, error TEXT, wanted INT, width INT, height INT
);
CREATE TABLE sources (key BLOB PRIMARY KEY, input INT) WITHOUT ROWID;
CREATE TABLE targets (key BLOB PRIMARY KEY, input INT) WITHOUT ROWID;
"""
_SOURCE = "INSERT OR IGNORE INTO sources VALUES (?, ?)"


class Inventory:
    """What a batch has before it: every input once, and no two results with one name.

    The list, and hashes of 16 bytes of all paths, take about 140 bytes an input with one result: up to half a
    million of them stay in memory, more go to a temporary file.
    """

    def __init__(self, order: Order, selections: Iterable[Selection]) -> None:
        self.order = order
        self.selections = list(selections)
        self.listed = 0
        self.count = 0
        self._collisions = 0
        self._first = ""
        self._tables = scratch(_TABLES)

    @property
    def ignored(self) -> int:
        """How many files were left out because their extension is none of a picture."""
        return sum(selection.ignored for selection in self.selections)

    def fill(self, wanted: Callable[[Input], bool] = lambda found: True) -> None:
        """List the inputs, those of them that are `wanted`.

        Raises
        ------
        ArgumentError
            If two results would have one name, also where only case or the form of accents tells them apart;
            if those of one input would have two; if one would replace an input, or be one in the next run.
        """
        for selection in self.selections:
            for found in selection.inputs():
                self._add(found, wanted)
        self._check_inputs()

    def items(self, earlier: Earlier | None = None) -> Iterator[Item]:
        """All that is to be done, in the order in which it was found, with what a report tells of it."""
        rows = self._tables.execute(
            "SELECT path, name, error, width, height FROM inputs WHERE wanted ORDER BY id"
        )
        for *texts, error, width, height in rows:
            path, name = map(os.fsdecode, texts)
            size = None if width is None else (width, height)
            targets = () if error else self.order.targets(name, size)
            known, made, unrecorded = (None, (), False) if earlier is None else earlier.of(path, targets)
            yield Item(path, targets, name, known, made, unrecorded, error)

    def check_report(self, path: str) -> None:
        """Raise an `ArgumentError` if what is written there would be an input, or a result."""
        told = "it would lie among the inputs"
        among = any(selection.takes(storage.real(path)) for selection in self.selections)
        for key in storage.identities(path, linked=True):
            if self._tables.execute("SELECT 1 FROM targets WHERE key = ?", (key,)).fetchone():
                among, told = True, "a result would become this"
            if self._tables.execute("SELECT 1 FROM sources WHERE key = ?", (key,)).fetchone():
                among, told = True, "this is an input, which is never overwritten"
        if among:
            raise ArgumentError(f"--report: {path}: {told}: give another file")

    def close(self) -> None:
        """Remove the temporary file."""
        self._tables.close()

    def _add(self, found: Input, wanted: Callable[[Input], bool]) -> None:
        size, error = self._size(found)
        # What can have no results lays claim to its own path, to be listed only once.
        targets = (found.path,) if error else self.order.targets(found.name, size)
        new = [self._claim(target, found) for target in targets]
        if not all(new):
            return
        for key in () if error else dict.fromkeys(storage.identities(found.path, linked=True)):
            if not self._tables.execute(_SOURCE, (key, self.listed)).rowcount:
                self._check_twice(key, found)
        path, name, chosen = os.fsencode(found.path), os.fsencode(found.name), wanted(found)
        row = (self.listed, path, name, error, chosen, *(size or (None, None)))
        self._tables.execute("INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self.listed += 1
        self.count += chosen

    def _claim(self, target: str, found: Input) -> bool:
        """Let no other result have this name; False if the same input has been listed before."""
        (key,) = storage.identities(target)
        done = self._tables.execute("INSERT OR IGNORE INTO targets VALUES (?, ?)", (key, self.listed))
        if not done.rowcount:
            other = self._path_of(key)
            if other and storage.same(other, found.path):
                return False
            both = f"{other} and {found.path} would both" if other else f"two results of {found.path} would"
            self._refuse(f"{target}: {both} become this: give another --name, --format or --hr")
        elif target != found.path and any(s.takes(storage.real(target)) for s in self.selections):
            self._refuse(
                f"{target}: this result of {found.path} would lie among the inputs: give another folder"
            )
        return True

    def _check_twice(self, key: bytes, found: Input) -> None:
        """Refuse one path with two names, of which a report could hold but one."""
        sql = "SELECT path, name FROM inputs JOIN sources ON id = input WHERE key = ?"
        path, name = map(os.fsdecode, self._tables.execute(sql, (key,)).fetchone())
        if storage.spelled(path) == storage.spelled(found.path):
            self._refuse(f"{found.path}: results would be called {name} and {found.name}: give it only once")

    def _path_of(self, key: bytes) -> str:
        """The input whose result has this key; empty for the one at hand, which is not in the table yet."""
        sql = "SELECT path FROM inputs JOIN targets ON id = input WHERE key = ?"
        row = self._tables.execute(sql, (key,)).fetchone()
        return os.fsdecode(row[0]) if row else ""

    def _refuse(self, what: str) -> None:
        self._first = self._first or what
        self._collisions += 1

    def _check_inputs(self) -> None:
        """Raise an `ArgumentError` for the first of what must not be, and tell how much more there is."""
        sql = "SELECT path FROM targets JOIN sources USING (key) JOIN inputs ON inputs.id = sources.input"
        for (path,) in self._tables.execute(sql):
            told = os.fsdecode(path)
            self._refuse(
                f"{told}: this is an input, which a result would replace: give another folder or --name"
            )
        if self._collisions:
            more = self._collisions - 1
            raise ArgumentError(self._first + (f" ({more} more like this)" if more else ""))

    def _size(self, found: Input) -> tuple[Size | None, str]:
        """Size of the input, where names of results depend on it, and why it cannot be an input."""
        if found.error or not self.order.needs_size:
            return None, found.error
        try:
            recipe = self.order.wants[0].recipe
            with storage.opened(found.path, recipe.most_bytes) as stream:
                return recipe.read_size(stream, found.path), ""
        except DpidError as error:
            return None, str(error)
