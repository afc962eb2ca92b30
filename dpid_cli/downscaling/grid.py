"""Where the windows lie: their bounds and coverage along each axis.

A result of `target` pixels divides `source` pixels into windows of p = source / target pixels, any
real p >= 1. Window i spans [i*p, (i+1)*p); a pixel that a window boundary cuts belongs to
both windows, each by the part that it covers. Everything is computed in integers and rounded
once, so that a boundary that falls on a pixel edge leaves no sliver behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpid_cli.errors import ArgumentError


class Axis(NamedTuple):
    """The windows along one axis.

    Window i consists of the whole or last pixels ``first[i] .. first[i+1]-1`` and, where
    ``head[i] > 0``, of the part ``head[i]`` of the pixel ``first[i]-1`` before them. Its last pixel
    counts ``1 - head[i+1]``.

    Attributes
    ----------
    first : (target + 1,) int64 ndarray
        First pixel that starts inside each window; ``first[target]`` is the source length.
    head : (target + 1,) float ndarray
        Coverage, in [0, 1), of the pixel that straddles the window's lower bound.
    run : (target,) or (0,) int64 ndarray
        End of the run of windows with equally many pixels in which each window lies; empty where runs
        are so short that they are not worth following.
    """

    first: NDArray[np.int64]
    head: NDArray[Any]
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
        """The same windows with coverages of another float type."""
        return self._replace(head=self.head.astype(dtype))


# Windows a run on average, from which on kernels follow runs.
_WORTHWHILE_RUN = 8


def axis(source: int, target: int) -> Axis:
    """Divide `source` pixels into `target` windows, 1 <= target <= source."""
    bounds = np.arange(target + 1, dtype=np.int64) * source  # in units of 1/target pixel
    first = -(-bounds // target)
    ends = np.append(np.flatnonzero(np.diff(first, n=2)) + 1, target)
    run = ends[np.searchsorted(ends, np.arange(target), side="right")]
    if len(ends) * _WORTHWHILE_RUN > target and len(ends) > 1:
        run = run[:0]
    return Axis(first, (first * target - bounds) / target, run.astype(np.int64))


class Spans(NamedTuple):
    """Windows along one axis, each for itself, so that they may overlap.

    Attributes
    ----------
    begin, end : (target,) int64 ndarray
        The pixels ``begin[i] .. end[i]-1`` of each window.
    head, tail : (target,) float ndarray
        Coverage, in (0, 1], of its first and of its last pixel; the same where these are one. More than 1
        where pixels at an edge are repeated.
    """

    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    head: NDArray[Any]
    tail: NDArray[Any]

    @property
    def extent(self) -> NDArray[Any]:
        """Pixels a window, parts included."""
        inner = (self.end - self.begin - 2).astype(self.head.dtype)
        return np.where(inner < 0, self.head, self.head + inner + self.tail)

    def part(self, start: int, stop: int, offset: int) -> Spans:
        """The windows start .. stop-1, their pixels counted from `offset`."""
        begin, end, head, tail = (array[start:stop] for array in self)
        return Spans(begin - offset, end - offset, head, tail)

    def counting(self) -> Spans:
        """The same pixels, all wholly covered."""
        return self._replace(head=np.ones_like(self.head), tail=np.ones_like(self.tail))


def spans(source: int, target: int, window: int | None, dtype: Any) -> Spans:
    """`target` windows of `window` pixels each, clipped at the ends of `source` pixels.

    Their centres are those of `axis`, and without `window` so are they.
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
    """The windows of a whole image: rows (`ys`) and columns (`xs`).

    `window` is the side of windows that overlap; None where they lie side by side.
    """

    ys: Axis
    xs: Axis
    window: int | None = None

    @classmethod
    def of(
        cls, source: tuple[int, int], target: tuple[int, int], dtype: Any, window: int | None = None
    ) -> Grid:
        """Lay `target` over `source`, both (width, height), with coverages of `dtype`.

        Raises
        ------
        ArgumentError
            If windows of that side would leave gaps.
        """
        (width, height), (columns, rows) = source, target
        least = max(-(-width // columns), -(-height // rows))
        if window is not None and window < least:
            raise ArgumentError(f"window: {window} pixels would leave gaps: give {least} or more")
        return cls(axis(height, rows).astype(dtype), axis(width, columns).astype(dtype), window)

    @cached_property
    def spans(self) -> tuple[Spans, Spans]:
        """The windows of `ys` and `xs`, each for itself and as large as `window` says."""
        ys, xs = (spans(a.source, a.target, self.window, a.head.dtype) for a in (self.ys, self.xs))
        return ys, xs

    @property
    def whole(self) -> tuple[int, int] | None:
        """Height and width of the windows, where these are whole numbers."""
        if self.ys.source % self.ys.target or self.xs.source % self.xs.target:
            return None
        return self.ys.source // self.ys.target, self.xs.source // self.xs.target

    @cached_property
    def cuts_columns(self) -> bool:
        """Whether a window begins within a pixel of a row."""
        return bool(self.xs.head.any())

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the result."""
        return self.xs.target, self.ys.target

    @property
    def window_area(self) -> float:
        """Pixels a window, parts included."""
        return (self.xs.source / self.xs.target) * (self.ys.source / self.ys.target)
