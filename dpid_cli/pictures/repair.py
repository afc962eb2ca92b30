"""Files as sequences of labelled parts: leaving out those that decoders stumble over, and adding some.

Pillow refuses a whole picture for a remark in it that is damaged or very long. These functions know no more
of a format than where its parts begin and end.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

_BEFORE_CODESTREAM = 2**24  # of a JPEG 2000, whose profile may be long
LONGEST_TEXT = 2**20  # Pillow opens no PNG with a longer one, or with a longer profile
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_HIGH_BITDEPTH = 0x40
_JXL_KEPT = frozenset({b"JXL ", b"ftyp", b"jxll", b"jxlc", b"jxlp"})
_AVIF_BRANDS = (b"avif", b"avis", b"mif1")
_PNG_FRAMES = frozenset({b"acTL", b"fcTL", b"fdAT"})
_PNG_KEPT = frozenset({b"tRNS", b"iCCP", b"eXIf", b"pHYs"}) | _PNG_FRAMES
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
        A PNG, JPEG, AVIF or JPEG XL; of others only the beginning is read.

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
    elif head[4:8] == b"JXL ":
        data = head + stream.read()
        plainer = [b"".join(box(kind, content) for kind, content in boxes(data) if kind in _JXL_KEPT)]
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


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of an ISO file."""
    return struct.pack(">L4s", 8 + sum(map(len, content)), kind) + b"".join(content)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box of an ISO file; the last may be cut off."""
    start = 0
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">L4s", data, start)
        head = 8
        if length == 1 and start + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        end = start + length if length else len(data)
        if end < start + head:
            return
        yield kind, data[start + head : end]
        start = end


def without_dates(avif: bytes) -> bytes:
    """An animated AVIF whose headers do not tell when it was made."""
    for kind, content in boxes(avif):
        if kind == b"moov":
            return avif.replace(box(kind, content), box(kind, _undated(content)), 1)
    return avif


def _undated(content: bytes) -> bytes:
    """Boxes, with 0 for the two times at which what they describe was made and changed."""
    return b"".join(box(kind, _undated_box(kind, inner)) for kind, inner in boxes(content))


def _undated_box(kind: bytes, content: bytes) -> bytes:
    if kind in (b"trak", b"mdia"):
        return _undated(content)
    if kind not in (b"mvhd", b"tkhd", b"mdhd"):
        return content
    times = bytes(16 if content[0] == 1 else 8)
    return content[:4] + times + content[4 + len(times) :]


def box_places(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Type and length of each box's content in an ISO file; each time the stream is before the content."""
    end = stream.seek(0, io.SEEK_END)
    place = stream.seek(0)
    while len(head := stream.read(16)) >= 8:
        length, kind = struct.unpack_from(">L4s", head)
        content = place + 8
        if length == 1:
            length, content = int.from_bytes(head[8:], "big"), place + 16
        following = min(place + length, end) if length else end
        if following < content:
            return
        stream.seek(content)
        yield kind, following - content
        place = stream.seek(following)


def box_remarks(stream: IO[bytes]) -> dict[str, bytes]:
    """Colour profile, EXIF, XMP and IPTC of a JPEG 2000 or JPEG XL, by the names that Pillow has for them."""
    found: dict[str, bytes] = {}
    for kind, length in box_places(stream):
        if kind in (b"jp2h", b"uuid", b"xml ", b"brob") and length <= _LONGEST_BOX:
            found |= _remark(kind, stream.read(length))
    return found


def _remark(kind: bytes, content: bytes) -> dict[str, bytes]:
    if kind == b"brob":
        kind, content = content[:4], _unpacked(content[4:])
    if kind == b"Exif":  # only packed ones are looked for
        start = 4 if content[4:6] in (b"II", b"MM") else 0
        return {"exif": b"Exif\0\0" + content[start:]}
    if kind == b"xml ":
        return {"xmp": content} if not content or b"adobe:ns:meta" in content else {}
    if kind == b"jp2h":
        profiles = [inner[3:] for part, inner in boxes(content) if part == b"colr" and inner[:1] in b"\2\3"]
        return {"icc_profile": profiles[0]} if profiles else {}
    name = {_JP2_XMP: "xmp", _JP2_EXIF: "exif", _JP2_IPTC: "iptc"}.get(content[:16])
    return {name: content[16:]} if name else {}


def _unpacked(content: bytes) -> bytes:
    """What stands in a packed box of a JPEG XL; nothing if it is damaged or very long."""
    from imagecodecs import BrotliError, brotli_decode

    try:
        return bytes(brotli_decode(content, out=_LONGEST_BOX))
    except BrotliError:
        return b""


def with_boxes(jp2: bytes, remarks: Mapping[str, bytes], dpi: tuple[float, float] | None) -> bytes:
    """A JPEG 2000 with colour profile, EXIF, XMP and IPTC, and its resolution."""
    result = []
    for kind, content in boxes(jp2):
        if kind == b"jp2h":
            parts = _header(content, remarks.get("icc_profile"), dpi)
            result.append(box(kind, *(box(*part) for part in parts)))
            continue
        result.append(box(kind, content))
    if "exif" in remarks:  # behind the pixels, because Pillow looks for comments right behind the header
        result.append(box(b"uuid", _JP2_EXIF, remarks["exif"].removeprefix(b"Exif\0\0")))
    for name, label in (("xmp", _JP2_XMP), ("iptc", _JP2_IPTC)):
        if name in remarks:
            result.append(box(b"uuid", label, remarks[name]))
    return b"".join(result)


def _header(
    content: bytes, profile: bytes | None, dpi: tuple[float, float] | None
) -> Iterator[tuple[bytes, bytes]]:
    for kind, inner in boxes(content):
        yield kind, b"\2\0\0" + profile if kind == b"colr" and profile else inner
    if dpi:
        from fractions import Fraction  # which takes a moment to import

        # Down and across, in dots per metre: a fraction, and powers of ten behind
        metres = [value / 0.0254 / 10**_EXPONENT for value in reversed(dpi)]
        fractions = [Fraction(value).limit_denominator(int(65535 / max(value, 1))) for value in metres]
        sides = (number for part in fractions for number in (part.numerator, part.denominator))
        yield b"res ", box(b"resc", struct.pack(">4H2B", *sides, _EXPONENT, _EXPONENT))


_LONGEST_BOX = 2**24
_EXPONENT = 3  # so that 65535 dots per inch are a small fraction
_CODESTREAM = b"\xff\x4f\xff\x51"  # SOC and SIZ
_JP2_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_JP2_EXIF = b"JpgTiffExif->JP2"
_JP2_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_TIFF_LONG = 4
_TIFF_DATA = (273, 324)  # StripOffsets, TileOffsets
_TIFF_DIRECTORIES = (330, 34665, 34853, 40965)  # SubIFDs, EXIF, GPS, interoperability
_MOST_ENTRIES = 100_000  # in a directory, and directories


@dataclass(frozen=True)
class Directory:
    """What a TIFF tells of one of its pages: its number, and what it is if it is no page of its own."""

    number: int
    size: tuple[int, int]
    part: bool  # a smaller version of another, or a mask


def tiff_directories(stream: IO[bytes]) -> Iterator[Directory]:
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
            if number == 1 and kind in (3, _TIFF_LONG):
                (values[tag],) = struct.unpack_from(order + "HL"[kind == _TIFF_LONG], value)
        size = values.get(256, 0), values.get(257, 0)
        following = stream.read(struct.calcsize(order + offset_type))
        yield Directory(len(seen) - 1, size, bool(values.get(254, 0) & 5))
        (place,) = struct.unpack(order + offset_type, following)


def join_tiffs(pages: Iterable[bytes], stream: IO[bytes]) -> None:
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
            if tag in _TIFF_DATA:
                _move_data(result, tiff, entry, base, order)
            elif tag in _TIFF_DIRECTORIES and number == 1:
                waiting.append(value)
                struct.pack_into(f"{order}L", result, entry + 8, base + value)
            elif number * _TIFF_SIZES[kind] > 4:
                struct.pack_into(f"{order}L", result, entry + 8, base + value)
    return bytes(result)


def _move_data(result: bytearray, tiff: bytes, entry: int, base: int, order: str) -> None:
    """Offsets of pixels, which may be too short a type for where they go."""
    _, kind, number, value = struct.unpack_from(f"{order}HHLL", tiff, entry)
    place = value if number * _TIFF_SIZES[kind] > 4 else entry + 8
    offsets = struct.unpack_from(f"{order}{number}{'L' if kind == _TIFF_LONG else 'H'}", tiff, place)
    moved = struct.pack(f"{order}{number}L", *(base + offset for offset in offsets))
    struct.pack_into(f"{order}H", result, entry + 2, _TIFF_LONG)
    if number == 1:
        result[entry + 8 : entry + 12] = moved
        return
    result += bytes(len(result) % 2)
    struct.pack_into(f"{order}L", result, entry + 8, base + len(result))
    result += moved


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


def with_longs(tiff: bytes, tag: int, content: bytes) -> bytes:
    """A TIFF of one page, with offsets of four bytes, and a further tag: bytes that are called integers.

    Zeros behind them fill the last one.
    """
    order = "<" if tiff[:2] == b"II" else ">"
    result = bytearray(tiff) + bytes(len(tiff) % 2)
    count = -(-len(content) // 4)
    padded = content + bytes(4 * count - len(content))
    place = struct.pack(f"{order}L", len(result)) if count > 1 else padded
    entry = struct.pack(f"{order}HHL", tag, _TIFF_LONG, count) + place
    return _with_entries(result + padded, {**_tiff_entries(tiff), tag: entry})


def jp2_depths(stream: IO[bytes]) -> tuple[int, ...]:
    """Bits of each channel of a JPEG 2000, negative if signed; the stream stays where it is."""
    place = stream.tell()
    stream.seek(0)
    head = stream.read(_BEFORE_CODESTREAM)
    stream.seek(place)
    start = head.find(_CODESTREAM)
    return codestream_header(head[start:])[1] if start >= 0 else ()


def codestream_header(code: bytes) -> tuple[tuple[int, int], tuple[int, ...]]:
    """Width and height that the pixels of a JPEG 2000 claim; bits of each channel, negative if signed."""
    right, bottom, left, top, channels = struct.unpack_from(">4L16xH", code.ljust(42, b"\0"), 8)
    depths = code[42 : 42 + 3 * channels : 3]
    bits = tuple(((depth & 0x7F) + 1) * (-1 if depth & 0x80 else 1) for depth in depths)
    return (right - left, bottom - top), bits


def jp2_colours(jp2: bytes) -> int:
    """The number of the colour space that a JPEG 2000 names; 0 if it names none."""
    for kind, content in boxes(jp2):
        if kind == b"jp2h":
            named = [inner[3:7] for part, inner in boxes(content) if part == b"colr" and inner[:1] == b"\1"]
            return int.from_bytes(named[0], "big") if named else 0
    return 0


def jp2_codestream(jp2: bytes) -> bytes:
    """The pixels of a JPEG 2000, without what stands around them."""
    if jp2.startswith(_CODESTREAM):
        return jp2
    return next((content for kind, content in boxes(jp2) if kind == b"jp2c"), b"")


def with_jp2_pixels(jp2: bytes, pixels: bytes, comment: bytes) -> bytes:
    """A JPEG 2000 with the pixels of another of the same channels, and a comment among these."""
    (header,) = (content for kind, content in boxes(pixels) if kind == b"jp2h")
    (own,) = (inner for kind, inner in boxes(header) if kind == b"ihdr")
    result = []
    for kind, content in boxes(jp2):
        if kind == b"jp2h":
            parts = [(part, own if part == b"ihdr" else inner) for part, inner in boxes(content)]
            result.append(box(kind, *(box(*part) for part in parts)))
        elif kind == b"jp2c":
            result.append(box(kind, _with_comment(jp2_codestream(pixels), comment)))
        else:
            result.append(box(kind, content))
    return b"".join(result)


def _with_comment(codestream: bytes, comment: bytes) -> bytes:
    if not comment:
        return codestream
    place = 4 + int.from_bytes(codestream[4:6], "big")  # behind the sizes
    marker = struct.pack(">HHH", 0xFF64, 4 + len(comment), 1) + comment
    return codestream[:place] + marker + codestream[place:]
