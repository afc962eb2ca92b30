"""The grid of windows: their bounds and coverage along each axis.

An output of `target` pixels divides `source` pixels into windows of p = source / target pixels, any
real p >= 1. Window i spans [i*p, (i+1)*p). A pixel that a window boundary cuts belongs to both windows,
to each by the part inside it. Bounds are computed in integers and rounded once, so that a boundary on a
pixel edge leaves no sliver.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.raster import Array
from dpid_cli.errors import ArgumentError
from dpid_cli.kernels.tiles import GROUP


class Axis(NamedTuple):
    """The windows along one axis, side by side.

    Window i holds the pixels ``first[i] .. first[i+1]-1`` and, if ``head[i] > 0``, the part ``head[i]`` of
    the pixel ``first[i]-1`` before them. Its last pixel counts ``1 - head[i+1]``.

    Attributes
    ----------
    first : (target + 1,) int64 ndarray
        First pixel that starts inside each window; ``first[target]`` is the source length.
    head : (target + 1,) float ndarray
        Coverage, in [0, 1), of the pixel that straddles the window's lower bound.
    run : (target,) or (0,) int64 ndarray
        For each window, the end of the run of windows with the same number of pixels; empty if runs are
        too short to be worth following.
    """

    first: NDArray[np.int64]
    head: Array
    run: NDArray[np.int64]

    @property
    def target(self) -> int:
        """Number of windows."""
        return len(self.first) - 1

    @property
    def source(self) -> int:
        """Number of pixels."""
        return int(self.first[-1])

    def astype(self, dtype: Any) -> Axis:
        """Return the same windows with coverages of another float type."""
        return self._replace(head=self.head.astype(dtype))


# Average number of windows per run from which kernels follow runs.
_WORTHWHILE_RUN = 8


def axis(source: int, target: int) -> Axis:
    """Divide `source` pixels into `target` windows, 1 <= target <= source.

    >>> axis(7, 3).first
    array([0, 3, 5, 7])
    """
    bounds = np.arange(target + 1, dtype=np.int64) * source  # in units of 1/target pixel
    first = -(-bounds // target)
    ends = np.append(np.flatnonzero(np.diff(first, n=2)) + 1, target)
    run = ends[np.searchsorted(ends, np.arange(target), side="right")]
    if len(ends) * _WORTHWHILE_RUN > target and len(ends) > 1:
        run = run[:0]
    return Axis(first, (first * target - bounds) / target, run.astype(np.int64))


class Spans(NamedTuple):
    """The windows along one axis, which may overlap.

    Attributes
    ----------
    begin, end : (target,) int64 ndarray
        The pixels ``begin[i] .. end[i]-1`` of each window.
    head, tail : (target,) float ndarray
        Coverage, in (0, 1], of its first and last pixel; equal if these are one pixel. More than 1 where
        pixels at an edge are repeated.
    """

    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    head: Array
    tail: Array

    @property
    def extent(self) -> Array:
        """Pixels per window, including parts."""
        inner = (self.end - self.begin - 2).astype(self.head.dtype)
        return np.where(inner < 0, self.head, self.head + inner + self.tail)

    def part(self, start: int, stop: int, offset: int) -> Spans:
        """Return the windows start .. stop-1, with pixels counted from `offset`."""
        begin, end, head, tail = (array[start:stop] for array in self)
        return Spans(begin - offset, end - offset, head, tail)

    def counting(self) -> Spans:
        """Return windows of the same pixels, all fully covered."""
        return self._replace(head=np.ones_like(self.head), tail=np.ones_like(self.tail))


def spans(source: int, target: int, window: int | None, dtype: Any) -> Spans:
    """Lay `target` windows of `window` pixels each over `source` pixels, clipped at both ends.

    They have the centres of `axis`; without `window`, also its bounds.
    """
    centre = np.arange(1, 2 * target, 2, dtype=np.int64) * source  # in units of 1/(2 target) pixel
    reach, pixel = source if window is None else window * target, 2 * target
    low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach, source * pixel)
    begin, end = low // pixel, -(-high // pixel)
    head = np.minimum((begin + 1) * pixel, high) - low
    tail = high - np.maximum((end - 1) * pixel, low)
    return Spans(begin, end, (head / pixel).astype(dtype), (tail / pixel).astype(dtype))


@dataclass(frozen=True)
class Grid:
    """The windows of an image: rows (`ys`) and columns (`xs`).

    `window` is the side of overlapping windows; None if they lie side by side.
    """

    ys: Axis
    xs: Axis
    window: int | None = None

    @classmethod
    def of(
        cls, source: tuple[int, int], target: tuple[int, int], dtype: Any, window: int | None = None
    ) -> Grid:
        """Lay `target` over `source`, both (width, height), with coverages of type `dtype`.

        Raises an `ArgumentError` if windows of side `window` would leave gaps.
        """
        (width, height), (columns, rows) = source, target
        least = max(-(-width // columns), -(-height // rows))
        if window is not None and window < least:
            raise ArgumentError(f"window: {window} pixels would leave gaps: use {least} or more")
        return cls(axis(height, rows).astype(dtype), axis(width, columns).astype(dtype), window)

    @cached_property
    def spans(self) -> tuple[Spans, Spans]:
        """The windows of `ys` and `xs`, with the side `window`."""
        ys, xs = (spans(a.source, a.target, self.window, a.head.dtype) for a in (self.ys, self.xs))
        return ys, xs

    @property
    def whole(self) -> tuple[int, int] | None:
        """Height and width of the windows if both are whole numbers."""
        if self.ys.source % self.ys.target or self.xs.source % self.xs.target:
            return None
        return self.ys.source // self.ys.target, self.xs.source // self.xs.target

    @cached_property
    def grouped(self) -> Axis:
        """The columns of `xs` in groups of as many pixels as kernels sum up at a time; single ones if cut."""
        width, cut = divmod(self.xs.source, self.xs.target)
        pixels = 1 if cut else next(n for n in range(GROUP, 0, -1) if width % n == 0)
        return axis(self.xs.source // pixels, self.xs.target).astype(self.xs.head.dtype)

    @cached_property
    def cuts_columns(self) -> bool:
        """Whether a window boundary cuts a column of pixels."""
        return bool(self.xs.head.any())

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the output."""
        return self.xs.target, self.ys.target

    @property
    def window_area(self) -> float:
        """Pixels per window, including parts."""
        return (self.xs.source / self.xs.target) * (self.ys.source / self.ys.target)
