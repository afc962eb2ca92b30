"""All inputs of a batch and the names of their outputs, listed and checked before anything is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from dpid_cli.batching.items import Item
from dpid_cli.batching.scratch import database
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError, DpidError
from dpid_cli.files import storage

if TYPE_CHECKING:
    from dpid_cli.batching.selection import Input, Selection
    from dpid_cli.batching.spec import BatchSpec

_TABLES = """
CREATE TABLE inputs (
    id INTEGER PRIMARY KEY, path BLOB, name BLOB, error TEXT, wanted INT, width INT, height INT
);
CREATE TABLE sources (key BLOB PRIMARY KEY, input INT) WITHOUT ROWID;
CREATE TABLE targets (key BLOB PRIMARY KEY, input INT) WITHOUT ROWID;
"""


class Inventory:
    """The inputs of a batch, each once, and the paths of their outputs, which are all different.

    An input with one output takes about 140 bytes: half a million of them fit into memory, more go to a
    temporary file.
    """

    def __init__(self, spec: BatchSpec, selections: Iterable[Selection]) -> None:
        self.spec = spec
        self.selections = list(selections)
        self._folded = any(storage.folds_case(folder) for folder in (spec.folder, spec.hr) if folder)
        self.listed = 0
        self.count = 0
        self.links: frozenset[str] = frozenset()
        self._links = lru_cache(4096)(storage.links)  # inputs of one folder follow each other
        self._collisions = 0
        self._first_collision = ""
        self._tables = database(_TABLES)

    @property
    def ignored(self) -> int:
        """Number of files left out because their extension is not that of an image."""
        return sum(selection.ignored for selection in self.selections)

    def fill(self, wanted: Callable[[Input], bool] = lambda candidate: True) -> None:
        """List the inputs; only those that are `wanted` will be converted.

        Raises
        ------
        ArgumentError
            If two outputs would have the same name, which may differ in case or in the form of accents where
            the file system ignores these; if the outputs of one input would have different names; or if an
            output would replace an input, or be an input of the next run.
        """
        for selection in self.selections:
            selection.ordered = self.spec.template.has("index")
            for candidate in selection.inputs():
                self._add(candidate, wanted)
        self._check_inputs()

    def items(self) -> Iterator[Item]:
        """Everything to convert, in the order of the list."""
        rows = self._tables.execute(
            "SELECT id, path, name, error, width, height FROM inputs WHERE wanted ORDER BY id"
        )
        for number, *texts, error, width, height in rows:
            path, name = map(os.fsdecode, texts)
            size = None if width is None else (width, height)
            targets = () if error else self.spec.targets(path, name, size, number + 1)
            yield Item(path, targets, name, number + 1, error=error)

    def check_report(self, path: str) -> None:
        """Raise an `ArgumentError` if a report with this path would be an input or an output."""
        problem = ""
        if any(selection.takes(storage.real(path)) for selection in self.selections):
            problem = "it would be among the inputs"
        for key in self._identities(path, linked=True):
            if self._contains("targets", key):
                problem = "an output would have this path"
            if self._contains("sources", key):
                problem = "this is an input, which is never overwritten"
        if problem:
            raise ArgumentError(f"--report: {path}: {problem}: give another file")

    def close(self) -> None:
        """Remove the temporary file."""
        self._tables.close()

    def _identities(self, path: str, linked: bool = False) -> list[bytes]:
        return storage.identities(path, folded=self._folded, linked=linked)

    def _contains(self, table: str, key: bytes) -> bool:
        sql = f"SELECT 1 FROM {table} WHERE key = ?"  # noqa: S608  # a name of _TABLES
        return self._tables.execute(sql, (key,)).fetchone() is not None

    def _claim(self, table: str, key: bytes) -> bool:
        """Enter a key for the input at hand; False if it is taken."""
        sql = f"INSERT OR IGNORE INTO {table} VALUES (?, ?)"  # noqa: S608  # a name of _TABLES
        return bool(self._tables.execute(sql, (key, self.listed)).rowcount)

    def _add(self, candidate: Input, wanted: Callable[[Input], bool]) -> None:
        size, error = self._size(candidate)
        # An input without outputs claims its own path, so that it is listed only once.
        targets = (candidate.path,) if error else self._targets(candidate, size)
        new = [self._claim_target(target, candidate) for target in targets]
        for root, target in () if error else zip(self.spec.roots(len(targets)), targets, strict=True):
            self.links |= self._links(root, storage.folder_of(target))
        if not all(new):
            return
        for key in () if error else dict.fromkeys(self._identities(candidate.path, linked=True)):
            if not self._claim("sources", key):
                self._check_twice(key, candidate)
        path, name, chosen = os.fsencode(candidate.path), os.fsencode(candidate.name), wanted(candidate)
        row = (self.listed, path, name, error, chosen, *(size or (None, None)))
        self._tables.execute("INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self.listed += 1
        self.count += chosen

    def _targets(self, candidate: Input, size: Size | None) -> tuple[str, ...]:
        return self.spec.targets(candidate.path, candidate.name, size, self.listed + 1)

    def _claim_target(self, target: str, candidate: Input) -> bool:
        """Reserve the path of an output; False if the same input is already listed."""
        (key,) = self._identities(target)
        if not self._claim("targets", key):
            other = self._path_of(key)
            if other and storage.same(other, candidate.path):
                return False
            both = f"{other} and {candidate.path}" if other else f"two outputs of {candidate.path}"
            advice = "change --name, --format or --hr"
            if self.spec.pairs is not None:
                advice = "rename one of them, or leave it out with --exclude"
            self._refuse(f"{target}: {both} would both be written here: {advice}")
        elif target != candidate.path and any(s.takes(storage.real(target)) for s in self.selections):
            self._refuse(
                f"{target}: this output of {candidate.path} would be among the inputs: use another folder"
            )
        return True

    def _check_twice(self, key: bytes, candidate: Input) -> None:
        """Refuse one path under two names, as a report has one line for each path."""
        sql = "SELECT path, name FROM inputs JOIN sources ON id = input WHERE key = ?"
        path, name = map(os.fsdecode, self._tables.execute(sql, (key,)).fetchone())
        if storage.spelled(path) == storage.spelled(candidate.path):
            self._refuse(
                f"{candidate.path}: its outputs would be named {name} and {candidate.name}: give it only once"
            )

    def _path_of(self, key: bytes) -> str:
        """The input whose output has this key; empty for the input at hand, which is not in the table yet."""
        sql = "SELECT path FROM inputs JOIN targets ON id = input WHERE key = ?"
        row = self._tables.execute(sql, (key,)).fetchone()
        return os.fsdecode(row[0]) if row else ""

    def _refuse(self, problem: str) -> None:
        self._first_collision = self._first_collision or problem
        self._collisions += 1

    def _check_inputs(self) -> None:
        """Raise an `ArgumentError` for the first collision, with the number of the others."""
        sql = "SELECT path FROM targets JOIN sources USING (key) JOIN inputs ON inputs.id = sources.input"
        for (path,) in self._tables.execute(sql):
            name = os.fsdecode(path)
            advice = "use another folder" + (" or --name" if self.spec.pairs is None else "")
            self._refuse(f"{name}: this is an input, which an output would replace: {advice}")
        if self._collisions:
            more = self._collisions - 1
            raise ArgumentError(self._first_collision + (f" ({more} more like this)" if more else ""))

    def _size(self, candidate: Input) -> tuple[Size | None, str]:
        """Size of the input, if names of outputs depend on it, and why it cannot be an input."""
        if candidate.error or not self.spec.needs_size:
            return None, candidate.error
        try:
            recipe = self.spec.outputs[0].recipe
            with storage.opened(candidate.path, recipe.most_bytes) as stream:
                return recipe.read_size(stream, candidate.path), ""
        except DpidError as error:
            return None, str(error)
