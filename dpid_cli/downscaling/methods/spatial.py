"""S3Pool and S3DPP: a pooling at every pixel, of which rows and columns are drawn at random.

The pooling has stride 1 and windows of s by s pixels, with the far edge repeated. It is never computed as a
whole: the windows that begin at the drawn rows and columns are laid side by side, and the plain method does
the rest at the scale s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling import splitmix
from dpid_cli.downscaling.choices import Form, Guidance
from dpid_cli.downscaling.grid import Axis, Grid, Spans
from dpid_cli.downscaling.methods import detail
from dpid_cli.downscaling.methods.pools import Pool
from dpid_cli.downscaling.methods.sweeps import window_means
from dpid_cli.downscaling.parameters import CellParameters, Parameters, S3dppParameters
from dpid_cli.downscaling.raster import Array, Raster
from dpid_cli.downscaling.strips import Strip
from dpid_cli.errors import ArgumentError
from dpid_cli.kernels.order import MAX

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Drawn:
    """The parameters, and the rows and columns at which windows begin."""

    parameters: CellParameters
    rows: Indices
    columns: Indices


def prepare(raster: Raster, grid: Grid, parameters: CellParameters) -> Drawn:
    """Draw rows and columns, or raise an `ArgumentError` if windows are not whole pixels."""
    if grid.whole is None:
        (width, height), (columns, rows) = raster.size, grid.size
        raise ArgumentError(
            f"size: {width}x{height} does not divide into {columns}x{rows} windows of whole pixels, as this "
            "method requires: crop the image, or use a size that divides it"
        )
    return Drawn(parameters, _draw(parameters, grid.ys, 1), _draw(parameters, grid.xs, 2))


def _draw(parameters: CellParameters, axis: Axis, number: int) -> Indices:
    """Draw the rows or columns at which windows begin."""
    side, cell = axis.source // axis.target, parameters.cell
    if cell is None:
        cell = max(1, (axis.target + 1) // 2) * side
    if cell % side:
        raise ArgumentError(f"cell must be a multiple of {side}, to hold whole windows (got {cell})")
    return splitmix.sample(parameters.seed, number, axis.source, cell, side)


def fill(out: Array, name: str, strip: Strip, drawn: Drawn) -> None:
    """Fill `out`, (rows, w * C), with a strip."""
    if drawn.parameters.form == Form.RANDOM:
        _render(out, strip, drawn.parameters, drawn.rows[strip.start : strip.stop], drawn.columns)
    else:
        out[:] = strip.pixels(_average(strip, drawn.parameters))


def _average(strip: Strip, parameters: Parameters) -> Array:
    """Mean over all windows that begin in a window."""
    height, width = strip.grid.whole or (1, 1)
    rows = np.arange(strip.start, strip.stop) * height
    columns = np.arange(strip.grid.xs.target) * width
    total = np.zeros((len(rows), len(columns) * strip.raster.channels))
    one = np.empty(total.shape, strip.raster.real)
    for y in range(height):
        for x in range(width):
            _render(one, strip, parameters, rows + y, columns + x)
            total += one if strip.light is None else strip.light.decode(one)
    return total * ((strip.raster.unit if strip.light is None else 1) / (height * width))


def _render(out: Array, strip: Strip, parameters: Parameters, ys: Indices, xs: Indices) -> None:
    """Fill `out` with the windows that begin at these rows and columns; as intensities if it holds floats."""
    windows = _side_by_side(strip, ys, xs, out.dtype)
    if not isinstance(parameters, S3dppParameters):
        out[:] = Pool.of(windows).extremes(MAX)
    elif parameters.lambda_ == 0:
        detail.fill_box(out, windows)
    elif parameters.guidance == Guidance.BOX:
        detail.fill(out, "dpp", windows, parameters)
    else:
        means, guide = window_means(windows), _smoothed(strip, ys, xs)
        guide *= windows.raster.unit / strip.raster.unit
        guide = np.ascontiguousarray(guide, means.dtype)
        detail.reward_differences(out, False, windows, parameters, means, guide)


def _side_by_side(strip: Strip, ys: Indices, xs: Indices, dtype: Any) -> Strip:
    """Lay the windows that begin at these rows and columns side by side, as an image that they tile."""
    raster, (height, width) = strip.raster, strip.grid.whole or (1, 1)
    rows = np.minimum(np.add.outer(ys, np.arange(height)), raster.size[1] - 1).ravel()
    columns = np.minimum(np.add.outer(xs, np.arange(width)), raster.size[0] - 1).ravel()
    pixels = raster.rows[rows].reshape(len(rows), -1, raster.channels)
    tiled = pixels.take(columns, axis=1).reshape(len(rows), -1)
    if tiled.dtype != dtype:
        tiled = np.divide(tiled, raster.unit, dtype=dtype)
    tiled.flags.writeable = False  # like all rasters
    grid = Grid.of((len(columns), len(rows)), (len(xs), len(ys)), raster.real)
    light = strip.light if strip.light is None or tiled.dtype == raster.dtype else strip.light.of_floats()
    return Strip(Raster(tiled, raster.channels), grid, 0, len(ys), strip.workspace, light)


def _smoothed(strip: Strip, ys: Indices, xs: Indices) -> Array:
    """Means of the windows that begin here and at the eight pixels around, weighted with [1 2 1].

    Returns (rows, C, w). As in the guidance of DPID, windows that would begin outside the image are left out.
    """
    raster, real, (height, width) = strip.raster, strip.raster.real, strip.grid.whole or (1, 1)
    shape = len(ys), len(xs), raster.channels
    total, weights = np.zeros(shape), np.zeros((*shape[:2], 1))
    for dy in (-1, 0, 1):
        rows, row_inside = _spans(ys + dy, height, raster.size[1], real)
        for dx in (-1, 0, 1):
            columns, column_inside = _spans(xs + dx, width, raster.size[0], real)
            weight = (2 - abs(dy)) * (2 - abs(dx)) * np.outer(row_inside, column_inside)[..., np.newaxis]
            means = Pool.over(raster, rows, columns, strip.workspace).real().means()
            total += weight * means.reshape(shape)
            weights += weight
    return np.moveaxis(total / weights, 2, 1)


def _spans(begin: Indices, side: int, source: int, real: Any) -> tuple[Spans, NDArray[np.bool_]]:
    """Return the windows that begin at these pixels, the last pixel repeated; and which begin inside."""
    inside = (begin >= 0) & (begin < source)
    begin = np.clip(begin, 0, source - 1)
    end = np.minimum(begin + side, source)
    tail = (begin + side - end + 1).astype(real)
    return Spans(begin, end, np.where(end - begin == 1, tail, real(1)), tail), inside
