"""Where the windows lie: their bounds and coverage along each axis.

A result of `target` pixels divides `source` pixels into windows of p = source / target pixels, any
real p >= 1. Window i spans [i*p, (i+1)*p); a pixel that a window boundary cuts belongs to
both windows, each by the part that it covers. Everything is computed in integers and rounded
once, so that a boundary that falls on a pixel edge leaves no sliver behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


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


@dataclass(frozen=True)
class Grid:
    """The windows of a whole image: rows (`ys`) and columns (`xs`)."""

    ys: Axis
    xs: Axis

    @classmethod
    def of(cls, source: tuple[int, int], target: tuple[int, int], dtype: Any) -> Grid:
        """Lay `target` over `source`, both (width, height), with coverages of `dtype`."""
        (width, height), (columns, rows) = source, target
        return cls(axis(height, rows).astype(dtype), axis(width, columns).astype(dtype))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the result."""
        return self.xs.target, self.ys.target

    @property
    def window_area(self) -> float:
        """Pixels a window, parts included."""
        return (self.xs.source / self.xs.target) * (self.ys.source / self.ys.target)
