"""IPTC records (IIM): where they end, and the resources of Photoshop that wrap them.

Nothing is read of the records but how long each is, and nothing is changed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

RECORDS = 0x0404  # their number among Photoshop's resources
PHOTOSHOP = b"Photoshop 3.0\0"
LONGEST_RESOURCE = 65533 - len(PHOTOSHOP) - 13  # bytes of records where 65535 hold everything around them
_MARK = 0x1C
_EXTENDED = 0x8000  # the length follows, in as many bytes as the other bits say


def whole(data: bytes) -> bytes:
    """The records (IIM 4.2, 1.6) without zeros behind them; empty if there are none or some are damaged."""
    place = 0
    while place < len(data) and data[place] == _MARK:
        if place + 5 > len(data):
            return b""
        (length,) = struct.unpack_from(">H", data, place + 3)
        place += 5
        if length & _EXTENDED:
            size = length - _EXTENDED
            length = int.from_bytes(data[place : place + size], "big")
            place += size
        place += length
    return data[:place] if place <= len(data) and not data[place:].strip(b"\0") else b""


def swapped(data: bytes) -> bytes:
    """The bytes in the other order, for files that store them as integers of four bytes."""
    count = len(data) // 4
    return struct.pack(f"<{count}L", *struct.unpack_from(f">{count}L", data))


def in_resources(resources: bytes) -> bytes:
    """The records among Photoshop's resources, unchecked; empty if there are none."""
    parts = _resources(resources.removeprefix(PHOTOSHOP))
    return next((content for number, content in parts if number == RECORDS), b"")


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while data[place : place + 4] == b"8BIM" and place + 7 <= len(data):
        (number,) = struct.unpack_from(">H", data, place + 4)
        place += 6 + (data[place + 6] + 2) // 2 * 2  # a name, with its length
        content = place + 4
        place = content + int.from_bytes(data[place:content], "big")
        yield number, data[content:place]
        place += place % 2


def as_resources(records: bytes) -> bytes:
    """The records as the only one of Photoshop's resources."""
    header = struct.pack(">4sHHL", b"8BIM", RECORDS, 0, len(records))
    return PHOTOSHOP + header + records + bytes(len(records) % 2)
