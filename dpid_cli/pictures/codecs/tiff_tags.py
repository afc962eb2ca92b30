"""The directories of TIFFs: pages, and tags that Pillow does not write."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes, by type
_RESOLUTION = (282, 283, 296)
_LONG = 4
_DATA = (273, 324)  # StripOffsets, TileOffsets
_DIRECTORIES = (330, 34665, 34853, 40965)  # SubIFDs, EXIF, GPS, interoperability
_MOST_ENTRIES = 100_000  # in a directory, and directories


@dataclass(frozen=True)
class Directory:
    """What a TIFF tells of one of its pages: its number, and what it is if it is no page of its own."""

    number: int
    size: tuple[int, int]
    part: bool  # a smaller version of another, or a mask


def directories(stream: IO[bytes]) -> Iterator[Directory]:
    """The chain of directories of a TIFF or BigTIFF.

    Raises
    ------
    ValueError, struct.error
        If one of them is cut off or the chain has no end.
    """
    head = stream.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", head, 2)[0] == 43
    count_type, entry_type, offset_type = ("Q", "HHQ8s", "Q") if big else ("H", "HHL4s", "L")
    (place,) = struct.unpack_from(order + offset_type, head, 8 if big else 4)
    seen: set[int] = set()
    while place and place not in seen:
        if place >= 2**63:
            raise ValueError("a directory lies nowhere")
        seen.add(place)
        stream.seek(place)
        (count,) = struct.unpack(order + count_type, stream.read(struct.calcsize(order + count_type)))
        step = struct.calcsize(order + entry_type)
        if max(count, len(seen)) > _MOST_ENTRIES:
            raise ValueError("too many directories or entries")
        values = {}
        for tag, kind, number, value in struct.iter_unpack(order + entry_type, stream.read(count * step)):
            if number == 1 and kind in (3, _LONG):
                (values[tag],) = struct.unpack_from(order + "HL"[kind == _LONG], value)
        size = values.get(256, 0), values.get(257, 0)
        following = stream.read(struct.calcsize(order + offset_type))
        yield Directory(len(seen) - 1, size, bool(values.get(254, 0) & 5))
        (place,) = struct.unpack(order + offset_type, following)


def join(pages: Iterable[bytes], stream: IO[bytes]) -> None:
    """Write TIFFs of one page each, all with offsets of four bytes, as one of many pages."""
    link = 0
    for page in pages:
        order = "<" if page[:2] == b"II" else ">"
        base = stream.seek(0, io.SEEK_END)
        base += stream.write(bytes(base % 2))
        (first,) = struct.unpack_from(f"{order}L", page, 4)
        (count,) = struct.unpack_from(f"{order}H", page, first)
        stream.write(_moved(page, base, order) if link else page)
        if link:
            stream.seek(link)
            stream.write(struct.pack(f"{order}L", base + first))
        link = base + first + 2 + 12 * count


def _moved(tiff: bytes, base: int, order: str) -> bytes:
    """The same with what its offsets are when it lies behind `base` bytes."""
    result = bytearray(tiff)
    waiting = [struct.unpack_from(f"{order}L", tiff, 4)[0]]
    while waiting:
        start = waiting.pop()
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number, value = struct.unpack_from(f"{order}HHLL", tiff, entry)
            if tag in _DATA:
                _move_data(result, tiff, entry, base, order)
            elif tag in _DIRECTORIES and number == 1:
                waiting.append(value)
                struct.pack_into(f"{order}L", result, entry + 8, base + value)
            elif number * _SIZES[kind] > 4:
                struct.pack_into(f"{order}L", result, entry + 8, base + value)
    return bytes(result)


def _move_data(result: bytearray, tiff: bytes, entry: int, base: int, order: str) -> None:
    """Offsets of pixels, which may be too short a type for where they go."""
    _, kind, number, value = struct.unpack_from(f"{order}HHLL", tiff, entry)
    place = value if number * _SIZES[kind] > 4 else entry + 8
    offsets = struct.unpack_from(f"{order}{number}{'L' if kind == _LONG else 'H'}", tiff, place)
    moved = struct.pack(f"{order}{number}L", *(base + offset for offset in offsets))
    struct.pack_into(f"{order}H", result, entry + 2, _LONG)
    if number == 1:
        result[entry + 8 : entry + 12] = moved
        return
    result += bytes(len(result) % 2)
    struct.pack_into(f"{order}L", result, entry + 8, base + len(result))
    result += moved


def _entries(tiff: bytes) -> dict[int, bytes]:
    """The first directory of a TIFF: its entries by tag, in the order of the file."""
    order = "<" if tiff[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}L", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    entries = (tiff[k : k + 12] for k in range(start + 2, start + 2 + 12 * count, 12))
    return {struct.unpack_from(f"{order}H", entry)[0]: entry for entry in entries}


def with_tags(tiff: bytes, other: bytes) -> bytes:
    """A TIFF with those tags of another that it lacks, and with the other's resolution or none.

    Both have one page, the same order of bytes and offsets of four bytes.
    """
    order = "<" if tiff[:2] == b"II" else ">"
    entries = {tag: entry for tag, entry in _entries(tiff).items() if tag not in _RESOLUTION}
    result = bytearray(tiff)
    for tag, entry in _entries(other).items():
        if tag in entries:
            continue
        _, kind, count, offset = struct.unpack(f"{order}HHLL", entry)
        size = _SIZES[kind] * count
        entries[tag] = entry
        if size > 4:
            result += bytes(len(result) % 2)
            entries[tag] = entry[:8] + struct.pack(f"{order}L", len(result))
            result += other[offset : offset + size]
    return _with_entries(result, entries)


def _with_entries(tiff: bytearray, entries: Mapping[int, bytes]) -> bytes:
    """A TIFF with a new first directory at its end."""
    order = "<" if tiff[:2] == b"II" else ">"
    tiff += bytes(len(tiff) % 2)
    struct.pack_into(f"{order}L", tiff, 4, len(tiff))
    tiff += struct.pack(f"{order}H", len(entries))
    tiff += b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    return bytes(tiff)


def with_directories(tiff: bytes, directories: Mapping[int, Callable[[bytes, int], bytes]]) -> bytes:
    """A TIFF of one page with further directories behind it.

    Parameters
    ----------
    tiff : bytes
        A file with offsets of four bytes.
    directories : mapping
        From the tag that points to a directory to a function that encodes it, given the file's header and
        where the directory will begin.

    Returns
    -------
    bytes
        The file with a new first directory at its end, which holds the pointers too.
    """
    order = "<" if tiff[:2] == b"II" else ">"
    entries = _entries(tiff)
    result = bytearray(tiff)
    for tag, encode in directories.items():
        result += bytes(len(result) % 2)
        entries[tag] = struct.pack(f"{order}HHLL", tag, 4, 1, len(result))
        result += encode(tiff[:8], len(result))
    return _with_entries(result, entries)


def with_longs(tiff: bytes, tag: int, content: bytes) -> bytes:
    """A TIFF of one page, with offsets of four bytes, and a further tag: bytes that are called integers.

    Zeros behind them fill the last one.
    """
    order = "<" if tiff[:2] == b"II" else ">"
    result = bytearray(tiff) + bytes(len(tiff) % 2)
    count = -(-len(content) // 4)
    padded = content + bytes(4 * count - len(content))
    place = struct.pack(f"{order}L", len(result)) if count > 1 else padded
    entry = struct.pack(f"{order}HHL", tag, _LONG, count) + place
    return _with_entries(result + padded, {**_entries(tiff), tag: entry})
