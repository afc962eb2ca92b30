"""Statistics of the windows of a strip, which may overlap: one call of a pooling kernel each.

Arrays with one number per window and channel are (rows, w * C), like the rows of an image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dpid_cli.downscaling.grid import Spans
from dpid_cli.downscaling.raster import Array, Raster
from dpid_cli.downscaling.strips import Strip, Workspace
from dpid_cli.downscaling.transfer import Light
from dpid_cli.kernels import order, pooling
from dpid_cli.kernels.flags import flag


@dataclass(frozen=True)
class Pool:
    """The pixels of a strip, in their own type or the type to compute in, and its windows.

    With `light`, `lit` holds the light of the pixels, and weighted means are means of light.
    """

    values: Array
    ys: Spans
    xs: Spans
    channels: int
    workspace: Workspace
    light: Light | None = None
    lit: Array | None = None

    @classmethod
    def over(cls, raster: Raster, ys: Spans, xs: Spans, workspace: Workspace) -> Pool:
        """Take the pixels of these windows, in their own type."""
        top, bottom = int(ys.begin[0]), int(ys.end[-1])
        ys = ys.part(0, len(ys.begin), top)
        return cls(raster.rows[top:bottom], ys, xs, raster.channels, workspace)

    @classmethod
    def of(cls, strip: Strip) -> Pool:
        """Take the windows of a strip."""
        ys, xs = strip.grid.spans
        return cls.over(strip.raster, ys.part(strip.start, strip.stop, 0), xs, strip.workspace)

    def real(self, real: type[np.floating[Any]] = np.float32) -> Pool:
        """Convert the pixels to the type to compute in, for integers `real`, on their own scale."""
        if self.values.dtype.kind == "f":
            return self
        values = self.workspace.array(f"{real.__name__} values", self.values.shape, real)
        values[:] = self.values
        return self._of(values)

    def lighted(self, light: Light | None) -> Pool:
        """Convert the pixels to the type to compute in, and decode their light unless `light` is None."""
        if light is None:
            return self.real()
        lit = light.decoded(self.values)
        lit.flags.writeable = False
        return replace(self.real(), light=light, lit=lit)

    def averaged(self) -> Pool:
        """Replace the values of the pixels by their light, if there is any."""
        return self if self.lit is None else replace(self, values=self.lit, light=None, lit=None)

    def mapped(self, function: Callable[[Array], Array]) -> Pool:
        """Apply a function to all pixels."""
        return self._of(function(self.values))

    def counting(self) -> Pool:
        """Count every pixel that a window touches fully."""
        return replace(self, ys=self.ys.counting(), xs=self.xs.counting())

    def _of(self, values: Array) -> Pool:
        view = values.view()
        view.flags.writeable = False  # like the rows of a raster, so that they share a compiled kernel
        return replace(self, values=view)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, w * C)."""
        return len(self.ys.begin), len(self.xs.begin) * self.channels

    @property
    def areas(self) -> Array:
        """Pixels per window, including parts."""
        return np.outer(self.ys.extent, np.repeat(self.xs.extent, self.channels))

    def extremes(self, rule: int, means: Array | None = None, gap: float = 0) -> Array:
        """Largest or smallest value; or, with `means`, whichever is farther from the mean.

        Distances from the mean that differ by at most `gap` are equal.
        """
        dtype = self.values.dtype
        real = np.float32 if means is None else means.dtype.type
        out = np.empty(self.shape, dtype)
        tie = real(order.TIE * np.finfo(real).eps)
        lines = self.workspace.array(f"{dtype} lines", (4, self.values.shape[1]), dtype)
        means = np.empty((0, 0), real) if means is None else means
        order.order_rows(
            self.values, self.ys, self.xs, means, tie, real(gap), self.channels, flag(rule), lines, out
        )
        return out

    def sums(self, rule: int, guide: Array | None = None, exponent: float = 1.0) -> tuple[Array, Array]:
        """Return `total` and `weight` of `pooling.weigh_rows`."""
        real = self.values.dtype.type
        lit = None if rule == pooling.MEAN else self.lit
        total, weight = np.empty((2, *self.shape), real)
        planes = self.workspace.array("planes", (3, self.values.shape[1]), real)
        guide = np.empty((0, 0), real) if guide is None else guide
        pooling.weigh_rows(
            self.values, self.values if lit is None else lit, self.ys, self.xs, guide, real(exponent),
            self.channels, flag(rule), flag(lit is not None), flag(real is np.float64), planes, total, weight,
        )  # fmt: skip
        return total, weight

    def means(self) -> Array:
        """Coverage-weighted mean of every window."""
        total, _ = self.sums(pooling.MEAN)
        total /= self.areas
        return total

    def weighted(self, rule: int, guide: Array, exponent: float = 1.0) -> Array:
        """Weighted mean of every window; `guide` where all weights are 0 or one is infinite."""
        total, weight = self.sums(rule, guide, exponent)
        if self.light is None:
            weight[weight == 0] = 1  # where the total is 0 as well
            total /= weight
            total += guide
            return total
        alone = (weight == 0) | np.isinf(weight)
        np.divide(total, weight, out=total, where=~alone)
        np.copyto(total, self.light.decode(guide / guide.dtype.type(self.light.like.unit)), where=alone)
        return total
