"""The directories of a TIFF or BigTIFF: which of them are its pages, and where they lie."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from PIL import UnidentifiedImageError

from dpid_cli.pictures.limits import Limits, RefusedError

_KIND, _OLD_KIND, _WIDTH, _HEIGHT, _PHOTOMETRIC, _CHILDREN = 254, 255, 256, 257, 262, 330
_DESCRIBING = {_KIND, _OLD_KIND, _WIDTH, _HEIGHT, _PHOTOMETRIC}
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2  # SubfileType
_TRANSPARENCY_MASK, _COLOUR_FILTERS, _LINEAR_RAW = 4, 32803, 34892  # PhotometricInterpretation
_INTEGERS = {3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}  # types of tags
_MOST_DIRECTORIES = 100_000
_MOST_ENTRIES = 4_000_000  # of all directories together
_MOST_INTEGERS = 1000  # of one entry
# Headers of cameras that do not describe their images as TIFF does: Olympus, Panasonic, Canon, Phase One.
_CAMERAS = re.compile(rb"II(RO|RS|U\0)|MMOR|.{8}(CR\x02\0|\xba\xb0\xac\xbb|IIII.waR|MMMM.?Raw)", re.DOTALL)
_RAW = "it is a camera RAW file: develop it first"


@dataclass(frozen=True)
class Directory:
    """A directory, which describes an image."""

    place: int  # in the file
    size: tuple[int, int]
    reduced: bool  # a smaller version of another image
    mask: bool
    raw: bool  # values of a sensor
    below: tuple[int, int, bytes] | None  # type, number and place of its SubIFDs

    @property
    def part(self) -> bool:
        """Whether it belongs to another image."""
        return self.reduced or self.mask


def pages(stream: IO[bytes], limits: Limits, *, first: bool = False) -> list[Directory]:
    """The images of full resolution in order, one more than allowed at most.

    A smaller version or a mask is a page only in a file without any other image. Damage raises an
    `UnidentifiedImageError` if there are no directories, else a `ValueError` or `struct.error`; but images
    before it suffice if `first`, or if truncated files are accepted.
    """
    stream.seek(0)
    if _CAMERAS.match(stream.read(16)):
        raise RefusedError(_RAW)
    try:
        reader = _Reader(stream)
    except struct.error as error:
        raise UnidentifiedImageError from error
    chain: list[Directory] = []
    count = 0
    try:
        for directory in reader.chain():
            chain.append(directory)
            _check_developed(directory, reader)
            count += not directory.part
            if count > limits.frames:
                break
    except (ValueError, struct.error) as error:
        if not chain:
            raise UnidentifiedImageError from error
        if not limits.truncated and not (first and count):
            raise
    if not chain:
        raise UnidentifiedImageError
    full = [directory for directory in chain if not directory.part]
    full = full or [child for one in chain for child in reader.children(one) if not child.part]
    return full or [directory for directory in chain if not directory.mask] or chain


def has_mask(stream: IO[bytes]) -> bool:
    """Whether the main chain of a file whose pages were found contains a mask besides images."""
    kinds: set[bool] = set()
    with suppress(ValueError, struct.error):
        kinds.update(directory.mask for directory in _Reader(stream).chain())
    return kinds == {True, False}


def starting_at(directory: Directory, stream: IO[bytes]) -> IO[bytes]:
    """The same file with a proper header that points to a directory; the stream itself if it does so."""
    reader = _Reader(stream)
    head = reader.head_with(directory.place)
    redirected: Any = _Redirected(stream, head)
    there: IO[bytes] = stream if reader.has(head) else redirected
    return there


def _check_developed(directory: Directory, reader: _Reader) -> None:
    """Raise a `RefusedError` if a directory or one below it holds what a sensor measured."""
    raw = directory.raw
    with suppress(ValueError, struct.error):  # what is below matters only if there is nothing else
        raw = raw or any(child.raw for child in reader.children(directory))
    if raw:
        raise RefusedError(_RAW)


class _Reader:
    """Reads directories, a limited number of them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._length = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        self._head = stream.read(16)
        self._order = "<" if self._head[:2] == b"II" else ">"
        big = self._head[2:4] in (b"+\0", b"\0+")
        self._count, self._entry, self._offset = ("Q", "HHQ8s", "Q") if big else ("H", "HHL4s", "L")
        self._magic = (43, 8, 0) if big else (42,)
        (self.start,) = self._unpacked(self._offset, self._head, 8 if big else 4)
        self._directories = 0
        self._entries = 0

    def head_with(self, place: int) -> bytes:
        """The header of a file whose first directory lies there."""
        numbers = struct.pack(f"{self._order}{len(self._magic)}H", *self._magic)
        return self._head[:2] + numbers + struct.pack(self._order + self._offset, place)

    def has(self, head: bytes) -> bool:
        """Whether the file begins like this."""
        return self._head.startswith(head)

    def chain(self) -> Iterator[Directory]:
        """The main chain."""
        place, seen = self.start, set[int]()
        while place and place not in seen:
            seen.add(place)
            directory, following = self._directory(place)
            yield directory
            (place,) = self._unpacked(self._offset, following)

    def children(self, directory: Directory) -> Iterator[Directory]:
        """The directories that its tag SubIFDs points to."""
        for place in self._integers(*directory.below) if directory.below else ():
            yield self._directory(place)[0]

    def _unpacked(self, form: str, data: bytes, place: int = 0) -> tuple[Any, ...]:
        return struct.unpack_from(self._order + form, data, place)

    def _directory(self, place: int) -> tuple[Directory, bytes]:
        """A directory, and where the next lies."""
        if place >= self._length:
            raise ValueError("a directory lies behind the end")
        self._stream.seek(place)
        (count,) = self._unpacked(self._count, self._stream.read(struct.calcsize(self._order + self._count)))
        self._directories += 1
        self._entries += count
        if max(count, self._directories) > _MOST_DIRECTORIES or self._entries > _MOST_ENTRIES:
            raise ValueError("too many directories or entries")
        form = self._order + self._entry
        entries = self._stream.read(count * struct.calcsize(form))
        following = self._stream.read(struct.calcsize(self._order + self._offset))
        values: dict[int, int] = {}
        below = None
        for tag, kind, number, value in struct.iter_unpack(form, entries):
            if tag == _CHILDREN:
                below = kind, number, value
            elif tag in _DESCRIBING and number == 1 and kind in _INTEGERS:
                (values[tag],) = self._integers(kind, 1, value)
        return _described(place, values, below), following

    def _integers(self, kind: int, number: int, value: bytes) -> tuple[int, ...]:
        """The values of an entry."""
        form = f"{min(number, _MOST_INTEGERS)}{_INTEGERS.get(kind, 'L')}"
        length = struct.calcsize(self._order + form)
        if length > len(value):
            (place,) = self._unpacked(self._offset, value)
            self._stream.seek(min(place, self._length))
            value = self._stream.read(length)
        return self._unpacked(form, value)


def _described(place: int, values: dict[int, int], below: tuple[int, int, bytes] | None) -> Directory:
    kind, photometric = values.get(_KIND, 0), values.get(_PHOTOMETRIC)
    return Directory(
        place,
        (values.get(_WIDTH, 0), values.get(_HEIGHT, 0)),
        bool(kind & _REDUCED) or values.get(_OLD_KIND) == _OLD_REDUCED,
        bool(kind & _MASK) or photometric == _TRANSPARENCY_MASK,
        photometric in (_COLOUR_FILTERS, _LINEAR_RAW),
        below,
    )


class _Redirected:
    """A stream with another beginning."""

    def __init__(self, stream: IO[bytes], head: bytes) -> None:
        self._stream = stream
        self._head = head

    def read(self, size: int = -1) -> bytes:
        place = self._stream.tell()
        data = self._stream.read(size)
        if place >= len(self._head):
            return data
        changed = self._head[place : place + len(data)]
        return changed + data[len(changed) :]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
