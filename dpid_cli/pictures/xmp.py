"""XMP packets."""

from __future__ import annotations

import re


def checked(packet: bytes) -> bytes:
    """The packet without thumbnails, or nothing if it is no XML or has declarations of its own."""
    from xml.etree import ElementTree  # nothing is expanded: there are no declarations

    packet = packet.strip(b"\0")
    try:
        packet.decode()
        if re.search(rb"<!(?!--|\[CDATA\[)", packet):
            return b""
        ElementTree.fromstring(packet)  # noqa: S314
    except (ValueError, ElementTree.ParseError):
        return b""
    return re.sub(rb"<xmp:Thumbnails>.*?</xmp:Thumbnails>", b"", packet, flags=re.DOTALL)


def sized(packet: bytes, size: tuple[int, int]) -> bytes:
    """The packet with this width and height and an upright orientation, wherever it states them."""
    width, height = size
    values = {
        "tiff:Orientation": 1,
        "tiff:ImageWidth": width,
        "tiff:ImageLength": height,
        "exif:PixelXDimension": width,
        "exif:PixelYDimension": height,
    }
    for name, value in values.items():
        pattern = rf"""({name}(?:\s*=\s*["']|\s*>)\s*)\d+"""
        packet = re.sub(pattern.encode(), rf"\g<1>{value}".encode(), packet)
    return packet
