"""Files of two images, of which the second makes HDR of the first."""

from __future__ import annotations

import io
import struct

from PIL import Image

_XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/' "
OF_ADOBE = _XMP + b"xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/' hdrgm:Version='1.0'/>"
OF_APPLE = _XMP + b"t='urn:com:apple:photo:2020:aux:hdrgainmap'/>"
OF_ISO = b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0"


def two_images(first: bytes, second: bytes) -> bytes:
    """An image with another behind it, each with a segment, and an index of both (CIPA DC-007)."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), (9, 99, 199)).save(stream, "JPEG")
    plain = stream.getvalue()

    def with_segments(*segments: tuple[int, bytes]) -> bytes:
        parts = (
            struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content for marker, content in segments
        )
        return plain[:2] + b"".join(parts) + plain[2:]

    def index(size: int, place: int) -> bytes:
        entry = (45058, 7, 32, 8 + 2 + 3 * 12 + 4)
        table = struct.pack("<HHHL4s", 3, 45056, 7, 4, b"0100") + struct.pack("<HHLL", 45057, 4, 1, 2)
        images = struct.pack("<LLLHHLLLHH", 0x20030000, size, 0, 0, 0, 0, size, place, 0, 0)
        return b"MPF\0II*\0" + struct.pack("<L", 8) + table + struct.pack("<HHLL", *entry) + bytes(4) + images

    marker = 0xE1 if first.startswith(b"http") else 0xE2
    own = [(marker, first)] if first else []
    size = len(with_segments(*own, (0xE2, index(0, 0))))
    start = with_segments(*own, (0xE2, index(0, 0))).index(b"MPF\0") + 4
    other = with_segments((0xE1, second)) if second else plain
    return with_segments(*own, (0xE2, index(size, size - start))) + other
