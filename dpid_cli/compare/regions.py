"""Regions of an image to look at closely: those on the command line, and those where outputs differ most."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpid_cli.errors import ArgumentError

if TYPE_CHECKING:
    from dpid_cli.compare.intensities import Array
    from dpid_cli.downscaling.sizes import Size

# Side of a region: share of the longer side, and bounds in pixels, of the output and of the input.
_SHARE, _SMALLEST, _LARGEST, _LARGEST_IN_INPUT = 0.2, 8, 48, 384


@dataclass(frozen=True)
class Region:
    """A rectangle of whole pixels from (left, top) to (right, bottom), the latter excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This region of pixels (h, w, ...)."""
        return pixels[self.top : self.bottom, self.left : self.right]

    def trimmed(self, side: int) -> Region:
        """The middle of this region, no wider and no higher than `side`."""
        width, height = min(side, self.size[0]), min(side, self.size[1])
        left, top = self.left + (self.size[0] - width) // 2, self.top + (self.size[1] - height) // 2
        return Region(left, top, left + width, top + height)

    def on(self, size: Size, other: Size) -> Region:
        """The same region when the image of this size is scaled to another, rounded to whole pixels."""

        def moved(at: int, axis: int) -> int:
            return _rounded(at * other[axis], size[axis])

        left, top = moved(self.left, 0), moved(self.top, 1)
        return Region(left, top, max(left + 1, moved(self.right, 0)), max(top + 1, moved(self.bottom, 1)))


def crop_of(word: str) -> Region:
    """Parse ``X,Y,W,H``, in pixels of the input; raise an `ArgumentError` if it is malformed."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", word)
    if match is None:
        raise ArgumentError(
            f"--closeup: {word!r} is not X,Y,W,H: give left, top, width and height, such as 0,0,64,64"
        )
    left, top, width, height = map(int, match.groups())
    if not (width and height):
        raise ArgumentError(f"--closeup: {word!r} is empty: give a width and height of 1 or more")
    return Region(left, top, left + width, top + height)


def in_output(crop: Region, source: Size, size: Size) -> Region:
    """The region of an output that comes nearest to a crop of its input, for the sizes of both.

    Its sides are those of the crop, rounded to whole windows but at least one, wherever the crop lies. So
    crops of about one size are shown in one size.

    Raise an `ArgumentError` if the crop does not lie inside the input.
    """
    if crop.right > source[0] or crop.bottom > source[1]:
        raise ArgumentError(
            f"--closeup {crop.left},{crop.top},{crop.size[0]},{crop.size[1]}: exceeds the image, which has "
            f"{source[0]}x{source[1]} pixels: give a region inside it"
        )

    def span(start: int, length: int, axis: int) -> tuple[int, int]:
        windows = max(1, _rounded(length * size[axis], source[axis]))
        first = min(_rounded(start * size[axis], source[axis]), size[axis] - windows)
        return first, first + windows

    left, right = span(crop.left, crop.size[0], 0)
    top, bottom = span(crop.top, crop.size[1], 1)
    return Region(left, top, right, bottom)


def _rounded(number: int, divisor: int) -> int:
    """``number / divisor``, rounded to nearest, halves up."""
    return (2 * number + divisor) // (2 * divisor)


def most_different(differences: Array, count: int, scale: float = 1) -> list[Region]:
    """Choose up to `count` regions with the largest sums of a map (h, w), the largest first.

    A region is a fifth of the longer side wide and high, at least 8 and at most 48 pixels, and at most 384
    pixels of an input that is `scale` times as large. It is at least half its size away from the others. If
    the map is zero, the only region is in the middle. An output no larger than a region has none.
    """
    height, width = differences.shape
    most = max(_SMALLEST, min(_LARGEST, int(_LARGEST_IN_INPUT / scale)))
    side = min(most, max(_SMALLEST, int(_SHARE * max(height, width))))
    if side >= max(height, width):
        return []
    high, wide = min(side, height), min(side, width)
    sums = np.pad(differences.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    score = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    if not differences.any():
        score = np.zeros_like(score)
        score[score.shape[0] // 2, score.shape[1] // 2] = 1
    chosen: list[Region] = []
    while len(chosen) < count and score.max() > 0:
        top, left = (int(at) for at in np.unravel_index(np.argmax(score), score.shape))
        chosen.append(Region(left, top, left + wide, top + high))
        rows = slice(max(0, top - 3 * high // 2 + 1), top + 3 * high // 2)
        columns = slice(max(0, left - 3 * wide // 2 + 1), left + 3 * wide // 2)
        score[rows, columns] = 0
    return chosen
