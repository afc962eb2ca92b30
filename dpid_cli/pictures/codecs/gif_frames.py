"""Frames of a GIF: found without decoding, painted as browsers do, and written with a palette for each.

Pillow decodes and encodes the pixels of single frames. Its own animations show the background colour where
browsers show nothing, and merge frames that look alike.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import partial
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.pictures.codecs.base import Animation
from dpid_cli.pictures.codecs.images import Patch, Patches
from dpid_cli.pictures.quantizing import quantized

_DISPOSALS = ("keep", "keep", "background", "previous")  # 0 says nothing
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_INTERLACED = 0x40  # a bit of the flags of a frame
_HALF = 128  # the alpha from which on a pixel is opaque


@dataclass(frozen=True)
class _Control:
    """What precedes a frame."""

    duration: int = 0
    disposal: str = "keep"
    transparent: int | None = None


def read(stream: IO[bytes], most: int) -> Patches:
    """The frames of a GIF, one more than `most` at most; their pixels are decoded later, from this stream.

    A header that is cut off raises a `ValueError` or `struct.error`.
    """
    width, height, flags = struct.unpack("<6xHHB2x", stream.read(13))
    palette = stream.read(_table(flags))
    patches: list[Patch] = []
    plays, control, whole = 1, _Control(), True
    while len(patches) <= most and (kind := stream.read(1)) in (b"!", b","):
        if kind == b",":
            place = stream.read(9)
            if len(place) < 9 and patches:
                whole = False
                break
            patches.append(_patch(stream, place, palette, control))
            control = _Control()
            whole = _skip(stream)
            continue
        label, block = stream.read(1), _block(stream)
        if label == b"\xf9" and len(block) >= 4:
            control = _control(block)
        elif label == b"\xff" and block in _LOOPS:
            block = _block(stream)
            if block[:1] == b"\1" and len(block) >= 3:
                (repeats,) = struct.unpack_from("<H", block, 1)
                plays = repeats + 1 if repeats else 0
        if block:
            _skip(stream)
    if patches:  # some headers have no size, or one too small
        first = patches[0]
        width = max(width, first.offset[0] + first.size[0])
        height = max(height, first.offset[1] + first.size[1])
    return Patches((width, height), plays, patches, whole)


def _table(flags: int) -> int:
    """Bytes of the palette that follows."""
    return 3 << (flags & 7) + 1 if flags & 128 else 0


def _block(stream: IO[bytes]) -> bytes:
    length = stream.read(1)
    return stream.read(length[0]) if length else b""


def _skip(stream: IO[bytes]) -> bool:
    """Go behind the last block; whether it is there."""
    while length := stream.read(1):
        if not length[0]:
            return True
        stream.seek(length[0], io.SEEK_CUR)
    return False


def _control(block: bytes) -> _Control:
    flags, hundredths, index = struct.unpack_from("<BHB", block)
    disposal = _DISPOSALS[number] if (number := flags >> 2 & 7) < len(_DISPOSALS) else "keep"
    return _Control(hundredths * 10, disposal, index if flags & 1 else None)


def _patch(stream: IO[bytes], place: bytes, palette: bytes, control: _Control) -> Patch:
    x, y, width, height, flags = struct.unpack("<4HB", place)
    palette = stream.read(_table(flags)) if flags & 128 else palette
    start = stream.tell()
    stream.seek(1, io.SEEK_CUR)
    still = partial(_decoded, stream, start, (width, height), palette, bool(flags & 64), control.transparent)
    return Patch((width, height), (x, y), control.duration, control.disposal, True, still)


def _decoded(
    stream: IO[bytes],
    start: int,
    size: tuple[int, int],
    palette: bytes,
    interlaced: bool,
    transparent: int | None,
) -> Image.Image:
    """The pixels of one frame, by Pillow, which gets a GIF of this frame alone."""
    stream.seek(start + 1)
    _skip(stream)
    end = stream.tell()
    stream.seek(start)
    data = stream.read(end - start)
    still = _still(size, palette, interlaced, transparent) + data + b";"
    with Image.open(io.BytesIO(still), formats=["GIF"]) as image:
        return image.convert("RGBA")


def _still(size: tuple[int, int], palette: bytes, interlaced: bool, transparent: int | None) -> bytes:
    bits = (len(palette) // 3).bit_length() - 2
    flags = 0x80 | bits if palette else 0
    parts = [struct.pack("<6s2H3B", b"GIF89a", *size, flags, 0, 0), palette]
    if transparent is not None:
        parts.append(_control_block(0, 0, transparent))
    parts.append(struct.pack("<s4HB", b",", 0, 0, *size, _INTERLACED * interlaced))
    return b"".join(parts)


def _control_block(disposal: int, hundredths: int, transparent: int | None) -> bytes:
    flags = disposal << 2 | (transparent is not None)
    return struct.pack("<2s2BH2B", b"!\xf9", 4, flags, hundredths, transparent or 0, 0)


def with_palette(image: Image.Image, most: int) -> Image.Image:
    """An image in P with its own colours, or the best ones if it has more than `most`.

    Pixels that are less than half opaque become transparent.
    """
    if image.mode == "L" and most == 256:
        return image
    pixels = np.asarray(image.convert("RGBA"))
    visible = pixels[..., 3] >= _HALF
    return _indexed(pixels[..., :3], visible, most)


def _indexed(colours: NDArray[np.uint8], painted: NDArray[np.bool_], most: int) -> Image.Image:
    """Colours in P where something is painted; elsewhere an index behind theirs, which is transparent."""
    everywhere = bool(painted.all())
    palette, indices = quantized(colours[painted], most if everywhere else most - 1)
    result = np.full(painted.shape, len(palette) % 256, np.uint8)
    result[painted] = indices
    image = Image.fromarray(result)
    image.putpalette(bytes(palette) + bytes(0 if everywhere else 3))
    if not everywhere:
        image.info["transparency"] = len(palette)
    return image


def write(animation: Animation, stream: IO[bytes], most: int, interlaced: bool) -> None:
    """Write an animation of at most so many colours a frame.

    Of opaque frames only what differs from the frame before is painted, so that each palette serves few
    colours and still parts do not flicker. Where pixels are transparent, frames are painted whole and removed
    again.
    """
    images, comment = animation.images, animation.comment
    # A palette for all frames, because some decoders want one for the background.
    stream.write(struct.pack("<6s2H3B6x", b"GIF89a", *images[0].size, 0x80, 0, 0))
    if animation.plays != 1:
        repeats = min(max(animation.plays - 1, 0), 65535)
        stream.write(b"!\xff\x0b" + _LOOPS[0] + struct.pack("<2BHB", 3, 1, repeats, 0))
    if comment:
        blocks = [comment[k : k + 255] for k in range(0, len(comment), 255)]
        stream.write(b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0")
    clear = any(image.mode == "RGBA" for image in images)
    before: NDArray[np.uint8] | None = None
    for image, duration in zip(images, animation.durations, strict=True):
        pixels = np.asarray(image.convert("RGBA"))
        painted = pixels[..., 3] >= _HALF
        if not clear and before is not None:
            painted = (pixels != before).any(axis=2)
        frame = _Painted(pixels[..., :3], painted, "background" if clear else "keep", duration)
        _write_frame(frame, most, interlaced, stream)
        before = pixels
    stream.write(b";")


class _Painted(NamedTuple):
    """What a frame paints of its colours."""

    colours: NDArray[np.uint8]
    painted: NDArray[np.bool_]
    disposal: str
    duration: float


def _write_frame(frame: _Painted, most: int, interlaced: bool, stream: IO[bytes]) -> None:
    colours, painted, disposal, duration = frame
    rows, columns = (np.flatnonzero(painted.any(axis=axis)) for axis in (1, 0))
    top, bottom = (rows[0], rows[-1] + 1) if rows.size else (0, 1)
    left, right = (columns[0], columns[-1] + 1) if columns.size else (0, 1)
    image = _indexed(colours[top:bottom, left:right], painted[top:bottom, left:right], most)
    transparent = image.info.pop("transparency", None)
    buffer = io.BytesIO()
    image.save(buffer, "GIF", optimize=False, interlace=interlaced)
    buffer.seek(0)
    flags = struct.unpack("<10xB2x", buffer.read(13))[0]
    palette = buffer.read(_table(flags))
    while buffer.read(1) == b"!":
        buffer.read(1)
        _skip(buffer)
    is_interlaced = struct.unpack("<8xB", buffer.read(9))[0] & _INTERLACED
    hundredths = min(max(round(duration / 10), int(duration > 0)), 65535)
    stream.write(_control_block(_DISPOSALS.index(disposal, 1), hundredths, transparent))
    place = struct.pack(
        "<s4HB", b",", left, top, right - left, bottom - top, 0x80 | is_interlaced | flags & 7
    )
    stream.write(place + palette + buffer.read().removesuffix(b";"))
