"""Embed pixels in pages without loss, and scripts, as text that the page turns into the same bytes.

A browser's canvas is no way to read pixels: browsers that protect against fingerprinting change them. So the
script decodes them itself (``unpack.js``), from raw deflate that all browsers inflate. Each plane is
predicted from its neighbours, and what the prediction misses is sorted by how well the pixels around it were
predicted: these streams have few bits each.
"""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.pictures import Picture, write
from dpid_cli.pictures.formats import COMPACT, FALLBACK

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.base import Codec

Bytes = NDArray[np.uint8]
Plane = NDArray[np.int16]

TILE = 32  # side of the tiles that choose a predictor, in pixels
LEVELS = (6, 24, 80)  # of the errors around a pixel, which choose its stream
# 91 characters that a script element and a JSON string hold as they are: two of them stand for 13 bits.
ALPHABET = "".join(chr(code) for code in range(33, 127) if chr(code) not in '"\\<')
_STRATEGIES = ((9, zlib.Z_HUFFMAN_ONLY), (9, zlib.Z_RLE), (6, zlib.Z_FILTERED))  # with their levels
_PREVIEW = {"quality": 80, "effort": 6}
_EXACT = {"lossless": True, "effort": 9}
_GROUPS = 1 << 16  # of 13 bytes, encoded at a time


def packed(pixels: Bytes) -> dict[str, Any]:
    """Pixels (H, W, C) for the script; ``crc`` is the CRC-32 of the interleaved bytes."""
    height, width, channels = pixels.shape
    mixed = channels >= 3 and _roughness(_mixed(pixels)) < _roughness(pixels)
    planes = _mixed(pixels) if mixed else pixels
    streams: list[Bytes] = []
    around = np.zeros((height, width), np.int16)
    for channel in range(channels):
        tiles, errors = _predicted(planes[..., channel])
        sizes = np.abs(errors.view(np.int8).astype(np.int16))
        levels = np.searchsorted(LEVELS, 2 * _nearby(sizes) + 3 * around)
        streams += [tiles.ravel(), *(errors[levels == level] for level in range(len(LEVELS) + 1))]
        around += sizes
    return {
        "size": (width, height),
        "channels": channels,
        "mixed": mixed,
        "counts": [stream.size for stream in streams],
        "crc": zlib.crc32(pixels.tobytes()),
        "text": as_text(_deflated(streams)),
    }


def _mixed(pixels: Bytes) -> Bytes:
    """Colours as green, red less green, and blue less green, modulo 256; these two vary less."""
    green = pixels[..., 1]
    others = [pixels[..., channel] for channel in range(3, pixels.shape[2])]
    return np.stack([green, pixels[..., 0] - green, pixels[..., 2] - green, *others], axis=-1)


def _roughness(pixels: Bytes) -> float:
    """How many bits the steps between neighbours take, roughly."""
    steps = np.abs(np.diff(pixels, axis=1).view(np.int8).astype(np.float32))
    return float(np.log2(1 + steps).sum())


def _neighbours(plane: Bytes) -> tuple[Plane, Plane, Plane, Plane]:
    """The pixels to the left, above, above left and above right of each pixel, which are decoded before it.

    Above the first row everything is 0; beyond the sides, the nearest pixel of the row above, or the last.
    """
    height, width = plane.shape
    padded = np.zeros((height + 1, width + 2), np.int16)
    padded[1:, 1:-1] = plane
    padded[1:, 0] = padded[:-1, 1]
    padded[1:, -1] = plane[:, -1]
    return padded[1:, :-2], padded[:-1, 1:-1], padded[:-1, :-2], padded[:-1, 2:]


def _predictions(plane: Bytes) -> tuple[Plane, ...]:
    """What each predictor expects, in the order of the script: nothing, means, or a median of gradients."""
    left, above, corner, right = _neighbours(plane)
    gradient = np.clip(left + above - corner, np.minimum(left, above), np.maximum(left, above))
    return (
        np.zeros_like(left),
        (left + above) >> 1,
        gradient,
        (left + 2 * above + right) >> 2,
        (left + above + corner + right) >> 2,
    )


def _predicted(plane: Bytes) -> tuple[Bytes, Bytes]:
    """The predictor of each tile, and what it misses, modulo 256."""
    height, width = plane.shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    margin = (0, rows * TILE - height), (0, columns * TILE - width)
    errors = np.stack([(plane - expected).astype(np.uint8) for expected in _predictions(plane)])
    sizes = np.abs(errors.view(np.int8).astype(np.int16))
    costs = np.log2(1 + np.arange(129, dtype=np.float32))[sizes]
    tiled = np.pad(costs, ((0, 0), *margin)).reshape(len(errors), rows, TILE, columns, TILE)
    tiles = tiled.sum(axis=(2, 4)).argmin(axis=0).astype(np.uint8)
    chosen = tiles.repeat(TILE, axis=0)[:height].repeat(TILE, axis=1)[:, :width]
    return tiles, np.take_along_axis(errors, chosen[None].astype(np.intp), axis=0)[0]


def _nearby(sizes: Plane) -> Plane:
    """The sum of the errors to the left, above, above left and above right; 0 outside."""
    padded = np.pad(sizes, ((1, 0), (1, 1)))
    return padded[1:, :-2] + padded[:-1, 1:-1] + padded[:-1, :-2] + padded[:-1, 2:]


def _deflated(streams: Sequence[Bytes]) -> bytes:
    """One raw deflate stream of all, each with the strategy that takes the fewest bytes."""
    parts = []
    for number, stream in enumerate(streams, 1):
        flush = zlib.Z_FINISH if number == len(streams) else zlib.Z_SYNC_FLUSH
        candidates = []
        for level, strategy in _STRATEGIES:
            deflate = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
            candidates.append(deflate.compress(stream.tobytes()) + deflate.flush(flush))
        parts.append(min(candidates, key=len))
    return b"".join(parts)


def compressed(text: str) -> tuple[str, int]:
    """A script for the page's first one, which starts it, and how many bytes it takes in UTF-8."""
    data = text.encode()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return as_text(deflate.compress(data) + deflate.flush()), len(data)


def as_text(data: bytes) -> str:
    """Bytes as text: 13 bits, the first ones highest, in two characters.

    At the end, up to 6 bits take one character. So fewer than 8 bits of 0 follow, which are no byte.
    """
    letters = np.frombuffer(ALPHABET.encode(), np.uint8)
    weights = 1 << np.arange(12, -1, -1)
    content = np.frombuffer(data, np.uint8)
    parts = []
    for start in range(0, len(content), 13 * _GROUPS):
        bits = np.unpackbits(content[start : start + 13 * _GROUPS])
        left = len(bits) % 13
        groups = np.pad(bits, (0, -len(bits) % 13)).reshape(-1, 13) @ weights
        pairs = letters[np.stack(np.divmod(groups, len(ALPHABET)), axis=1)].tobytes().decode()
        if 0 < left <= 6:
            pairs = pairs[:-2] + ALPHABET[groups[-1] >> 7]
        parts.append(pairs)
    return "".join(parts)


def preview(pixels: Bytes) -> str:
    """Pixels (H, W, 3 or 4) as a lossy data URL, in the compact format if it stores images so large."""
    fits = max(pixels.shape[:2]) <= COMPACT.max_side
    return _url(pixels, COMPACT.tuned(_PREVIEW) if fits else FALLBACK)


def exact_url(pixels: Bytes) -> str:
    """Pixels (H, W, 3 or 4) of a small image as a data URL, without loss."""
    return _url(pixels, COMPACT.tuned(_EXACT))


def _url(pixels: Bytes, format_: Codec) -> str:
    plain, stream = Picture(pixels, pixels.shape[2] == 4, None), io.BytesIO()
    write(plain, stream, format_, "page")
    return f"data:image/{format_.name};base64,{base64.b64encode(stream.getvalue()).decode()}"
