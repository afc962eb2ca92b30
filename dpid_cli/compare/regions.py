"""Parts of a picture to look at closely: those asked for, and those where the methods differ most."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpid_cli.compare.intensities import Array
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError

_SHARE, _SMALLEST, _LARGEST = 0.2, 8, 48  # of the sides of a result, and pixels of it


@dataclass(frozen=True)
class Region:
    """A rectangle of whole pixels of the result, (left, top) to (right, bottom), the latter outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of pixels (h, w, ...)."""
        return pixels[self.top : self.bottom, self.left : self.right]

    def on(self, result: Size, other: Size) -> Region:
        """The same place in the same picture of another size, borders rounded to its nearest pixels."""

        def moved(at: int, axis: int) -> int:
            return (2 * at * other[axis] + result[axis]) // (2 * result[axis])

        left, top = moved(self.left, 0), moved(self.top, 1)
        return Region(left, top, max(left + 1, moved(self.right, 0)), max(top + 1, moved(self.bottom, 1)))


def crop_of(word: str) -> Region:
    """``X,Y,W,H`` in pixels of the input as a rectangle, or an `ArgumentError`."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", word)
    if found is None:
        raise ArgumentError(f"--crop: {word!r} is not X,Y,W,H: give left, top, width and height in pixels")
    left, top, width, height = map(int, found.groups())
    if not (width and height):
        raise ArgumentError(f"--crop: {word!r} holds no pixel: give a width and height of 1 or more")
    return Region(left, top, left + width, top + height)


def in_result(crop: Region, source: Size, result: Size) -> Region:
    """A rectangle of the input as the smallest one of the result that covers it.

    Raises
    ------
    ArgumentError
        If it does not lie inside the input.
    """
    if crop.right > source[0] or crop.bottom > source[1]:
        raise ArgumentError(
            f"--crop {crop.left},{crop.top},{crop.size[0]},{crop.size[1]}: it leaves the image, which is "
            f"{source[0]}x{source[1]}: give a part of it"
        )
    return Region(
        crop.left * result[0] // source[0],
        crop.top * result[1] // source[1],
        -(-crop.right * result[0] // source[0]),
        -(-crop.bottom * result[1] // source[1]),
    )


def spread(results: Sequence[Array]) -> Array:
    """How far results (h, w, C) of one size lie apart at each pixel: their variance, added over channels."""
    mean = sum(results[1:], results[0].copy()) / len(results)
    apart: Array = sum((result - mean) ** 2 for result in results).sum(axis=2)  # type: ignore[union-attr]
    return apart / len(results)


def telling(apart: Array, count: int) -> list[Region]:
    """Up to `count` regions with the largest sums of a map (h, w), from top to bottom, none over another.

    Each is a fifth of the result on both sides, at least 8 and at most 48 pixels, and half its own size away
    from the others. Where the map is zero there is nothing to choose, and the first is in the middle.
    A result no larger than a region has none.
    """
    height, width = apart.shape
    side = min(_LARGEST, max(_SMALLEST, int(_SHARE * max(height, width))))
    if side >= max(height, width):
        return []
    high, wide = min(side, height), min(side, width)
    sums = np.pad(apart.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    score = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    if not apart.any():
        score = np.zeros_like(score)
        score[score.shape[0] // 2, score.shape[1] // 2] = 1
    found: list[Region] = []
    while len(found) < count and score.max() > 0:
        top, left = (int(at) for at in np.unravel_index(np.argmax(score), score.shape))
        found.append(Region(left, top, left + wide, top + high))
        rows = slice(max(0, top - 3 * high // 2 + 1), top + 3 * high // 2)
        columns = slice(max(0, left - 3 * wide // 2 + 1), left + 3 * wide // 2)
        score[rows, columns] = 0
    return sorted(found, key=lambda region: (region.top, region.left))
