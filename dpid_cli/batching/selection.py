"""The inputs of a batch: folders, patterns and lists, read as a stream and never held in memory."""

from __future__ import annotations

import codecs
import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import IO

from dpid_cli.errors import ArgumentError, reason
from dpid_cli.files import storage
from dpid_cli.files.streams import STANDARD_STREAM
from dpid_cli.pictures.formats import EXTENSIONS

MAGIC = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"(?P<run>\*+)|(?P<one>\?)|\[(?P<set>!?\]?[^\]]*)\]|(?P<char>.)", re.DOTALL)
_BLOCK = 1 << 16
# Where other programs keep small copies and halves of files: Synology, macOS in archives and on other disks.
_NOT_ENTERED = ("@eadir", "__macosx", ".appledouble")


@lru_cache(1024)
def compiled(pattern: str, ignore_case: bool = False) -> re.Pattern[str]:
    """A regular expression that matches whole paths with ``/`` between their parts.

    Raises an `ArgumentError` for an invalid pattern, such as ``[z-a]``.
    """
    regex = "/".join(".*" if part == "**" else _TOKEN.sub(_translated, part) for part in pattern.split("/"))
    regex = re.sub(r"(^|/)\.\*/", r"\1(?:.*/)?", regex)
    try:
        return re.compile(f"(?s:{regex})\\Z", re.IGNORECASE if ignore_case else 0)
    except re.error as error:
        raise ArgumentError(f"{pattern}: not a valid pattern: {error}: write [[] for a bracket") from None


def _translated(token: re.Match[str]) -> str:
    if token["run"]:
        return "[^/]*"
    if token["one"]:
        return "[^/]"
    if token["set"] is None:
        return re.escape(token["char"])
    inside = re.sub(r"([\\\[&~|^])", r"\\\1", token["set"])
    return f"(?!/)[{'^' + inside[1:] if inside.startswith('!') else inside}]"


@dataclass(frozen=True)
class Input:
    """A file to convert.

    Attributes
    ----------
    path : str
        Its path, as it was given.
    name : str
        Its path in the folder tree that outputs mirror, with ``/`` between the parts.
    error : str
        Why it cannot be an input; empty if it can.
    """

    path: str
    name: str
    error: str = ""


@dataclass(frozen=True)
class Shard:
    """One of several equal parts of the inputs, the same on every machine, by a hash of their names.

    Attributes
    ----------
    number, count : int
        Which part of how many, from 1.
    """

    number: int
    count: int

    def takes(self, candidate: Input) -> bool:
        """Whether an input belongs to this part, and so to no other."""
        digest = blake2b(os.fsencode(candidate.name), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1


class Selection(ABC):
    """A part of the inputs."""

    ignored = 0  # number of files left out because their extension is not that of an image
    ordered = False  # whether to list each folder by name

    @abstractmethod
    def inputs(self) -> Iterator[Input]:
        """Every input, in no order unless `ordered`."""

    def takes(self, path: str) -> bool:
        """Whether a file written to this real path would become an input."""
        return False


@dataclass(frozen=True)
class Rules:
    """Which files of a folder are inputs.

    Attributes
    ----------
    include, exclude : tuple of str
        Patterns for paths in the folder tree if they contain ``/``, else for names; case does not matter.
        Without `include`, all files with the extension of an image.
    hidden : bool
        Whether names that start with a dot count.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False

    def check(self) -> None:
        """Raise an `ArgumentError` for an invalid pattern."""
        for pattern in (*self.include, *self.exclude):
            compiled(pattern, ignore_case=True)

    def enter(self, name: str) -> bool:
        """Whether to look into a folder, by its path in the tree."""
        if name.rpartition("/")[2].lower() in _NOT_ENTERED or not self._visible(name):
            return False
        return not _matches(name, [p.removesuffix("/**") for p in self.exclude])

    def take(self, name: str, pattern: re.Pattern[str] | None) -> bool | None:
        """Whether a file is an input, by its path in the tree; None if only its extension rules it out."""
        if not self._visible(name) or _matches(name, self.exclude):
            return False
        if pattern is not None and not pattern.match(name):
            return False
        if self.include:
            return _matches(name, self.include)
        return True if pattern or PurePosixPath(name).suffix.lower() in EXTENSIONS else None

    def _visible(self, name: str) -> bool:
        return self.hidden or not name.rpartition("/")[2].startswith(".")


def _matches(name: str, patterns: Iterable[str]) -> bool:
    short = name.rpartition("/")[2]
    return any(
        compiled(p.strip("/"), ignore_case=True).match(name if "/" in p.strip("/") else short)
        for p in patterns
    )


@dataclass
class _Entered:
    """A folder of a tree, and those of its entries that are still to be visited."""

    identity: object
    entries: Iterator[tuple[str, bool]]


@dataclass
class Tree(Selection):
    """Files of a folder, with `recursive` also of its subfolders; with a pattern, those that match."""

    root: str
    rules: Rules = Rules()
    recursive: bool = False
    pattern: str | None = None

    def inputs(self) -> Iterator[Input]:
        """Every input; without recursion, and with one open folder at most, as trees may be deep."""
        self.ignored = 0
        trail: list[_Entered] = []
        yield from self._inside("", trail)
        while trail:
            name, is_folder = next(trail[-1].entries, ("", False))
            if not name:
                trail.pop()
            elif not is_folder:
                yield from self._file(name)
            elif self._enters(name):
                yield from self._inside(name, trail)

    def _inside(self, folder: str, trail: list[_Entered]) -> Iterator[Input]:
        """The inputs in a folder of the tree, if they need no order; the trail gets its other entries.

        There are none if a link leads back to one of the folders on the trail.
        """
        path = storage.joined(self.root, folder) if folder else self.root
        later: list[tuple[str, bool]] = []
        try:
            identity = storage.folder_id(path)
            if any(identity == one.identity for one in trail):
                return
            trail.append(_Entered(identity, iter(later)))
            for entry, is_folder in storage.entries(path):
                name = f"{folder}/{entry}" if folder else entry
                if is_folder or self.ordered:
                    later.append((name, is_folder))
                else:
                    yield from self._file(name)
            later.sort()
        except OSError as error:
            yield Input(path, folder, f"{path}: cannot be read: {reason(error)}: check its permissions")

    def takes(self, path: str) -> bool:
        name = storage.relative(path, self.root)
        if name is None:
            return False
        folders = [str(parent) for parent in PurePosixPath(name).parents][:-1]
        return bool(self._takes(name)) and all(map(self._enters, folders))

    def _file(self, name: str) -> Iterator[Input]:
        takes = self._takes(name)
        if takes:
            yield Input(storage.joined(self.root, name), name)
        self.ignored += takes is None

    def _enters(self, name: str) -> bool:
        if not self.rules.enter(name):
            return False
        if self.pattern is None:
            return self.recursive
        parts = self.pattern.split("/")
        depth = name.count("/") + 1
        if "**" in parts[:depth]:
            return True
        return depth < len(parts) and compiled("/".join(parts[:depth])).match(name) is not None

    def _takes(self, name: str) -> bool | None:
        return self.rules.take(name, None if self.pattern is None else compiled(self.pattern))


@dataclass
class Files(Selection):
    """Files given one by one; their outputs go into one folder."""

    paths: tuple[str, ...]

    def inputs(self) -> Iterator[Input]:
        for path in self.paths:
            yield Input(path, storage.last(path))


@dataclass
class Listed(Selection):
    """Files named in a list: one path per line, or separated by NUL if its beginning contains one.

    Outputs mirror the paths as they are, or with `root`, relative to that folder.
    """

    source: str
    root: str | None = None

    def inputs(self) -> Iterator[Input]:
        if self.source == STANDARD_STREAM:
            if sys.stdin is None:
                raise ArgumentError("--from-file: standard input: it is closed: redirect a list to it")
            yield from self._of(sys.stdin.buffer)
            return
        try:
            with open(self.source, "rb") as stream:  # noqa: PTH123
                yield from self._of(stream)
        except OSError as error:
            raise ArgumentError(
                f"--from-file: {self.source}: cannot be read: {reason(error)}: check the path"
            ) from error

    def _of(self, stream: IO[bytes]) -> Iterator[Input]:
        for item in _items(stream):
            path = os.fsdecode(item)
            yield Input(path, *self._name(path))

    def _name(self, path: str) -> tuple[str, str]:
        """The path in the folder tree, and why there is none."""
        if self.root is None:
            return storage.mirrored(path), ""
        name = storage.relative(path, self.root)
        if name is None:
            return "", f"{path}: not in {self.root}: omit it, or give another --root"
        return name, ""


def _items(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a list, or the parts between NULs."""
    block = stream.read(_BLOCK).removeprefix(codecs.BOM_UTF8)  # some editors on Windows write one
    end = b"\0" if b"\0" in block else b"\n"
    rest = b""
    while block:
        *items, rest = (rest + block).split(end)
        yield from filter(None, (_bare(item, end) for item in items))
        block = stream.read(_BLOCK)
    if rest := _bare(rest, end):
        yield rest


def _bare(item: bytes, end: bytes) -> bytes:
    return item.removesuffix(b"\r") if end == b"\n" else item


def selection_of(text: str, rules: Rules, recursive: bool) -> Selection:
    """The inputs that one INPUT of the command line means: a folder, a file, or a pattern in quotes.

    Raises an `ArgumentError` if there is no such file or folder.
    """
    if storage.is_folder(text):
        return Tree(text, rules, recursive)
    if storage.is_file(text):
        return Files((text,))
    if not MAGIC.search(text):
        raise ArgumentError(f"{text}: there is no such file or folder: check the path")
    parts = text.split("/")
    first = next(i for i, part in enumerate(parts) if MAGIC.search(part))
    root = "/".join(parts[:first]) or ("/" if first else ".")
    wanted = parts[first:]
    if recursive:
        wanted[-1:] = ["**", wanted[-1]]
    pattern = "/".join(wanted)
    compiled(pattern)
    if not storage.is_folder(root):
        raise ArgumentError(f"{text}: there is no folder {root}: check the path")
    return Tree(root, rules, pattern=pattern)
