"""What a fit learns from: crops of images, cut where their windows are windows of the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.raster import Raster
from dpid_cli.downscaling.sizes import Size, by_scale
from dpid_cli.errors import ArgumentError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """A crop, and what its result is measured against.

    Attributes
    ----------
    pixels : (H, W, C) ndarray
        Intensities.
    size : (int, int)
        (width, height) of the result.
    target : (h, w, C) ndarray or None
        The small image that the result should be.
    inner : (slice, slice)
        Rows and columns of the result that do not depend on what lies beyond the crop.
    """

    pixels: Array
    size: Size
    target: Array | None = None
    inner: tuple[slice, slice] = (slice(None), slice(None))


def examples_of(
    image: ArrayLike,
    target: ArrayLike | None,
    scale: float,
    crop: int,
    count: int,
    filter_: Filter,
    random: np.random.Generator,
) -> list[Example]:
    """Cut crops at random places.

    Parameters
    ----------
    image : (H, W[, C]) array_like
    target : (h, w[, C]) array_like, optional
        What the image should become.
    scale : float
    crop : int
        Side of a crop in pixels, at most. Where no smaller crop would have the windows of the whole image,
        it is the whole image.
    count : int
        How many crops; one, where there is only one place.
    filter_ : Filter
        Sets how far a window sees.
    random : numpy.random.Generator

    Raises
    ------
    ArgumentError
        If the image, its target or the filter do not fit each other, or crops are too small.
    """
    whole = Raster.of(image).unpacked()
    result = None if target is None else Raster.of(target).unpacked()
    columns, rows = _spans(whole, result, scale, crop)
    size = columns.target, rows.target
    filter_.check_fit((columns.source, rows.source), size, whole.channels)
    cut = []
    for _ in range(count if rows.places * columns.places > 1 else 1):
        top, left = (int(random.integers(span.places)) * span.step for span in (rows, columns))
        pixels = _part(whole, top, left, (columns.source, rows.source))
        if result is None:
            cut.append(Example(pixels, size))
            continue
        small_left, small_top = (
            at * small // large for at, small, large in zip((left, top), result.size, whole.size, strict=True)
        )
        reach = _reach(filter_)
        inner = (
            _inside(small_top, rows.target, result.size[1], reach),
            _inside(small_left, columns.target, result.size[0], reach),
        )
        cut.append(Example(pixels, size, _part(result, small_top, small_left, size), inner))
    return cut


@dataclass(frozen=True)
class _Span:
    """Where crops can lie along one axis.

    They are `source` pixels long, `target` in the result, and begin at every `step`-th pixel.
    """

    source: int
    target: int
    step: int
    places: int


def _free_span(source: int, crop: int, scale: float) -> _Span:
    target = max(1, math.floor(min(source, crop) / scale + 1e-9))
    length = min(source, math.floor(target * scale + 0.5))
    return _Span(length, target, 1, source - length + 1)


def _aligned_span(source: int, target: int, crop: int) -> _Span:
    """Crops whose windows are windows of the whole: these begin at whole pixels every so many windows."""
    period = target // math.gcd(source, target)
    count = crop * target // source // period * period
    if count == 0 or count >= target:
        return _Span(source, target, source, 1)
    return _Span(count * source // target, count, period * source // target, (target - count) // period + 1)


def _spans(whole: Raster, result: Raster | None, scale: float, crop: int) -> list[_Span]:
    """Where crops can lie, along columns and rows."""
    if result is None:
        return [_free_span(source, crop, scale) for source in whole.size]
    expected = by_scale(whole.size, scale)
    if (result.size, result.channels) != (expected, whole.channels):
        raise ArgumentError(
            f"target: {result.size[0]}x{result.size[1]} pixels of {result.channels} channels: give "
            f"{expected[0]}x{expected[1]} of {whole.channels}, {scale:g} times smaller"
        )
    return [_aligned_span(*sides, crop) for sides in zip(whole.size, result.size, strict=True)]


def _inside(first: int, count: int, whole: int, reach: int) -> slice:
    """Windows of a crop that see nothing beyond it, except at the border of the whole."""
    low, high = reach if first > 0 else 0, reach if first + count < whole else 0
    if low + high >= count:
        raise ArgumentError(f"crops of {count} windows a side see beyond themselves: give larger crops")
    return slice(low, count - high)


def _reach(filter_: Filter) -> int:
    """How many windows beyond its own a filter sees."""
    if filter_.grid == "output":
        return 1
    side, step = filter_.kernel.shape[-1], filter_.step
    ends = [end for first in filter_.offset or (0, 0) for end in (-first, first + side - step)]
    return max(0, -(-max(ends) // step))


def _part(raster: Raster, top: int, left: int, size: Size) -> Array:
    """A part of an image as float64 (H, W, C) in [0, 1]; only the part is converted."""
    channels = raster.channels
    rows = raster.rows[top : top + size[1], channels * left : channels * (left + size[0])]
    return (rows / np.float64(raster.unit)).reshape(size[1], size[0], channels)
