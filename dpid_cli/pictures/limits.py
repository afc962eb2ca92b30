"""Small files that would keep decoders busy for long: whether what they claim is worth decoding."""

from __future__ import annotations

import io
import os
import re
from functools import partial
from typing import IO

from PIL import Image, ImageFile

_PIXELS_PER_BYTE = 4096  # a JPEG with Huffman codes has 512 at most, a GIF 2730
_HARMLESS = 2**24  # pixels, whatever the file
_USUAL_SCANS = 20
_MOST_DECODED = 2 * 10**9  # pixels of all scans together, some seconds
_PART = 2**20
_COMMENT = re.compile(rb"#[^\r\n]*")


def check(image: Image.Image, stream: IO[bytes]) -> None:
    """Raise a `ValueError` for an opened image that its file cannot hold, or holds very often.

    Decoders of other formats notice by themselves that nothing is left to decode. That of JPEG paints gray
    instead, and goes over the whole image for every scan; the frame of a GIF may be smaller than its canvas.
    """
    if image.format not in ("JPEG", "MPO", "GIF"):
        return
    place = stream.tell()
    pixels = image.width * image.height
    stored = stream.seek(0, os.SEEK_END)
    most = max(stored * _PIXELS_PER_BYTE, _HARMLESS)
    if pixels > most and not ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ValueError(f"{stored} bytes cannot hold {image.width} x {image.height} pixels")
    scans = _scans(stream) if "progressive" in image.info else 1
    if scans > _USUAL_SCANS and scans * pixels > _MOST_DECODED:
        raise ValueError(f"{scans} scans of {image.width} x {image.height} pixels")
    stream.seek(place)


def _scans(stream: IO[bytes]) -> int:
    """How many scans a JPEG has: in what is scanned, this marker does not occur."""
    stream.seek(0)
    count, last = 0, b""
    while part := stream.read(_PART):
        count += (last + part).count(b"\xff\xda")
        last = part[-1:] if part[-1:] == b"\xff" else b""
    return count


def without_comments(stream: IO[bytes]) -> IO[bytes]:
    """The same stream, but of a PPM or PGM written in words without comments.

    Pillow would take them out one by one, which takes minutes if they are many.
    """
    head = stream.read(2)
    stream.seek(0)
    if head not in (b"P1", b"P2", b"P3"):
        return stream
    if not any(b"#" in part for part in iter(partial(stream.read, _PART), b"")):
        stream.seek(0)
        return stream
    stream.seek(0)
    rest = io.BytesIO()
    while lines := stream.read(_PART) + stream.readline():
        rest.write(_COMMENT.sub(b"", lines))
    rest.seek(0)
    return rest
