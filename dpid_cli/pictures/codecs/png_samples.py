"""The pixels of PNGs of 16 bits a channel.

Decoders allocate what a header claims, and libpng prints its opinion of odd files. So rows are decompressed
here first, as many as there are, and libpng gets files without faults.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.pictures.codecs.images import HighDepthImage, Samples
from dpid_cli.pictures.codecs.png_chunks import SIGNATURE, chunk, chunks, with_pixels
from dpid_cli.pictures.limits import Limits

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type; palettes have no 16 bits
_KEYS = {1: 2, 3: 6}  # bytes of tRNS, by channels
_EXPANSION = 1040  # no more bytes than that come out of one
_PIECE = 2**16
_LONGEST_SIDE = 10**6  # libpng's own limit
# First column and row, and steps to the next, of each pass.
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def opened(data: bytes, limits: Limits) -> HighDepthImage:
    """The file, with its metadata read; pixels of one colour may be transparent."""
    height, width, channels = _shape(data)
    limits.check_size((width, height))
    one = encode(np.zeros((1, 1, channels), np.uint16), 0)
    header = Image.open(io.BytesIO(with_pixels(data, one)), formats=["PNG"])
    header.load()  # some metadata follows the pixels

    def samples() -> Samples:
        values = _decoded(data, limits.truncated)
        return Samples(values, values.ndim == 3 and values.shape[2] in (2, 4))

    return HighDepthImage((width, height), header, samples)


def _shape(data: bytes) -> tuple[int, int, int]:
    """Height, width and channels in the header, or a `ValueError`."""
    width, height, _, colours, packing, filters, passes = struct.unpack_from(">LLBBBBB", data, 16)
    if colours not in _CHANNELS or packing or filters or passes > 1:
        raise ValueError(
            f"no PNG of 16 bits has colour type {colours} and methods {packing, filters, passes}"
        )
    if zlib.crc32(data[12:29]).to_bytes(4, "big") != data[29:33]:
        raise ValueError("its header does not match its checksum")
    _check_sides(height, width)
    return height, width, _CHANNELS[colours]


def _check_sides(height: int, width: int) -> None:
    if max(height, width) > _LONGEST_SIDE:
        raise ValueError(f"more than {_LONGEST_SIDE} pixels a side")


def encode(pixels: NDArray[np.uint16], compress_level: int) -> bytes:
    """A PNG without metadata; the last of two or four channels is alpha."""
    from imagecodecs import png_encode

    _check_sides(*pixels.shape[:2])
    return bytes(png_encode(pixels, level=compress_level))


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
