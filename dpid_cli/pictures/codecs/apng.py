"""Frames of an animated PNG: found without decoding, and written behind those of a PNG.

Pillow decodes and encodes the pixels of single frames. Its own animations blend what is half transparent into
something less opaque than both, and merge frames that look alike.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO

import numpy as np
from PIL import Image

from dpid_cli.pictures.modes import eight_bits
from dpid_cli.pictures.repair import png_chunk, png_chunks
from dpid_cli.pictures.sequence import Patch

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DISPOSALS = ("keep", "background", "previous")
_SHARED = {b"PLTE": 768, b"tRNS": 256}  # what every frame needs to be decoded, and its longest
_CONTROL = ">4x4I2H2B"  # size, offset, delay as a fraction, disposal, blending; before them a running number


@dataclass
class Frames:
    """What the chunks of a PNG tell of its animation."""

    size: tuple[int, int] = (0, 0)
    plays: int = 0
    patches: list[Patch] = field(default_factory=list)
    hidden: bool = False  # whether the picture that other decoders show is none of the frames
    whole: bool = True


def is_animated(stream: IO[bytes]) -> bool:
    """Whether a PNG says so before its first pixels."""
    stream.seek(len(_SIGNATURE))
    for kind, length in _headers(stream):
        if kind in (b"acTL", b"IDAT"):
            return kind == b"acTL"
        stream.seek(length + 4, io.SEEK_CUR)
    return False


def _headers(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Kind and length of chunks, as long as there are some; each time the stream is before their content."""
    while len(head := stream.read(8)) == 8:
        yield head[4:], int.from_bytes(head[:4], "big")


def find(stream: IO[bytes], most: int) -> Frames:
    """The frames of a PNG, one more than `most` at most; pixels are decoded later, from the same stream.

    Raises
    ------
    ValueError, struct.error
        If what it tells of them is damaged.
    """
    found = Frames(whole=False)
    stream.seek(len(_SIGNATURE))
    header = b""
    shared: dict[bytes, bytes] = {}
    pieces: list[tuple[int, int]] = []
    for kind, length in _headers(stream):
        place = stream.tell()
        if kind == b"IEND":
            found.whole = True
            break
        if kind == b"IHDR":
            header = stream.read(length)
            found.size = struct.unpack_from(">2I", header)
        elif length <= _SHARED.get(kind, -1):
            shared[kind] = png_chunk(kind, stream.read(length))
        elif kind == b"acTL":
            (found.plays,) = struct.unpack(">4xI", stream.read(length))
        elif kind == b"fcTL":
            if len(found.patches) > most:
                break
            pieces = []
            control = stream.read(length)
            if len(control) < struct.calcsize(_CONTROL) and found.patches:
                break
            found.patches.append(
                _patch(stream, found.size, control, header, b"".join(shared.values()), pieces)
            )
        elif kind == b"IDAT" and not found.patches:
            found.hidden = True
        elif kind in (b"IDAT", b"fdAT"):
            pieces.append((place, length))
        stream.seek(place + length + 4)
    return found


def _patch(
    stream: IO[bytes],
    canvas: tuple[int, int],
    control: bytes,
    header: bytes,
    shared: bytes,
    pieces: list[tuple[int, int]],
) -> Patch:
    width, height, x, y, part, whole, disposal, blend = struct.unpack_from(_CONTROL, control)
    if not (0 < width <= canvas[0] - x and 0 < height <= canvas[1] - y):
        raise ValueError("a frame is larger than the picture")
    if disposal >= len(_DISPOSALS):
        raise ValueError("a frame is disposed of in no known way")
    still = _SIGNATURE + png_chunk(b"IHDR", struct.pack(">2I", width, height) + header[8:]) + shared
    duration = 1000 * part / (whole or 100)
    decode = partial(_decoded, stream, still, pieces)
    return Patch((width, height), (x, y), duration, _DISPOSALS[disposal], blend == 1, decode)


def _decoded(stream: IO[bytes], still: bytes, pieces: Sequence[tuple[int, int]]) -> Image.Image:
    """The pixels of one frame, by Pillow, which gets a PNG of this frame alone."""
    parts = [still]
    for place, length in pieces:
        stream.seek(place - 4)
        kind, content, check = stream.read(4), stream.read(length), stream.read(4)
        if len(check) == 4 and zlib.crc32(kind + content) != int.from_bytes(check, "big"):
            raise ValueError("broken checksum of a frame")
        parts.append(png_chunk(b"IDAT", content[4:] if kind == b"fdAT" else content))
    parts.append(png_chunk(b"IEND", b""))
    with Image.open(io.BytesIO(b"".join(parts)), formats=["PNG"]) as image:
        image.load()
        return eight_bits(image).convert("RGBA")


def write(
    first: bytes,
    frames: Sequence[Image.Image],
    durations: Sequence[float],
    plays: int,
    encode: Callable[[Image.Image], bytes],
    stream: IO[bytes],
) -> None:
    """Write an animation.

    Parameters
    ----------
    first : bytes
        The first frame as a PNG, with what describes the whole.
    frames : sequence of Image
        All of them, of one size and mode.
    durations : sequence of float
        In ms.
    plays : int
    encode : callable
        Makes a PNG of an image.
    stream : binary file
    """
    number = 0
    stream.write(_SIGNATURE)
    for chunk in png_chunks(first):
        kind = chunk[4:8]
        if kind == b"IDAT" and not number:
            stream.write(png_chunk(b"acTL", struct.pack(">2I", len(frames), plays)))
            stream.write(_control(0, frames[0].size, (0, 0), durations[0]))
            number = 1
        if kind != b"IEND":
            stream.write(chunk)
    for before, frame, duration in zip(frames, frames[1:], durations[1:], strict=False):
        box = _changed(before, frame)
        part = frame.crop(box)
        stream.write(_control(number, part.size, box[:2], duration))
        number += 1
        for chunk in png_chunks(encode(part)):
            if chunk[4:8] == b"IDAT":
                stream.write(png_chunk(b"fdAT", struct.pack(">I", number) + chunk[8:-4]))
                number += 1
    stream.write(png_chunk(b"IEND", b""))


def _control(number: int, size: tuple[int, int], offset: tuple[int, int], duration: float) -> bytes:
    """A frame that stays, and replaces what was there."""
    for denominator in (1000, 100, 10, 1):
        numerator = round(duration * denominator / 1000)
        if numerator <= 0xFFFF:
            break
    content = struct.pack(_CONTROL, *size, *offset, min(numerator, 0xFFFF), denominator, 0, 0)
    return png_chunk(b"fcTL", struct.pack(">I", number) + content[4:])


def _changed(before: Image.Image, frame: Image.Image) -> tuple[int, int, int, int]:
    """The rectangle in which two frames differ, at least a pixel."""
    different = np.asarray(before) != np.asarray(frame)
    if different.ndim == 3:
        different = different.any(axis=2)
    rows, columns = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
    if not rows.size:
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
