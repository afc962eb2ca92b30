"""Pairs for super-resolution: folders as trainers name them, sub-images, and lists of these."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from dpid_cli.batching.items import Result
from dpid_cli.batching.scratch import database, full_disk_errors
from dpid_cli.convert.patches import Patch, Patches
from dpid_cli.downscaling.choices import FolderLayout
from dpid_cli.downscaling.sizes import Sides, Size, shown
from dpid_cli.errors import ArgumentError, FileError, warn
from dpid_cli.files import lines, storage

if TYPE_CHECKING:
    from dpid_cli.convert.degradations import Degradations

T = TypeVar("T")
_TABLES = "CREATE TABLE lines (name BLOB PRIMARY KEY, shape TEXT) WITHOUT ROWID;"


@dataclass(frozen=True)
class Folders:
    """What a trainer calls its folders: `large` has the originals, `small` the outputs.

    In `small`, ``{plain}`` is the folder that ``dpid batch`` takes for one of several methods and scales; it
    is empty if there is only one. `patches` is added to names of folders of sub-images.
    """

    large: str
    small: str
    patches: str = ""

    def of(self, patches: Patches | None, **values: object) -> tuple[str, str]:
        """The folder of originals, and that of outputs by one method and scale."""
        end = "" if patches is None else self.patches
        return self.large + end, self.small.format(**values).rstrip("/") + end


LAYOUTS = {
    FolderLayout.BASICSR: Folders("HR", "LR_{method}/X{scale}", "_sub"),
    FolderLayout.NEOSR: Folders("gt", "lq/{plain}"),
    FolderLayout.TRAINNER: Folders("hr", "lr/{plain}"),
}


@dataclass(frozen=True)
class Pairs:
    """What makes a batch one of pairs: all outputs of a kind lie in one folder, which trainers read.

    `patches` are those of the originals; None for whole images. `degradations` are drawn for each image.
    """

    patches: Patches | None = None
    degradations: Degradations | None = None

    def name(self, name: str) -> str:
        """The name of an image for its path in the folder tree."""
        return name.replace("/", "_")

    def names(self, name: str, size: Sides | None) -> list[str]:
        """The names of all sub-images of an original of this size, or of the image itself."""
        if self.patches is None or size is None:
            return [name]
        stem, extension = posixpath.splitext(name)
        return [f"{stem}_s{k + 1:03}{extension}" for k in range(len(self.patches.positions(size)))]

    def patch(self, scale: int, number: int) -> Patch | None:
        """One of the sub-images of an output of this scale."""
        return None if self.patches is None else Patch(self.patches.shrunk(scale), number, scale)

    def too_small(self, size: Sides) -> str:
        """Why an original has no sub-images; empty if it has some."""
        if self.patches is None or min(size) >= self.patches.side:
            return ""
        return f"{shown(size)} is smaller than --patches {self.patches.side}"

    def size(self, size: Size, scale: int) -> Size:
        """The size of outputs of which the whole would have this size."""
        return size if self.patches is None else (self.patches.side // scale,) * 2


def spread(values: Sequence[T], count: int) -> tuple[T, ...]:
    """Each of the values as often as makes `count` of them, for the sub-images of each kind of output.

    >>> spread(["LR", "HR"], 6)
    ('LR', 'LR', 'LR', 'HR', 'HR', 'HR')
    """
    times = count // len(values)
    return tuple(value for value in values for _ in range(times))


class MetaInfo:
    """A list of all originals with their shapes, as BasicSR reads it: ``0001_s001.png (480,480,3)``.

    A context manager. It needs little memory: names wait in a temporary file until they are sorted.
    """

    def __init__(self, path: str, replaces: bool) -> None:
        self.path = path
        if storage.is_address(path) or storage.is_folder(path) or not path.endswith(".txt"):
            raise ArgumentError(f"--meta-info: {path}: must be a local file that ends in .txt: change it")
        if not replaces and storage.length(path) is not None:
            raise ArgumentError(f"--meta-info: {path}: exists already: use --overwrite, or give another name")
        if not lines.replaceable(path):
            raise ArgumentError(f"--meta-info: {path}: cannot be created there: choose another folder")
        self._tables = database(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tables.close()

    def add(self, result: Result) -> None:
        """Take the originals of an input, which no method has made."""
        facts = zip(result.outputs, result.methods, result.output_sizes, result.channels, strict=False)
        rows = [
            (os.fsencode(storage.last(output)), f"({size[1]},{size[0]},{channels})")
            for output, method, size, channels in facts
            if method is None and size is not None
        ]
        with full_disk_errors():
            self._tables.executemany("INSERT OR REPLACE INTO lines VALUES (?, ?)", rows)

    def write(self) -> None:
        """Write the list, sorted by name, whole or not at all."""
        split = b""
        try:
            with lines.replacing(self.path) as stream:
                for name, shape in self._tables.execute("SELECT name, shape FROM lines ORDER BY name"):
                    split = split or (name if b" " in name else b"")
                    stream.write(b"%s %s\n" % (name, shape.encode()))
        except FileError as error:
            raise FileError(f"--meta-info: {error}") from error
        if split:
            name = os.fsdecode(split)
            warn(f"{self.path}: {name}: has a space, where trainers end the name: rename the inputs")
