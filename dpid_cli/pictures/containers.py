"""Files as sequences of labelled parts: leaving out those that decoders stumble over, and adding some.

Pillow refuses a whole picture for a remark in it that is damaged or very long. These functions know no more
of a format than where its parts begin and end.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO

LONGEST_TEXT = 2**20  # Pillow opens no PNG with a longer one, or with a longer profile
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_HIGH_BITDEPTH = 0x40
_AVIF_BRANDS = (b"avif", b"avis", b"mif1")
_PNG_KEPT = frozenset({b"tRNS", b"iCCP", b"eXIf", b"pHYs"})
_PNG_FRAMES = frozenset({b"acTL", b"fcTL", b"fdAT"})
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TIFF_RESOLUTION = (282, 283, 296)
_EXIF_OR_XMP = 0xE1
# Also JFIF, colour profiles, and the colour transform.
_JPEG_KEPT = frozenset({0xE0, _EXIF_OR_XMP, 0xE2, 0xEE})
# The type of an item, behind the box's version and flags, the item's number and its protection.
_AVIF_ITEM = re.compile(rb"(infe[\x02\x03].{3}(?:.{4}|.{6}))Exif", re.DOTALL)


def without_remarks(stream: IO[bytes]) -> Iterator[bytes]:
    """The same picture without text, and what else may be damaged while its pixels are not.

    Parameters
    ----------
    stream : binary file
        A PNG, JPEG or AVIF; of others only the beginning is read.

    Yields
    ------
    bytes
        The file with ever less in it; nothing if there is nothing to leave out.
    """
    head = stream.read(12)
    if head.startswith(PNG_SIGNATURE):
        data = head + stream.read()
        plainer = [PNG_SIGNATURE + b"".join(chunk for chunk in png_chunks(data) if _needed(chunk))]
    elif head.startswith(_JPEG):
        data = head + stream.read()
        kept = (_JPEG_KEPT, _JPEG_KEPT - {_EXIF_OR_XMP})
        plainer = [_JPEG + b"".join(_jpeg_segments(data, markers)) for markers in kept]
    elif head[4:8] == b"ftyp" and head[8:] in _AVIF_BRANDS:
        data = head + stream.read()
        plainer = [_AVIF_ITEM.sub(rb"\g<1>skip", data)]
    else:
        return
    yield from (plain for plain in plainer if plain != data)


def png_chunks(data: bytes) -> Iterator[bytes]:
    """Length, type, content and checksum of each chunk; the last may be cut off."""
    start = len(PNG_SIGNATURE)
    while start + 8 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        yield data[start:end]
        start = end


def with_png_pixels(png: bytes, pixels: bytes) -> bytes:
    """A PNG with the header and the pixels of another, and no animation."""
    other = list(png_chunks(pixels))
    result = [PNG_SIGNATURE]
    written = False
    for chunk in png_chunks(png):
        kind = chunk[4:8]
        if kind == b"IHDR":
            result += [own for own in other if own[4:8] == kind]
        elif kind != b"IDAT" and kind not in _PNG_FRAMES:
            result.append(chunk)
        elif kind == b"IDAT" and not written:
            written = True
            result += [own for own in other if own[4:8] == kind]
    return b"".join(result)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk, with its length and checksum."""
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def _needed(chunk: bytes) -> bool:
    """Whether a PNG chunk makes a difference to what is seen, and can be read."""
    kind, content = chunk[4:8], chunk[8:-4]
    if kind[:1].isupper():
        return True
    if kind not in _PNG_KEPT or zlib.crc32(kind + content).to_bytes(4, "big") != chunk[-4:]:
        return False
    return kind != b"iCCP" or _profile_length(content) <= LONGEST_TEXT


def _profile_length(content: bytes) -> int:
    """Length of a compressed profile, without unpacking much more than Pillow does."""
    packed = content.partition(b"\0")[2][1:]
    try:
        return len(zlib.decompressobj().decompress(packed, LONGEST_TEXT + 1))
    except zlib.error:
        return 0


def avif_is_deep(head: bytes) -> bool:
    """Whether the first image of an AVIF has 10 or 12 bits a channel, by the settings of its codec."""
    settings = head.partition(b"av1C")[2][:3]
    return len(settings) == 3 and bool(settings[2] & _HIGH_BITDEPTH)


def _jpeg_segments(data: bytes, kept: frozenset[int]) -> Iterator[bytes]:
    """Marker segments that are needed, then everything from the first scan on."""
    start = 2
    while data[start : start + 1] == b"\xff" and start + 4 <= len(data):
        marker = data[start + 1]
        if marker == 0xFF:  # a fill byte
            start += 1
            continue
        if marker == 0xDA:
            break
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if marker in kept or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            yield data[start:end]
        start = end
    yield data[start:]


def _tiff_entries(tiff: bytes) -> dict[int, bytes]:
    """The first directory of a TIFF: its entries by tag, in the order of the file."""
    order = "<" if tiff[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}L", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    entries = (tiff[k : k + 12] for k in range(start + 2, start + 2 + 12 * count, 12))
    return {struct.unpack_from(f"{order}H", entry)[0]: entry for entry in entries}


def with_tiff_tags(tiff: bytes, other: bytes) -> bytes:
    """A TIFF with those tags of another that it lacks, and with the other's resolution or none.

    Both have one page, the same order of bytes and offsets of four bytes.
    """
    order = "<" if tiff[:2] == b"II" else ">"
    entries = {tag: entry for tag, entry in _tiff_entries(tiff).items() if tag not in _TIFF_RESOLUTION}
    result = bytearray(tiff)
    for tag, entry in _tiff_entries(other).items():
        if tag in entries:
            continue
        _, kind, count, offset = struct.unpack(f"{order}HHLL", entry)
        size = _TIFF_SIZES[kind] * count
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
    entries = _tiff_entries(tiff)
    result = bytearray(tiff)
    for tag, encode in directories.items():
        result += bytes(len(result) % 2)
        entries[tag] = struct.pack(f"{order}HHLL", tag, 4, 1, len(result))
        result += encode(tiff[:8], len(result))
    return _with_entries(result, entries)
