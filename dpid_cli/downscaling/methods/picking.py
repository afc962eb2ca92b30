"""Methods that pick pixels: max, min, extremum, strided subsampling and stochastic pooling."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling import splitmix
from dpid_cli.downscaling.choices import Form, Position
from dpid_cli.downscaling.grid import Axis, Grid
from dpid_cli.downscaling.methods.pools import Pool
from dpid_cli.downscaling.parameters import Parameters, StochasticParameters, SubsampleParameters
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.kernels import order, pooling


def fill(out: Array, name: str, strip: Strip, parameters: Parameters) -> None:
    """Fill `out`, (rows, w * C), with a strip."""
    if isinstance(parameters, SubsampleParameters):
        _subsample(out, strip, parameters.position == Position.CENTRE)
    elif isinstance(parameters, StochasticParameters):
        _draw(out, strip, parameters)
    elif name == "extremum":
        out[:] = Pool.of(strip).extremes(order.EXTREMUM, *_exact_means(strip))
    else:
        out[:] = Pool.of(strip).extremes(order.MAX if name == "max" else order.MIN)


def _exact_means(strip: Strip) -> tuple[Array, float]:
    """Window means in float64, and the difference up to which two distances from them are equal.

    Distances of integers differ by a multiple of one over the area of a window, counted in parts of pixels,
    or not at all. Floats have been rounded before: only their relative difference tells.
    """
    raster, grid = strip.raster, strip.grid
    if not raster.limit:
        return Pool.of(strip).means(), 0
    grid = Grid.of(raster.size, grid.size, np.float64, grid.window)
    parts = math.prod(2 * len(spans.begin) * float(spans.extent.max()) for spans in grid.spans)
    rounding = order.TIE * np.finfo(np.float64).eps * raster.limit
    means = Pool.of(replace(strip, grid=grid)).real(np.float64).means()
    return means, max(0.5 / parts, rounding)


def _subsample(out: Array, strip: Strip, centre: bool) -> None:
    ys, xs = _chosen(strip.grid.ys, centre)[strip.start : strip.stop], _chosen(strip.grid.xs, centre)
    rows, c = strip.raster.rows, strip.raster.channels
    for j in range(c):
        out[:, j::c] = rows[ys[:, np.newaxis], c * xs + j]


def _chosen(axis: Axis, centre: bool) -> NDArray[np.int64]:
    """The pixel that holds the lower bound or the centre of each window."""
    return (2 * np.arange(axis.target, dtype=np.int64) + centre) * axis.source // (2 * axis.target)


def _draw(out: Array, strip: Strip, parameters: StochasticParameters) -> None:
    """Draw a pixel of each window with a probability proportional to its value, or take the expectation."""
    expected = parameters.form == Form.EXPECTED
    pool = Pool.of(strip).lighted(strip.light if expected else None).counting()
    if strip.raster.rows.dtype.kind == "f":
        pool = pool.mapped(lambda values: np.maximum(values, 0))  # no probability is negative
    if expected:
        out[:] = strip.pixels(pool.weighted(pooling.OWN, pool.extremes(order.MAX)))
        return
    columns = strip.grid.xs.target
    positions = np.arange(strip.start * columns, strip.stop * columns).reshape(-1, columns)
    draws = splitmix.uniform(parameters.seed, positions)
    sums = strip.workspace.array("columns", (pool.values.shape[1],), np.float64)
    pooling.pick_rows(pool.values, pool.ys, pool.xs, draws, pool.channels, sums, out)
