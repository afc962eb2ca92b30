"""Planes of frames: Y', Cb and Cr, or R, G and B, downscaled as one image or each by its own windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.api import automatic, downscale
from dpid_cli.downscaling.sizes import Size

Planes = list[NDArray[Any]]

SAMPLES = 9  # frames that "auto" is measured in
# A plane whose windows begin within a pixel has its pixels repeated so often, or less if that is enough.
_PARTS = 4
# Parameters that count pixels or channels, and so cannot serve planes of several sizes.
OF_ALL_CHANNELS = ("window", "gate", "guidance", "cell")
# Where samples of chroma lie: 0 at the first pixel of luma that they belong to, 1 at the last.
_ACROSS = {"left": 0, "topleft": 0, "bottomleft": 0}
_DOWN = {"topleft": 0, "top": 0, "bottomleft": 1, "bottom": 1}
_MIDDLE = Fraction(1, 2)


@dataclass(frozen=True)
class Layout:
    """How the planes of a frame become smaller ones.

    Attributes
    ----------
    source, target : (int, int)
        Width and height of luma, before and after.
    chroma : (int, int)
        Columns and rows of luma for one sample of chroma; (1, 1) if all planes are one image.
    siting : str
        Where samples of chroma lie: left, center, topleft, top, bottomleft or bottom.
    start : (Fraction, Fraction)
        Where the first window begins, in pixels of luma right of and below the corner.
    """

    source: Size
    target: Size
    chroma: tuple[int, int] = (1, 1)
    siting: str = "left"
    start: tuple[Fraction, Fraction] = (Fraction(0), Fraction(0))

    @property
    def together(self) -> bool:
        """Whether the planes are one image, so that distances are those of colours."""
        return self.chroma == (1, 1)

    def downscaled(self, planes: Sequence[NDArray[Any]], threads: int | None, **options: Any) -> Planes:
        """The smaller planes, by method and parameters; noise may have a number for each plane."""
        if self.together:
            image = np.stack([self._moved(plane) for plane in planes], axis=-1)
            result = downscale(image, size=self.target, threads=threads, channel_axis=-1, **options)
            return [result[..., channel] for channel in range(len(planes))]
        noise = options.pop("noise", None)
        each = (
            noise if isinstance(noise, tuple | list) and len(noise) == len(planes) else [noise] * len(planes)
        )
        results = []
        for number, (plane, own) in enumerate(zip(planes, each, strict=True)):
            windows, size = self._chroma(plane) if number else (self._moved(plane), self.target)
            results.append(downscale(windows, size=size, threads=threads, noise=own, **options))
        return results

    def automatic(self, planes: Sequence[NDArray[Any]], **options: Any) -> dict[str, Any]:
        """What "auto" stands for in these planes."""
        if self.together:
            return automatic(np.stack(planes, axis=-1), size=self.target, **options)
        found = automatic(planes[0], size=self.target, **options)
        if "noise" in found:  # of luma only
            rest = {"noise": "auto", "method": options["method"]}
            noise = (automatic(plane, scale=2, **rest)["noise"][0] for plane in planes[1:])
            found["noise"] = (*found["noise"], *noise)
        return found

    def _moved(self, plane: NDArray[Any]) -> NDArray[Any]:
        """A plane as large as luma, beginning where the first window does."""
        if not any(self.start):
            return plane
        for axis in (0, 1):
            scale = Fraction(self.source[axis], self.target[axis])
            plane = aligned(plane, 1 - axis, scale, self.target[axis], start=self.start[axis])
        return plane

    def _chroma(self, plane: NDArray[Any]) -> tuple[NDArray[Any], Size]:
        """A plane of chroma with the windows around where its samples are to lie, and their number."""
        size = [-(-self.target[axis] // self.chroma[axis]) for axis in (0, 1)]
        for axis, table in enumerate((_ACROSS, _DOWN)):
            scale = Fraction(self.source[axis], self.target[axis])
            at = Fraction(table.get(self.siting, _MIDDLE))
            step = self.chroma[axis]
            plane = aligned(plane, 1 - axis, scale, size[axis], step, at, self.start[axis] / step)
        return plane, (size[0], size[1])


def aligned(
    plane: NDArray[Any],
    axis: int,
    scale: Fraction,
    count: int,
    chroma: int = 1,
    at: Fraction = _MIDDLE,
    start: Fraction = Fraction(0),
) -> NDArray[Any]:
    """A plane that begins and ends where the windows of the output do, along an axis.

    Parameters
    ----------
    plane : (H, W) ndarray
    axis : int
    scale : Fraction
        How many times smaller luma becomes; windows are as large.
    count : int
        Number of windows.
    chroma : int
        Pixels of luma for one sample of the plane.
    at : Fraction
        Where the sample lies among these, 0 at the first and 1 at the last, before and after.
    start : Fraction
        Where the windows begin besides, in samples of the plane.
    """
    # The middle of the first sample is so far from the edge, in samples of its own plane.
    middle = (_MIDDLE + at * (chroma - 1)) / chroma
    start, length = start + (scale - 1) * (middle - _MIDDLE), scale * count
    parts = 1
    while parts < _PARTS and (start * parts).denominator > 1:
        parts *= 2
    first, total = round(start * parts), max(count, round(length * parts))
    if parts > 1:
        plane = plane.repeat(parts, axis)
    behind = first + total - plane.shape[axis]
    if first or behind:
        spans = [(0, 0), (0, 0)]
        spans[axis] = max(0, -first), max(0, behind)
        if max(spans[axis]):
            plane = np.pad(plane, spans, mode="edge")
        begin = max(0, first)
        cut = [slice(None), slice(None)]
        cut[axis] = slice(begin, begin + total)
        plane = plane[tuple(cut)]
    return np.ascontiguousarray(plane)


def even(size: Size, chroma: tuple[int, int]) -> Size:
    """Both sides rounded down to whole samples of chroma, at least one."""
    width, height = (max(step, side - side % step) for side, step in zip(size, chroma, strict=True))
    return width, height


def widened(planes: Planes, bits: int) -> Planes:
    """Integers of so many bits with all bits of their type."""
    shift = 8 * planes[0].itemsize - bits
    return [plane << shift for plane in planes] if shift else planes


def narrowed(planes: Planes, bits: int) -> Planes:
    """Integers that use all bits of their type, rounded to so many bits."""
    shift = 8 * planes[0].itemsize - bits
    if not shift:
        return planes
    half = np.uint32(1 << shift >> 1)
    return [np.minimum((plane + half) >> shift, (1 << bits) - 1) for plane in planes]


def spread(count: int) -> list[int]:
    """The numbers of the frames that "auto" is measured in, of so many.

    >>> spread(3), spread(90)
    ([0, 1, 2], [5, 15, 25, 35, 45, 55, 65, 75, 85])
    """
    return list(dict.fromkeys((2 * sample + 1) * count // (2 * SAMPLES) for sample in range(SAMPLES)))


def medians(found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The median of each number that "auto" stood for in several frames."""
    every = list(found)
    middle = {}
    for name in every[0]:
        values = [one[name] for one in every]
        if isinstance(values[0], tuple):
            middle[name] = tuple(map(_median, zip(*values, strict=True)))
        else:
            middle[name] = _median(values)
    return middle


def _median(values: Any) -> Any:
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]
