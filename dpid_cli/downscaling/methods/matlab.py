"""Bicubic filtering as MATLAB's imresize does it: axis by axis in float64, integers rounded after each.

The kernel is the cubic of Keys (1981) with a = -1/2. Along each axis it is widened by the scale, its weights
are divided by their sum, and the image is mirrored at its edges, with the outermost pixel repeated. The axis
that shrinks more comes first; of equal ones, the vertical.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.parameters import Parameters
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip

_REACH = 2  # of the kernel, in windows
_BLOCK = 1 << 17  # numbers to compute at a time, so that they stay in the cache


class _Taps(NamedTuple):
    """For each output of an axis the pixels that it is made of, and their weights: (taps, target) each."""

    pixels: NDArray[np.intp]
    weights: NDArray[np.float64]


def fill(out: Array, name: str, strip: Strip, parameters: Parameters) -> None:
    """Fill `out`, (rows, w * C), with all rows at once."""
    raster, (columns, rows), light = strip.raster, strip.grid.size, strip.light
    width, height = raster.size
    c = raster.channels
    values: Array = raster.rows
    decode: Callable[[Array], Array] | None = None if light is None else light.decoded
    between = np.float64 if light is not None or raster.limit == 0 else raster.dtype
    passes = [_vertically, _horizontally]
    if columns * height < rows * width:
        passes.reverse()
    for number, along in enumerate(passes):
        shape = (rows, values.shape[1]) if along is _vertically else (len(values), columns * c)
        last = number == 1
        result = out if last else np.empty(shape, between)
        finish = strip.pixels if last else raster.levels if light is None else np.asarray
        along(values, result, c, decode, finish)
        values, decode = result, None


def _vertically(
    values: Array,
    result: Array,
    channels: int,
    decode: Callable[[Array], Array] | None,
    finish: Callable[[Array], Array],
) -> None:
    """Filter (n, W * C) to (rows, W * C)."""
    taps = _taps(len(values), len(result))
    step = max(1, _BLOCK // values.shape[1])
    for start in range(0, len(result), step):
        pixels, weights = (of[:, start : start + step] for of in taps)
        top = pixels.min()
        part = values[top : pixels.max() + 1]
        if decode is not None:
            part = decode(part)
        total = np.zeros((pixels.shape[1], values.shape[1]))
        for pixel, weight in zip(pixels - top, weights, strict=True):
            total += weight[:, np.newaxis] * part[pixel]
        result[start : start + step] = finish(total)


def _horizontally(
    values: Array,
    result: Array,
    channels: int,
    decode: Callable[[Array], Array] | None,
    finish: Callable[[Array], Array],
) -> None:
    """Filter (n, W * C) to (n, w * C)."""
    taps = _taps(values.shape[1] // channels, result.shape[1] // channels)
    step = max(1, _BLOCK // values.shape[1])
    for start in range(0, len(values), step):
        part = values[start : start + step]
        if decode is not None:
            part = decode(part)
        part = part.reshape(len(part), -1, channels)
        total = np.zeros((len(part), result.shape[1] // channels, channels))
        for pixel, weight in zip(*taps, strict=True):
            total += weight[:, np.newaxis] * part[:, pixel]
        result[start : start + step] = finish(total.reshape(len(part), -1))


def _taps(source: int, target: int) -> _Taps:
    """The taps of an axis; all outputs have as many, some of weight 0."""
    scale = source / target
    centres = (np.arange(target) + 0.5) * scale - 0.5
    first = np.floor(centres - _REACH * scale).astype(np.intp)
    pixels = first + np.arange(int(np.ceil(2 * _REACH * scale)) + 2)[:, np.newaxis]
    weights = _cubic((centres - pixels) / scale)
    weights /= weights.sum(axis=0)
    used = weights.any(axis=1)
    place = pixels[used] % (2 * source)
    return _Taps(np.minimum(place, 2 * source - 1 - place), weights[used])


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    inner, outer = (1.5 * x - 2.5) * x * x + 1, ((2.5 - 0.5 * x) * x - 4) * x + 2
    return np.where(x <= 1, inner, np.where(x <= _REACH, outer, 0))
