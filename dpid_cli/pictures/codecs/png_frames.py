"""Frames of an animated PNG: found without decoding, and written behind those of a still.

Pillow decodes and encodes the pixels of single frames. Its own animations blend half-transparent colours into
less opaque ones, and merge frames that look alike.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO

import numpy as np
from PIL import Image

from dpid_cli.pictures.codecs.base import Animation
from dpid_cli.pictures.codecs.images import Patch, Patches, eight_bits
from dpid_cli.pictures.codecs.png_chunks import SIGNATURE, chunk, chunks

_DISPOSALS = ("keep", "background", "previous")
_SHARED = {b"PLTE": 768, b"tRNS": 256}  # needed to decode every frame; their maximum lengths
_CONTROL = ">4x4I2H2B"  # behind a running number: size, offset, delay as a fraction, disposal, blending


def is_animated(stream: IO[bytes]) -> bool:
    """Whether a PNG says so before its first pixels."""
    stream.seek(len(SIGNATURE))
    for kind, length in _headers(stream):
        if kind in (b"acTL", b"IDAT"):
            return kind == b"acTL"
        stream.seek(length + 4, io.SEEK_CUR)
    return False


def _headers(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Type and length of each chunk; the stream is at the chunk's content each time."""
    while len(head := stream.read(8)) == 8:
        yield head[4:], int.from_bytes(head[:4], "big")


def read(stream: IO[bytes], most: int) -> Patches:
    """The frames of a PNG, one more than `most` at most; their pixels are decoded later, from this stream.

    Damage raises a `ValueError` or `struct.error`.
    """
    size, plays, hidden, whole = (0, 0), 0, False, False
    header = b""
    patches: list[Patch] = []
    shared: dict[bytes, bytes] = {}
    pieces: list[tuple[int, int]] = []
    stream.seek(len(SIGNATURE))
    for kind, length in _headers(stream):
        place = stream.tell()
        if kind == b"IEND":
            whole = True
            break
        if kind == b"IHDR":
            header = stream.read(length)
            size = struct.unpack_from(">2I", header)
        elif length <= _SHARED.get(kind, -1):
            shared[kind] = chunk(kind, stream.read(length))
        elif kind == b"acTL":
            (plays,) = struct.unpack(">4xI", stream.read(length))
        elif kind == b"fcTL":
            control = stream.read(length) if len(patches) <= most else b""
            if len(control) < struct.calcsize(_CONTROL) and patches:
                break
            pieces = []
            still = partial(_still, header, b"".join(shared.values()))
            patches.append(_patch(stream, size, control, still, pieces))
        elif kind == b"IDAT" and not patches:
            hidden = True
        elif kind in (b"IDAT", b"fdAT"):
            pieces.append((place, length))
        stream.seek(place + length + 4)
    return Patches(size, plays, patches, whole, hidden)


def _still(header: bytes, shared: bytes, width: int, height: int) -> bytes:
    """How a PNG of this frame alone begins."""
    return SIGNATURE + chunk(b"IHDR", struct.pack(">2I", width, height) + header[8:]) + shared


def _patch(
    stream: IO[bytes],
    canvas: tuple[int, int],
    control: bytes,
    still: Callable[[int, int], bytes],
    pieces: list[tuple[int, int]],
) -> Patch:
    width, height, x, y, part, whole, disposal, blend = struct.unpack_from(_CONTROL, control)
    if not (0 < width <= canvas[0] - x and 0 < height <= canvas[1] - y):
        raise ValueError("a frame is larger than the image")
    if disposal >= len(_DISPOSALS):
        raise ValueError("a frame has an unknown disposal")
    duration = 1000 * part / (whole or 100)
    decode = partial(_decoded, stream, still(width, height), pieces)
    return Patch((width, height), (x, y), duration, _DISPOSALS[disposal], blend == 1, decode)


def _decoded(stream: IO[bytes], still: bytes, pieces: Sequence[tuple[int, int]]) -> Image.Image:
    """The pixels of one frame, by Pillow, which gets a PNG of this frame alone."""
    parts = [still]
    for place, length in pieces:
        stream.seek(place - 4)
        kind, content, check = stream.read(4), stream.read(length), stream.read(4)
        if len(check) == 4 and zlib.crc32(kind + content) != int.from_bytes(check, "big"):
            raise ValueError("broken checksum of a frame")
        parts.append(chunk(b"IDAT", content[4:] if kind == b"fdAT" else content))
    parts.append(chunk(b"IEND", b""))
    with Image.open(io.BytesIO(b"".join(parts)), formats=["PNG"]) as image:
        image.load()
        return eight_bits(image).convert("RGBA")


def write(
    first: bytes, animation: Animation, encode: Callable[[Image.Image], bytes], stream: IO[bytes]
) -> None:
    """Write an animation; `first` is its first image as a PNG with all metadata, `encode` makes others."""
    images, durations = animation.images, animation.durations
    number = 0
    stream.write(SIGNATURE)
    for own in chunks(first):
        kind = own[4:8]
        if kind == b"IDAT" and not number:
            stream.write(chunk(b"acTL", struct.pack(">2I", len(images), animation.plays)))
            stream.write(_control(0, images[0].size, (0, 0), durations[0]))
            number = 1
        if kind != b"IEND":
            stream.write(own)
    for before, image, duration in zip(images, images[1:], durations[1:], strict=False):
        box = _changed(before, image)
        part = image.crop(box)
        stream.write(_control(number, part.size, box[:2], duration))
        number += 1
        for own in chunks(encode(part)):
            if own[4:8] == b"IDAT":
                stream.write(chunk(b"fdAT", struct.pack(">I", number) + own[8:-4]))
                number += 1
    stream.write(chunk(b"IEND", b""))


def _control(number: int, size: tuple[int, int], offset: tuple[int, int], duration: float) -> bytes:
    """A frame that stays, and replaces what was there."""
    for denominator in (1000, 100, 10, 1):
        numerator = round(duration * denominator / 1000)
        if numerator <= 0xFFFF:
            break
    content = struct.pack(_CONTROL, *size, *offset, min(numerator, 0xFFFF), denominator, 0, 0)
    return chunk(b"fcTL", struct.pack(">I", number) + content[4:])


def _changed(before: Image.Image, image: Image.Image) -> tuple[int, int, int, int]:
    """The rectangle in which two frames differ, at least a pixel."""
    different = np.asarray(before) != np.asarray(image)
    if different.ndim == 3:
        different = different.any(axis=2)
    rows, columns = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
    if not rows.size:
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
