"""S3Pool and S3DPP: a pooling at every pixel, of which rows and columns are drawn at random.

The pooling with stride 1, windows of s by s pixels and the far edge repeated is never computed as a whole.
The windows that begin at chosen rows and columns are laid side by side, and the plain method with the
scale s does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling import splitmix
from dpid_cli.downscaling.grid import Axis, Grid, Spans
from dpid_cli.downscaling.methods import detail, order
from dpid_cli.downscaling.methods.guidance import window_means
from dpid_cli.downscaling.methods.pools import Pool
from dpid_cli.downscaling.methods.sweeps import Strip
from dpid_cli.downscaling.raster import Raster
from dpid_cli.errors import ArgumentError

Chosen = NDArray[np.int64]


def prepare(raster: Raster, grid: Grid, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters with the rows and columns that are drawn, or an `ArgumentError` if none can be."""
    if grid.whole is None:
        (width, height), (columns, rows) = raster.size, grid.size
        raise ArgumentError(
            f"size: {width}x{height} does not divide into {columns}x{rows} windows of whole pixels, which "
            "this method needs: crop the image, or give a size that divides it"
        )
    cell, seed = parameters["cell"], parameters["seed"]
    chosen = tuple(_drawn(axis, cell, seed, number) for number, axis in ((1, grid.ys), (2, grid.xs)))
    return {**parameters, "chosen": chosen}


def _drawn(axis: Axis, cell: int | None, seed: int, number: int) -> Chosen:
    """The rows or columns at which windows begin."""
    side = axis.source // axis.target
    if cell is None:
        cell = max(1, (axis.target + 1) // 2) * side
    if cell % side:
        raise ArgumentError(f"cell: {cell} pixels hold no whole number of windows: give a multiple of {side}")
    return splitmix.sample(seed, number, axis.source, cell, side)


def fill(out: NDArray[Any], name: str, strip: Strip, parameters: Mapping[str, Any]) -> None:
    """Fill `out`, (rows, w * C), with a strip."""
    if parameters["form"] == "random":
        rows, columns = parameters["chosen"]
        _render(out, name, strip, parameters, rows[strip.start : strip.stop], columns)
    else:
        out[:] = strip.pixels(_average(name, strip, parameters))


def _average(name: str, strip: Strip, parameters: Mapping[str, Any]) -> NDArray[Any]:
    """The mean over all windows that begin in a window."""
    height, width = strip.grid.whole or (1, 1)
    rows = np.arange(strip.start, strip.stop) * height
    columns = np.arange(strip.grid.xs.target) * width
    total = np.zeros((len(rows), len(columns) * strip.raster.channels))
    one = np.empty(total.shape, strip.raster.real)
    for y in range(height):
        for x in range(width):
            _render(one, name, strip, parameters, rows + y, columns + x)
            total += one if strip.light is None else strip.light.decode(one)
    return total * ((strip.raster.unit if strip.light is None else 1) / (height * width))


def _render(
    out: NDArray[Any], name: str, strip: Strip, parameters: Mapping[str, Any], ys: Chosen, xs: Chosen
) -> None:
    """Fill `out` with the windows that begin at these rows and columns; as intensities if it holds floats."""
    windows = _side_by_side(strip, ys, xs, out.dtype)
    if name == "s3pool":
        order.fill(out, "max", windows, parameters)
    elif parameters["guidance"] == "box" or parameters["lambda_"] == 0:
        detail.fill(out, "dpp", windows, parameters)
    else:
        means, guide = window_means(windows), _smoothed(strip, ys, xs)
        guide *= windows.raster.unit / strip.raster.unit
        guide = np.ascontiguousarray(guide, means.dtype)
        detail.reward_differences(out, False, windows, parameters, means, guide)


def _side_by_side(strip: Strip, ys: Chosen, xs: Chosen, dtype: Any) -> Strip:
    """The windows that begin at these rows and columns as an image that they tile."""
    raster, (height, width) = strip.raster, strip.grid.whole or (1, 1)
    rows = np.minimum(np.add.outer(ys, np.arange(height)), raster.size[1] - 1).ravel()
    columns = np.minimum(np.add.outer(xs, np.arange(width)), raster.size[0] - 1).ravel()
    pixels = raster.rows[rows].reshape(len(rows), -1, raster.channels)
    tiled = pixels.take(columns, axis=1).reshape(len(rows), -1)
    if tiled.dtype != dtype:
        tiled = np.divide(tiled, raster.unit, dtype=dtype)
    tiled.flags.writeable = False  # as all rasters
    grid = Grid.of((len(columns), len(rows)), (len(xs), len(ys)), raster.real)
    light = strip.light if strip.light is None or tiled.dtype == raster.dtype else strip.light.of_floats()
    return Strip(Raster(tiled, raster.channels), grid, 0, len(ys), strip.workspace, light)


def _smoothed(strip: Strip, ys: Chosen, xs: Chosen) -> NDArray[Any]:
    """Means of the windows that begin here and at the eight pixels around, weighted with [1 2 1].

    The result is (rows, C, w). As in the guidance of DPID, what would begin outside the image is left out.
    """
    raster, real, (height, width) = strip.raster, strip.raster.real, strip.grid.whole or (1, 1)
    shape = len(ys), len(xs), raster.channels
    total, weights = np.zeros(shape), np.zeros((*shape[:2], 1))
    for dy in (-1, 0, 1):
        rows, above = _spans(ys + dy, height, raster.size[1], real)
        for dx in (-1, 0, 1):
            columns, beside = _spans(xs + dx, width, raster.size[0], real)
            weight = (2 - abs(dy)) * (2 - abs(dx)) * np.outer(above, beside)[..., np.newaxis]
            means = Pool.over(raster, rows, columns, strip.workspace).real().means()
            total += weight * means.reshape(shape)
            weights += weight
    return np.moveaxis(total / weights, 2, 1)


def _spans(begin: Chosen, side: int, source: int, real: Any) -> tuple[Spans, NDArray[np.bool_]]:
    """Windows that begin at these pixels, the last pixel repeated; and which of them begin inside."""
    inside = (begin >= 0) & (begin < source)
    begin = np.clip(begin, 0, source - 1)
    end = np.minimum(begin + side, source)
    tail = (begin + side - end + 1).astype(real)
    return Spans(begin, end, np.where(end - begin == 1, tail, real(1)), tail), inside
