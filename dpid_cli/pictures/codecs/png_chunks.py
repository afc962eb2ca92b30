"""The chunks of a PNG."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST_TEXT = 2**20  # bytes; Pillow opens no file with a longer one, or with a longer profile
_FRAMES = frozenset({b"acTL", b"fcTL", b"fdAT"})
# Chunks about colours, with their lengths.
_COLOURS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"cLLI": 8}
_KEPT = frozenset({b"tRNS", b"iCCP", b"eXIf", b"pHYs"}) | _FRAMES


_HEADER = struct.Struct(">LLBBBBB")


class Header(NamedTuple):
    """The content of the first chunk."""

    width: int
    height: int
    depth: int
    colours: int
    packing: int = 0
    filters: int = 0
    passes: int = 0

    @classmethod
    def of(cls, png: bytes) -> Header:
        """The header of a file, unchecked."""
        return cls(*_HEADER.unpack_from(png, len(SIGNATURE) + 8))


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk, with its length and checksum."""
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return b"".join([struct.pack(">L", len(content)), kind, content, struct.pack(">L", checksum)])


def chunks(data: bytes) -> Iterator[bytes]:
    """Length, type, content and checksum of each chunk of a file; the last may be cut off."""
    start = len(SIGNATURE)
    while start + 8 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        yield data[start:end]
        start = end


def coding(stream: IO[bytes]) -> dict[bytes, bytes]:
    """Code points of colours and the light levels that go with them: contents by type, if undamaged.

    The stream stays in place.
    """
    place = stream.tell()
    stream.seek(len(SIGNATURE))
    found = {}
    while len(head := stream.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"IDAT":
            break
        if kind in (b"cICP", b"mDCV", b"cLLI") and length == _COLOURS[kind]:
            own = head + stream.read(length + 4)
            if own == chunk(kind, own[8:-4]):
                found[kind] = own[8:-4]
        else:
            stream.seek(length + 4, io.SEEK_CUR)
    stream.seek(place)
    return found


def with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """A file with another chunk right behind its header."""
    header, *others = chunks(png)
    return b"".join([SIGNATURE, header, chunk(kind, content), *others])


def with_pixels(png: bytes, header: Header, rows: Iterable[bytes]) -> Iterator[bytes]:
    """The parts of a file with another header and other compressed rows, and without animation."""
    yield SIGNATURE
    written = False
    for own in chunks(png):
        kind = own[4:8]
        if kind == b"IHDR":
            yield chunk(kind, _HEADER.pack(*header))
        elif kind == b"IDAT" and not written:
            yield from (chunk(kind, part) for part in rows)
            written = True
        elif kind not in _FRAMES | {b"IDAT"}:
            yield own


def with_aspect(png: bytes, ratio: tuple[int, int]) -> bytes:
    """A file that states how many pixels are as long horizontally as vertically, without a unit."""
    place = len(SIGNATURE) + 25  # behind the header
    return png[:place] + chunk(b"pHYs", struct.pack(">LLB", *ratio, 0)) + png[place:]


def without_text(data: bytes) -> bytes:
    """The file without chunks that make no difference to its pixels, or that Pillow cannot read."""
    return SIGNATURE + b"".join(own for own in chunks(data) if _is_needed(own))


def _is_needed(chunk: bytes) -> bool:
    kind, content = chunk[4:8], chunk[8:-4]
    if kind[:1].isupper():
        return True
    if kind not in _KEPT | _COLOURS.keys() or zlib.crc32(kind + content).to_bytes(4, "big") != chunk[-4:]:
        return False
    if kind in _COLOURS:
        return len(content) == _COLOURS[kind]
    return kind != b"iCCP" or _profile_length(content) <= LONGEST_TEXT


def _profile_length(content: bytes) -> int:
    """Length of a compressed profile, without unpacking much more than Pillow does."""
    packed = content.partition(b"\0")[2][1:]
    try:
        return len(zlib.decompressobj().decompress(packed, LONGEST_TEXT + 1))
    except zlib.error:
        return 0
