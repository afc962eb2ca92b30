"""The pixels of PNGs: those of 16 bits a channel, and the frames of animations.

Decoders allocate what a header claims, and libpng prints its opinion of odd files. So rows of 16 bits are
decompressed here first, as many as there are, and libpng gets files without faults.

Frames are found without decoding, and written behind those of a still. Pillow decodes the pixels of single
frames. Its own animations blend half-transparent colours into less opaque ones, and merge frames
that look alike.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.pictures.codecs.base import Animation
from dpid_cli.pictures.codecs.images import HighDepthImage, Patch, Patches, Samples, eight_bits
from dpid_cli.pictures.codecs.png_chunks import SIGNATURE, Header, chunk, chunks, with_pixels
from dpid_cli.pictures.limits import Limits

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type; palettes have no 16 bits
_KEYS = {1: 2, 3: 6}  # bytes of tRNS, by channels
_EXPANSION = 1040  # no more bytes than that come out of one
_PIECE = 2**16
_LONGEST_SIDE = 10**6  # libpng's own limit
# First column and row, and steps to the next, of each pass.
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_DISPOSALS = ("keep", "background", "previous")
_SHARED = {b"PLTE": 768, b"tRNS": 256}  # needed to decode every frame; their maximum lengths
_CONTROL = ">4x4I2H2B"  # behind a running number: size, offset, delay as a fraction, disposal, blending


def opened(data: bytes, limits: Limits) -> HighDepthImage:
    """The file, with its metadata read; pixels of one colour may be transparent."""
    height, width, channels = _shape(data)
    limits.check_size((width, height))
    one = Header.of(data)._replace(width=1, height=1, passes=0)
    file = with_pixels(data, one, [zlib.compress(bytes(1 + 2 * channels))])
    header = Image.open(io.BytesIO(b"".join(file)), formats=["PNG"])
    header.load()  # some metadata follows the pixels

    def samples() -> Samples:
        values = _decoded(data, limits.truncated)
        return Samples(values, values.ndim == 3 and values.shape[2] in (2, 4))

    return HighDepthImage((width, height), header, samples)


def _shape(data: bytes) -> tuple[int, int, int]:
    """Height, width and channels in the header, or a `ValueError`."""
    width, height, _, colours, packing, filters, passes = Header.of(data)
    if colours not in _CHANNELS or packing or filters or passes > 1:
        raise ValueError(
            f"no PNG of 16 bits has colour type {colours} and methods {packing, filters, passes}"
        )
    if zlib.crc32(data[12:29]).to_bytes(4, "big") != data[29:33]:
        raise ValueError("its header does not match its checksum")
    check_sides(height, width)
    return height, width, _CHANNELS[colours]


def check_sides(height: int, width: int) -> None:
    """Raise a `ValueError` for more pixels a side than libpng reads."""
    if max(height, width) > _LONGEST_SIDE:
        raise ValueError(f"more than {_LONGEST_SIDE} pixels a side")


def _decoded(data: bytes, truncated: bool) -> NDArray[np.uint16]:
    """The pixels, (H, W[, C]), black where they are missing if `truncated`; else errors."""
    from imagecodecs import png_decode

    height, width, _ = _shape(data)
    result: NDArray[Any] | None = None
    for rows, columns, part in _passes(data, truncated):
        decoded = np.asarray(png_decode(part))
        if decoded.shape[:2] == (height, width):
            return decoded
        if result is None:
            result = np.zeros((height, width, *decoded.shape[2:]), np.uint16)
        result[rows, columns] = decoded
    if result is None:
        raise ValueError("it has no pixels")
    return result


def _passes(data: bytes, truncated: bool) -> Iterator[tuple[slice, slice, bytearray]]:
    """Each pass of the file, or its only one, as rows and columns of the image and a PNG not compressed."""
    height, width, channels = _shape(data)
    passes = []
    for x, y, right, below in _ADAM7 if data[28] else _WHOLE:
        columns, rows = -(-(width - x) // right), -(-(height - y) // below)
        if columns > 0 and rows > 0:
            length = rows * (1 + 2 * channels * columns)
            passes.append((slice(y, height, below), slice(x, width, right), columns, rows, length))
    unpacked = memoryview(_rows(data, sum(length for *_, length in passes), truncated))
    key = next((own for own in chunks(data) if own[4:8] in (b"tRNS", b"IDAT")), b"")
    key = key if key[4:8] == b"tRNS" and len(key) == 12 + _KEYS.get(channels, -12) else b""
    for down, across, columns, rows, length in passes:
        header = chunk(b"IHDR", struct.pack(">LL", columns, rows) + data[24:28] + b"\0")
        part = _stored(SIGNATURE + header + key, unpacked[:length])
        unpacked = unpacked[length:] if length < len(unpacked) else memoryview(b"")  # as much memory again
        yield down, across, part


def _stored(start: bytes, rows: memoryview) -> bytearray:
    """A PNG with these chunks and rows, not compressed."""
    png = bytearray(start)
    place = len(png)
    png += b"\0\0\0\0IDAT"
    packer = zlib.compressobj(0)
    for top in range(0, len(rows), _PIECE):
        png += packer.compress(rows[top : top + _PIECE])
    png += packer.flush()
    struct.pack_into(">L", png, place, len(png) - place - 8)
    with memoryview(png) as view:
        checksum = zlib.crc32(view[place + 4 :])
    png += struct.pack(">L", checksum) + chunk(b"IEND", b"")
    return png


def _rows(data: bytes, length: int, truncated: bool) -> bytes | bytearray:
    """The rows, each behind the number of its filter, or a `ValueError` if some are missing."""
    from imagecodecs import DeflateError, deflate_decode

    packed = b"".join(own[8:-4] for own in chunks(data) if own[4:8] == b"IDAT")
    if truncated:
        return _rows_there(packed, length)
    if length > len(packed) * _EXPANSION:
        raise ValueError(f"{len(packed)} bytes cannot hold the {length} that the header claims")
    with suppress(DeflateError):  # it allows nothing behind the rows
        rows = deflate_decode(packed, out=length)
        if len(rows) == length:
            return rows
    unpacker = zlib.decompressobj()
    rows = unpacker.decompress(packed, length)
    unpacker.decompress(unpacker.unconsumed_tail, 1)  # to the checksum
    if len(rows) < length:
        raise ValueError("image file is truncated")
    return rows


def _rows_there(packed: bytes, length: int) -> bytearray:
    """As many rows as there are, then zeros."""
    unpacker, rows = zlib.decompressobj(), bytearray()
    with suppress(zlib.error):
        for start in range(0, len(packed), _PIECE):
            if len(rows) < length:
                rows += unpacker.decompress(packed[start : start + _PIECE], length - len(rows))
    return rows + bytes(length - len(rows))


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


def read_animation(stream: IO[bytes], most: int) -> Patches:
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
    decode = partial(_frame, stream, still(width, height), pieces)
    return Patch((width, height), (x, y), duration, _DISPOSALS[disposal], blend == 1, decode)


def _frame(stream: IO[bytes], still: bytes, pieces: Sequence[tuple[int, int]]) -> Image.Image:
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


def write_animation(
    first: bytes, animation: Animation, encode: Callable[[Image.Image], Sequence[bytes]], stream: IO[bytes]
) -> None:
    """Write an animation; `first` is its first image as a PNG with all metadata.

    `encode` compresses the rows of an image, in parts.
    """
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
        for rows in encode(part):
            stream.write(chunk(b"fdAT", struct.pack(">I", number) + rows))
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
