"""What IPTC's records (IIM) are wrapped in by each kind of file, and where they end.

Nothing is read of them but how long each is, and nothing is changed.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

RECORDS = 0x0404  # among Photoshop's resources
_PHOTOSHOP = b"Photoshop 3.0\0"
_MARK = 0x1C
_EXTENDED = 0x8000  # the length stands behind, in as many bytes as the rest of this tells
LONGEST_SEGMENT = 65533 - len(_PHOTOSHOP) - 13  # in a JPEG, beside what stands around it
_COLUMNS = 72  # of hexadecimal digits


def whole(data: bytes) -> bytes:
    """The records (IIM 4.2, 1.6), without zeros behind them; empty if some are damaged or there are none."""
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
    """The bytes as they are meant if a TIFF has them as integers in the other order."""
    count = len(data) // 4
    return struct.pack(f"<{count}L", *struct.unpack_from(f">{count}L", data))


def in_resources(resources: bytes) -> bytes:
    """The records among Photoshop's resources, as they are there; empty if there are none."""
    parts = _resources(resources.removeprefix(_PHOTOSHOP))
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


def segment(records: bytes) -> bytes:
    """A segment of a JPEG with the records, of `LONGEST_SEGMENT` bytes at most."""
    resource = struct.pack(">4sHHL", b"8BIM", RECORDS, 0, len(records)) + records + bytes(len(records) % 2)
    return struct.pack(">HH", 0xFFED, 2 + len(_PHOTOSHOP) + len(resource)) + _PHOTOSHOP + resource


def from_text(text: str) -> bytes:
    """What ImageMagick and ExifTool write into a PNG, as it is there; empty if there are no records."""
    found = re.fullmatch(r"\n[^\n]*\n *\d+\n([0-9A-Fa-f\s]*)", text)
    digits = "".join(found[1].split()) if found else ""
    content = bytes.fromhex(digits) if len(digits) % 2 == 0 else b""
    if text and not content:
        return text.encode("latin-1", "replace")  # which is found to be no records
    return in_resources(content) if content.startswith((b"8BIM", _PHOTOSHOP)) else content


def as_text(records: bytes) -> str:
    """The same, to be written."""
    digits = records.hex()
    lines = (digits[start : start + _COLUMNS] for start in range(0, len(digits), _COLUMNS))
    return "\n".join(["\niptc", f"{len(records):8d}", *lines, ""])
