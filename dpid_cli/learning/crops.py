"""Cut the crops that a fit learns from, so that their windows are windows of the whole image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.raster import MOST_CHANNELS, Raster
from dpid_cli.downscaling.sizes import Size, by_scale
from dpid_cli.errors import ArgumentError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Crop:
    """A part of an image, and the same part of its target."""

    pixels: Array  # intensities (H, W, C) in [0, 1]
    size: Size  # (w, h) of the output
    target: Array | None = None  # the output to aim at, (h, w, C)
    inner: tuple[slice, slice] = (slice(None), slice(None))  # rows and columns that depend on the crop alone


def crops_of(
    image: ArrayLike,
    target: ArrayLike | None,
    scale: float,
    side: int,
    count: int,
    filter_: Filter,
    random: np.random.Generator,
) -> list[Crop]:
    """Cut `count` crops at random positions, or one if no other position is possible.

    `target`, (h, w[, C]), is the output to aim at for an image (H, W[, C]); `side` is the largest side of a
    crop in pixels. If only the whole image has windows that fit, it is the crop. The filter determines how
    far a window sees. Raises an `ArgumentError` if image, target and filter do not fit each other, or crops
    are too small.
    """
    whole = Raster.of(image, most=MOST_CHANNELS).unpacked()
    result = None if target is None else Raster.of(target, most=MOST_CHANNELS).unpacked()
    columns, rows = _spans(whole, result, scale, side)
    size = columns.target, rows.target
    filter_.check_fit((columns.source, rows.source), size, whole.channels)
    crops = []
    for _ in range(count if rows.positions * columns.positions > 1 else 1):
        top, left = (int(random.integers(span.positions)) * span.step for span in (rows, columns))
        pixels = _part(whole, top, left, (columns.source, rows.source))
        if result is None:
            crops.append(Crop(pixels, size))
            continue
        small_left, small_top = (
            at * small // large for at, small, large in zip((left, top), result.size, whole.size, strict=True)
        )
        reach = _reach(filter_)
        inner = (
            _inside(small_top, rows.target, result.size[1], reach),
            _inside(small_left, columns.target, result.size[0], reach),
        )
        crops.append(Crop(pixels, size, _part(result, small_top, small_left, size), inner))
    return crops


@dataclass(frozen=True)
class _Span:
    """The possible crops along one axis.

    Each has `source` pixels, `target` in the output; there are `positions` of them, `step` pixels apart.
    """

    source: int
    target: int
    step: int
    positions: int


def _free_span(source: int, side: int, scale: float) -> _Span:
    target = max(1, math.floor(min(source, side) / scale + 1e-9))
    length = min(source, math.floor(target * scale + 0.5))
    return _Span(length, target, 1, source - length + 1)


def _aligned_span(source: int, target: int, side: int) -> _Span:
    """Crops whose windows are windows of the whole, which begin at whole pixels once in each `period`."""
    period = target // math.gcd(source, target)
    count = side * target // source // period * period
    if count == 0 or count >= target:
        return _Span(source, target, source, 1)
    return _Span(count * source // target, count, period * source // target, (target - count) // period + 1)


def _spans(whole: Raster, result: Raster | None, scale: float, side: int) -> list[_Span]:
    """The possible crops along columns and rows."""
    if result is None:
        return [_free_span(source, side, scale) for source in whole.size]
    expected = by_scale(whole.size, scale)
    if (result.size, result.channels) != (expected, whole.channels):
        raise ArgumentError(
            f"target: has {result.size[0]}x{result.size[1]} pixels and {result.channels} channels: give "
            f"{expected[0]}x{expected[1]} pixels and {whole.channels}, {scale:g} times smaller"
        )
    return [_aligned_span(*lengths, side) for lengths in zip(whole.size, result.size, strict=True)]


def _inside(first: int, count: int, whole: int, reach: int) -> slice:
    """The windows of a crop that see only the crop; at the borders of the whole image, all do."""
    low, high = reach if first > 0 else 0, reach if first + count < whole else 0
    if low + high >= count:
        raise ArgumentError(f"crop: {count} windows on a side are too few for this filter: give larger crops")
    return slice(low, count - high)


def _reach(filter_: Filter) -> int:
    """How many windows around its own a filter sees."""
    if filter_.grid == "output":
        return 1
    side, step = filter_.kernel.shape[-1], filter_.step
    ends = [end for first in filter_.offset or (0, 0) for end in (-first, first + side - step)]
    return max(0, -(-max(ends) // step))


def _part(raster: Raster, top: int, left: int, size: Size) -> Array:
    """A part of an image as intensities (H, W, C), float64 in [0, 1]; only the part is converted."""
    channels = raster.channels
    rows = raster.rows[top : top + size[1], channels * left : channels * (left + size[0])]
    return (rows / np.float64(raster.unit)).reshape(size[1], size[0], channels)
