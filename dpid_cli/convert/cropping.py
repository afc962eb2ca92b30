"""The part of a picture that an output shows: a given rectangle, or the largest that fills a size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.alpha import premultiply
from dpid_cli.downscaling.choices import Gravity
from dpid_cli.downscaling.cropping import Crop
from dpid_cli.downscaling.raster import full_scale
from dpid_cli.downscaling.sizes import Sides, Size, by_size
from dpid_cli.pictures import Picture

_COARSE = 512  # the longer side of what `detail` looks at


def cut(picture: Picture, crop: Crop) -> tuple[Picture, Crop | None]:
    """The pixels that a crop touches, and the crop within them if it has parts of pixels.

    Raises an `ArgumentError` if the picture does not contain it.
    """
    crop.check_inside(picture.size)
    pixels = picture.pixels[crop.outer]
    part = replace(picture, pixels=pixels, uncropped=picture.size, part=tuple(crop))
    return part, None if crop.is_whole else crop.inner


def filling(source: Sides, size: Size) -> Size:
    """Width and height, in whole pixels, of the largest part with the aspect ratio of a size.

    Raises a `SizeError` if the size is larger than the source.

    >>> filling((640, 427), (100, 100))
    (427, 427)
    """
    by_size(source, size)
    (width, height), (columns, rows) = (int(source[0]), int(source[1])), size
    if width * rows > height * columns:
        return max(columns, (2 * height * columns + rows) // (2 * rows)), height
    return width, max(rows, (2 * width * rows + columns) // (2 * columns))


def placed(picture: Picture, crop: Crop | None, size: Size, gravity: Any) -> Crop:
    """The part of a picture, or of a crop of it, that fills a size; where it lies, gravity says.

    A word pulls it to a side or corner, a point of the picture into its middle, as far as possible.
    ``detail`` maximises the sum of `differences` inside of it; of equal places it takes the one nearest to
    the middle.
    """
    if crop is None:
        crop = Crop.of((0, 0, *picture.size))
    crop.check_inside(picture.size)
    part = filling(crop.size, size)
    free = int(crop.width) - part[0], int(crop.height) - part[1]
    if not isinstance(gravity, str):
        shifts = [
            float(at - start) - length / 2 for at, start, length in zip(gravity, crop, part, strict=False)
        ]
        left, top = (min(max(round(shift), 0), most) for shift, most in zip(shifts, free, strict=True))
    elif gravity == Gravity.DETAIL:
        left, top = _most_detailed(picture.pixels[crop.outer], picture.alpha, part, free)
    else:
        left = 0 if "west" in gravity else free[0] if "east" in gravity else free[0] // 2
        top = 0 if "north" in gravity else free[1] if "south" in gravity else free[1] // 2
    return Crop.of((crop.left + left, crop.top + top, *part))


def differences(pixels: NDArray[Any], alpha: bool) -> NDArray[np.float64]:
    """|dpid - box| in [0, 1], summed over channels, of an image at a coarse scale.

    The scale gives the longer side 512 pixels, but is at least 2. Both methods use their defaults, and
    colours are multiplied by alpha.
    """
    from dpid_cli.downscaling.api import downscale

    if alpha:
        pixels = premultiply(pixels)
    longer = max(pixels.shape[:2])
    scale = max(longer / _COARSE, min(2.0, longer))
    unit = full_scale(pixels.dtype)
    if pixels.dtype.kind == "f":
        pixels = np.clip(pixels, 0, 1)
    dpid, box = (downscale(pixels, scale=scale, method=name) / unit for name in ("dpid", "box"))
    difference: NDArray[np.float64] = np.abs(dpid - box, dtype=np.float64)
    return difference if difference.ndim == 2 else difference.sum(axis=2)


def _most_detailed(pixels: NDArray[Any], alpha: bool, part: Size, free: Size) -> tuple[int, int]:
    """How far to move a part to the right and down: one of both is 0 in an image that it fills."""
    found = differences(pixels, alpha)
    shifts = [0, 0]
    for axis, sums in enumerate((found.sum(axis=0), found.sum(axis=1))):
        length = free[axis] + part[axis]
        # The sum up to any edge between pixels of the image
        edges = np.arange(length + 1) * (len(sums) / length)
        below = np.interp(edges, np.arange(len(sums) + 1), np.concatenate([[0], np.cumsum(sums)]))
        scores = below[part[axis] :] - below[: free[axis] + 1]
        best = np.flatnonzero(scores >= scores.max() * (1 - 1e-9))
        shifts[axis] = int(best[np.argmin(np.abs(2 * best - free[axis]))])
    return shifts[0], shifts[1]
