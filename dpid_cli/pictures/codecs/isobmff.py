"""Files made of boxes (ISO/IEC 14496-12), and the metadata in them."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from typing import IO

# What precedes a brand in a file's first box: the first brand may be a general one.
BRANDS = rb".{4}ftyp(?:.{4}){0,12}?"
# The labels of boxes with metadata.
UUIDS = {
    "exif": bytes.fromhex("4a706754696666457869662d3e4a5032"),
    "xmp": bytes.fromhex("be7acfcb97a942e89c71999491e3afac"),
    "iptc": bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"),
}
_NAMES = {label: name for name, label in UUIDS.items()}
_LONGEST_BOX = 2**24
# The type of an item, behind the box's version and flags, the item's number and its protection.
_EXIF_ITEM = re.compile(rb"(infe[\x02\x03].{3}(?:.{4}|.{6}))Exif", re.DOTALL)


def box(kind: bytes, *content: bytes) -> bytes:
    """One box."""
    return struct.pack(">L4s", 8 + sum(map(len, content)), kind) + b"".join(content)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box; the last may be cut off."""
    stream = io.BytesIO(data)
    for kind, length in box_places(stream):
        yield kind, stream.read(length)


def box_places(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Type and length of each box's content; the stream is at the content each time."""
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


def without_exif(data: bytes) -> bytes:
    """The same file with EXIF relabelled, so that decoders skip it."""
    return _EXIF_ITEM.sub(rb"\g<1>skip", data)


def metadata_in(stream: IO[bytes]) -> dict[str, bytes]:
    """Colour profile, EXIF, XMP and IPTC in the outermost boxes, by Pillow's names."""
    metadata: dict[str, bytes] = {}
    for kind, length in box_places(stream):
        if kind in (b"jp2h", b"uuid", b"xml ", b"brob") and length <= _LONGEST_BOX:
            metadata |= _metadata(kind, stream.read(length))
    return metadata


def _metadata(kind: bytes, content: bytes) -> dict[str, bytes]:
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
    name = _NAMES.get(content[:16])
    return {name: content[16:]} if name else {}


def _unpacked(content: bytes) -> bytes:
    """The content of a packed box; nothing if it is damaged or very long."""
    from imagecodecs import BrotliError, brotli_decode

    try:
        return bytes(brotli_decode(content, out=_LONGEST_BOX))
    except BrotliError:
        return b""
