"""Statistics of the windows of a strip, which may overlap: one call of the pooling kernels each.

Arrays of one number a window and channel are (rows, w * C), like the rows of an image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.grid import Spans
from dpid_cli.downscaling.light import Light
from dpid_cli.downscaling.methods.sweeps import Strip, Workspace
from dpid_cli.downscaling.raster import Raster
from dpid_cli.kernels import order, pooling
from dpid_cli.kernels.flags import flag


@dataclass(frozen=True)
class Pool:
    """The pixels of a strip, as they are or in the type to compute in, and its windows.

    Where there is `light`, `lit` holds the light of the pixels, of which weighted means are then taken.
    """

    values: NDArray[Any]
    ys: Spans
    xs: Spans
    channels: int
    workspace: Workspace
    light: Light | None = None
    lit: NDArray[Any] | None = None

    @classmethod
    def over(cls, raster: Raster, ys: Spans, xs: Spans, workspace: Workspace) -> Pool:
        """The pixels of these windows, in their own type."""
        top, bottom = int(ys.begin[0]), int(ys.end[-1])
        ys = ys.part(0, len(ys.begin), top)
        return cls(raster.rows[top:bottom], ys, xs, raster.channels, workspace)

    @classmethod
    def of(cls, strip: Strip) -> Pool:
        """The windows of a strip."""
        ys, xs = strip.grid.spans
        return cls.over(strip.raster, ys.part(strip.start, strip.stop, 0), xs, strip.workspace)

    def real(self) -> Pool:
        """The pixels in the type to compute in, on their own scale."""
        if self.values.dtype.kind == "f":
            return self
        values = self.workspace.array("values", self.values.shape, np.float32)
        values[:] = self.values
        return self._of(values)

    def lighted(self, light: Light | None) -> Pool:
        """The pixels in the type to compute in, and, unless it is None, their light."""
        if light is None:
            return self.real()
        lit = light.decoded(self.values)
        lit.flags.writeable = False
        return replace(self.real(), light=light, lit=lit)

    def averaged(self) -> Pool:
        """The light of the pixels, where there is any, as their values."""
        return self if self.lit is None else replace(self, values=self.lit, light=None, lit=None)

    def mapped(self, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Pool:
        """With a function applied to all pixels."""
        return self._of(function(self.values))

    def counting(self) -> Pool:
        """With windows to which every pixel that they touch belongs wholly."""
        return replace(self, ys=self.ys.counting(), xs=self.xs.counting())

    def _of(self, values: NDArray[Any]) -> Pool:
        view = values.view()
        view.flags.writeable = False  # as of a raster: all share one version of a kernel
        return replace(self, values=view)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, w * C)."""
        return len(self.ys.begin), len(self.xs.begin) * self.channels

    @property
    def areas(self) -> NDArray[Any]:
        """Pixels a window, parts included."""
        return np.outer(self.ys.extent, np.repeat(self.xs.extent, self.channels))

    def extremes(self, rule: int, means: NDArray[Any] | None = None) -> NDArray[Any]:
        """Largest or smallest value, or (`means` given) the one farther from the mean."""
        dtype = self.values.dtype
        real = np.float32 if means is None else means.dtype.type
        out = np.empty(self.shape, dtype)
        order.order_rows(
            self.values,
            self.ys,
            self.xs,
            np.empty((0, 0), real) if means is None else means,
            real(order.TIE * np.finfo(real).eps),
            self.channels,
            flag(rule),
            self.workspace.array(f"{dtype} lines", (4, self.values.shape[1]), dtype),
            out,
        )
        return out

    def sums(
        self, rule: int, guide: NDArray[Any] | None = None, exponent: float = 1.0
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """`total` and `weight` of `pooling.weigh_rows`."""
        real = self.values.dtype.type
        lit = None if rule == pooling.MEAN else self.lit
        total, weight = np.empty((2, *self.shape), real)
        pooling.weigh_rows(
            self.values,
            self.values if lit is None else lit,
            self.ys,
            self.xs,
            np.empty((0, 0), real) if guide is None else guide,
            real(exponent),
            self.channels,
            flag(rule),
            flag(lit is not None),
            flag(real is np.float64),
            self.workspace.array("planes", (3, self.values.shape[1]), real),
            total,
            weight,
        )
        return total, weight

    def means(self) -> NDArray[Any]:
        """Coverage-weighted mean of every window."""
        total, _ = self.sums(pooling.MEAN)
        total /= self.areas
        return total

    def weighted(self, rule: int, guide: NDArray[Any], exponent: float = 1.0) -> NDArray[Any]:
        """Weighted mean of every window; the guide where all weights are 0, or one is infinite."""
        total, weight = self.sums(rule, guide, exponent)
        if self.light is None:
            weight[weight == 0] = 1  # then the total is 0, too
            total /= weight
            total += guide
            return total
        alone = (weight == 0) | np.isinf(weight)
        np.divide(total, weight, out=total, where=~alone)
        np.copyto(total, self.light.decode(guide / guide.dtype.type(self.light.like.unit)), where=alone)
        return total
