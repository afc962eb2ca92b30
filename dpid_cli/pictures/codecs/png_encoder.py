"""Pixels to the compressed rows of a PNG.

Filters are those that libpng chooses, by the same rule. They are found by a kernel that uses vectors, and
libdeflate compresses, whose output does not depend on the CPU. A few rows are left to zlib.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.interrupts import interruptible
from dpid_cli.kernels.residuals import subtract_predictions

# libdeflate's level for each of ours. Its 12 takes as long as zlib's 9, and was never larger.
_LEVELS = (0, 1, 2, 3, 4, 6, 7, 8, 9, 12)
# If filters leave fewer zeros than this, little repeats. Levels above libdeflate's first then take longer for
# files that are often larger.
_FEW_ZEROS = 0.3
_FASTEST, _SEARCHING = 1, 7
_SMALL = 2**16  # bytes that zlib compresses in less time than it takes to import imagecodecs
_STRIP_BYTES = 2**18  # which caches hold, twice
_CHUNK_BYTES = 2**20
# Where the pixels of each pass of an interlaced image begin, and how far apart they are: rows, then columns.
_PASSES = (
    (0, 8, 0, 8),
    (0, 8, 4, 8),
    (4, 8, 0, 4),
    (0, 4, 2, 4),
    (2, 4, 0, 2),
    (0, 2, 1, 2),
    (1, 2, 0, 1),
)


def encoded(
    pixels: NDArray[Any], level: int, bits: int | None = None, *, interlaced: bool = False
) -> list[bytes]:
    """The rows of uint8 or uint16 pixels (H, W[, C]), filtered and compressed, as contents of chunks.

    With `bits`, pixels are indices of so many bits: their differences mean nothing, so they are not filtered.
    """
    rows: Any
    parts = [pixels]
    if interlaced:
        parts = [pixels[top::down, left::across] for top, down, left, across in _PASSES]
        parts = [np.ascontiguousarray(part) for part in parts if part.size]
    efforts = [_LEVELS[level]]
    if bits is not None or not level:
        rows = _joined([_unfiltered(part, bits or 8 * pixels.itemsize) for part in parts])
    else:
        rows = _joined([_filtered(part) for part in parts])
        zeros = 1 - np.count_nonzero(rows) / rows.size
        if zeros < _FEW_ZEROS and level < 9:
            efforts = [_FASTEST, *(effort for effort in efforts if effort >= _SEARCHING)]
    if rows.size <= _SMALL:
        return [zlib.compress(rows, level)]
    packed = _compressed(rows, efforts)
    return [packed[start : start + _CHUNK_BYTES] for start in range(0, len(packed), _CHUNK_BYTES)]


def _joined(parts: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return parts[0] if len(parts) == 1 else np.concatenate([part.ravel() for part in parts])


def _compressed(rows: Any, efforts: list[int]) -> bytes:
    """The smallest of what these levels of libdeflate make, in up to some seconds."""
    from imagecodecs import deflate_encode

    return interruptible(lambda: min((bytes(deflate_encode(rows, e, raw=False)) for e in efforts), key=len))


def _filtered(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """The filtered rows, each behind the number of its filter."""
    height = len(pixels)
    step = pixels[:1, :1].nbytes
    length = step * pixels.shape[1]
    result = np.empty((height, 1 + length), np.uint8)
    strip = max(1, _STRIP_BYTES // length)
    padded = np.zeros((1 + min(strip, height), step + length), np.uint8)
    for top in range(0, height, strip):
        rows = _bytes_of(pixels[top : top + strip])
        padded[1 : 1 + len(rows), step:] = rows
        with np.errstate(over="ignore"):  # of bytes, where kernels run as plain Python
            subtract_predictions(padded[: 1 + len(rows)], result[top : top + len(rows)], step)
        padded[0] = padded[len(rows)]
    return result


def _bytes_of(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Rows of bytes, those of uint16 with the higher byte first."""
    ordered = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    return ordered.view(np.uint8).reshape(len(pixels), -1)


def _unfiltered(pixels: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """The rows behind the number of no filter; several pixels a byte if they have fewer than 8 bits."""
    rows = _bytes_of(pixels)
    if bits < 8:
        each = 8 // bits
        rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % each)))
        packed = np.zeros((len(rows), rows.shape[1] // each), np.uint8)
        for k in range(each):
            packed = (packed << bits) | rows[:, k::each]
        rows = packed
    return np.pad(rows, ((0, 0), (1, 0)))
